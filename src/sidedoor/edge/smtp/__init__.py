"""The server's side of SMTP without I/O: octets in, replies and events out. Start at `machine.py` and `state.py`."""

from sidedoor.edge.smtp.machine import SmtpMachine

__all__ = ["SmtpMachine"]
