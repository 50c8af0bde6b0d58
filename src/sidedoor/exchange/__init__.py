"""Clients of Exchange Online and Microsoft Graph. They read; HTTP is spoken in `http` and nowhere else.

Pure planning (`windows`, `pacing`, `estimate`, `flows`) is kept apart from the protocols (`invoke`, `graph`), and those
from what is kept on disk (`parts`), so that hours of limits can be tried in a second with a simulated clock.
"""
