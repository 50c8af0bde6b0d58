"""How often a process that runs over workspaces looks for garbage."""

import gc


def look_seldom() -> None:
    """Twenty thousand senders are some millions of objects that all live until the end of a run.

    To look for garbage among them again and again costs as much as all the rest: 4.3 s, 2.2 s without. What modules
    hold lives as long.
    """
    gc.freeze()
    gc.set_threshold(2_000_000, 50, 100)
