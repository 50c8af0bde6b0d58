"""Makes Python look to Sidedoor as it does on Windows: `install()`, or pytest with `-p tests.portable.windows`.

What our own modules import is decided here, by the name of the importing module, so that the libraries and the tests
keep the system that is really there: POSIX-only modules are refused; `os`, `signal`, `socket` and `multiprocessing`
lack what they lack on Windows, and `os.name` is "nt". An audit hook (PEP 578) refuses names of files that Windows would
not take. It is no Windows: rights, sharing of open files and the libraries' own parts are Linux's.
"""

from __future__ import annotations

import builtins
import multiprocessing
import os
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path, PureWindowsPath
from types import FrameType, ModuleType
from typing import Any

REFUSED = frozenset({"fcntl", "pwd", "grp", "resource", "termios", "tty", "pty", "uvloop", "syslog", "crypt", "nis",
                     "spwd", "posix", "readline", "curses"})  # fmt: skip


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Python's documentation: "Availability: Unix" without Windows (os, signal, socket), of what 3.11 has.
LACKING: Mapping[str, frozenset[str]] = {
    "os": _names(
        "fork forkpty getuid geteuid getgid getegid getgroups getpgid getpgrp getsid setsid setuid setgid setpgid "
        "killpg chown fchown lchown fchmod fchdir chroot mkfifo mknod statvfs fstatvfs pathconf fpathconf sysconf "
        "confstr sched_getaffinity sched_setaffinity nice getpriority setpriority getloadavg uname wait wait3 wait4 "
        "waitid WIFEXITED WEXITSTATUS posix_spawn posix_fallocate posix_fadvise fdatasync sync pread pwrite readv "
        "writev openpty sendfile initgroups ctermid lockf O_NOFOLLOW O_CLOEXEC O_DIRECTORY O_NONBLOCK O_SYNC O_DSYNC "
        "O_NOCTTY O_PATH O_TMPFILE"
    ),
    "signal": _names(
        "SIGHUP SIGKILL SIGQUIT SIGUSR1 SIGUSR2 SIGALRM SIGCHLD SIGPIPE SIGXFSZ SIGCONT SIGSTOP SIGWINCH alarm pause "
        "setitimer getitimer siginterrupt sigpending sigwait sigwaitinfo sigtimedwait pthread_kill pthread_sigmask"
    ),
    "socket": _names("AF_UNIX SO_REUSEPORT TCP_QUICKACK sethostname"),
    "multiprocessing": frozenset(),
}
_REAL: Mapping[str, ModuleType] = {"os": os, "signal": signal, "socket": socket, "multiprocessing": multiprocessing}
_import = builtins.__import__


class Lacking(ModuleType):
    """A module without some of its names, and with others changed."""

    def __init__(self, real: ModuleType, without: frozenset[str], changed: Mapping[str, object]) -> None:
        super().__init__(real.__name__)
        self.__dict__["_real"] = real
        self.__dict__["_without"] = without
        self.__dict__.update(changed)

    def __getattr__(self, name: str) -> Any:
        if name in self.__dict__["_without"]:
            raise AttributeError(f"Windows has no {self.__name__}.{name}")
        return getattr(self.__dict__["_real"], name)

    def __setattr__(self, name: str, value: object) -> None:
        setattr(self.__dict__["_real"], name, value)  # what a test patches


def _msvcrt() -> ModuleType:
    """The part that locks files, made of what is here."""
    import fcntl

    made = ModuleType("msvcrt")

    def locking(handle: int, mode: int, _octets: int) -> None:
        try:
            fcntl.flock(handle, mode)
        except BlockingIOError as error:
            raise PermissionError(error.errno, error.strerror) from None

    made.__dict__.update(locking=locking, LK_NBLCK=fcntl.LOCK_EX | fcntl.LOCK_NB, LK_UNLCK=fcntl.LOCK_UN)
    return made


CHANGED: Mapping[str, Mapping[str, object]] = {
    "os": {"name": "nt", "devnull": os.devnull},
    "multiprocessing": {"get_all_start_methods": lambda: ["spawn"]},
}
_SHOWN = {name: Lacking(real, LACKING[name], CHANGED.get(name, {})) for name, real in _REAL.items()}


def _windows_import(
    name: str,
    globals: Mapping[str, object] | None = None,  # noqa: A002  # the names of `__import__`
    locals: Mapping[str, object] | None = None,  # noqa: A002
    fromlist: Sequence[str] | None = (),
    level: int = 0,
) -> ModuleType:
    asking = str((globals or {}).get("__name__", ""))
    if asking.partition(".")[0] != "sidedoor" or level:
        return _import(name, globals, locals, fromlist or (), level)
    if name.partition(".")[0] in REFUSED:
        raise ModuleNotFoundError(f"No module named {name!r} on Windows, asked for by {asking}", name=name)
    if name == "msvcrt":
        return _msvcrt()
    shown = _SHOWN.get(name)
    if shown is None:
        return _import(name, globals, locals, fromlist or (), level)
    for wanted in fromlist or ():
        if wanted in LACKING[name]:
            raise ImportError(f"cannot import name {wanted!r} from {name!r} on Windows, asked for by {asking}")
    return shown


def complaint(name: str) -> str:
    """Why Windows would not take the name of a file or folder; "" if it would."""
    if PureWindowsPath(name).is_reserved():
        return "reserved"
    if any(letter in '<>:"|?*\\' or ord(letter) < 32 for letter in name):
        return "a character that no name may have"
    return "ends in a full stop or a space" if name not in {".", ".."} and name[-1:] in {".", " "} else ""


class UntakenNameError(OSError):
    """A name that Windows would not take."""


def _made(event: str, arguments: tuple[Any, ...]) -> object:
    """What an audited event makes, or None."""
    if event == "open":
        path, mode, flags = arguments[:3]
        makes = any(letter in (mode or "") for letter in "wxa") or (isinstance(flags, int) and flags & os.O_CREAT)
        return path if makes else None
    if event in {"os.rename", "os.link", "os.symlink"}:
        return arguments[1]
    return arguments[0] if event == "os.mkdir" else None


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    path = _made(event, arguments)
    if isinstance(path, str | Path) and (name := Path(path).name):
        why = complaint(name)
        if why and _by_us():
            raise UntakenNameError(22, f"Windows would not take the name ({why})", name)


def _by_us() -> bool:
    """Whether one of our modules is at work."""
    frame: FrameType | None = sys._getframe()  # there is no other way to ask
    while frame is not None:
        if str(frame.f_globals.get("__name__", "")).startswith("sidedoor."):
            return True
        frame = frame.f_back
    return False


def install() -> None:
    """From now on; modules of ours that were imported before keep what they have."""
    early = [name for name in sys.modules if name.partition(".")[0] == "sidedoor"]
    if early:
        raise RuntimeError(f"too late: {early[:5]} are imported already")
    builtins.__import__ = _windows_import
    sys.addaudithook(_watch)


if "pytest" in sys.modules and os.environ.get("SIDEDOOR_TESTS_ON") == "windows":
    install()
