"""What all tests share.

In CI, Hypothesis derives its examples from the test itself: the same commit gives the same verdict every time. At
home it looks for new examples on every run, which is where a property finds its next counterexample.
"""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile("ci", derandomize=True, database=None, deadline=None)
settings.register_profile("home", deadline=None)
settings.load_profile("ci" if os.environ.get("CI") == "true" else "home")
