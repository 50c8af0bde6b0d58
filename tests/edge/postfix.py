"""A Postfix of its own for a test or a benchmark: Debian's, in a folder, on a port of the loopback, run by root.

    with Postfix(folder, "defer_transports = relay\n") as postfix: ...

It takes mail for contoso.example from anybody and for the world from the loopback (`mynetworks`). Where it goes is said
by the settings: `defer_transports = relay, smtp` keeps it in the queue, `relay_transport = discard:` throws it away,
`relay_transport = smtp:[127.0.0.1]:2525` sends it on. Skip by `MISSING` where it cannot be started.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from tests.ports import free_port

MISSING = (
    "Postfix is not installed" if shutil.which("postfix") is None
    else "Postfix is started by root alone" if os.getuid() != 0
    else ""
)  # fmt: skip
_MAIN = """
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
mail_owner = postfix
setgid_group = postdrop
myhostname = mx.example
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = loopback-only
inet_protocols = ipv4
relay_domains = contoso.example
local_recipient_maps =
alias_maps =
alias_database =
smtpd_error_sleep_time = 0
maillog_file_prefixes = {folder}
maillog_file = {folder}/log
"""
_MASTER = """
127.0.0.1:{port} inet n - n - 100 smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
smtp unix - - n - - smtp
relay unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
showq unix n - n - - showq
postlog unix-dgram n - n - 1 postlogd
"""


class Postfix:
    """Started at once; `settings` are lines of main.cf that outdo the common ones. `folder` has sockets: keep it short.

    `stop` ends this instance and no other on the machine.
    """

    def __init__(self, folder: Path, settings: str = "") -> None:
        self.folder, self.port = folder, free_port()
        for name in ("etc", "queue", "data"):
            (folder / name).mkdir(parents=True)
        for place in (folder, *folder.parents):
            if place.stat().st_uid == os.getuid() and place != Path("/"):
                with suppress(PermissionError):
                    place.chmod(place.stat().st_mode | 0o111)
        shutil.chown(folder / "data", "postfix")
        # Of two lines for one parameter Postfix takes the last, and warns.
        (folder / "etc" / "main.cf").write_text(_MAIN.format(folder=folder) + settings)
        (folder / "etc" / "master.cf").write_text(_MASTER.format(port=self.port))
        self._run("start")
        try:
            self._wait()
        except BaseException:
            self.stop()
            raise

    def _run(self, word: str) -> None:
        done = subprocess.run(
            ["postfix", "-c", str(self.folder / "etc"), word], capture_output=True, text=True, check=False
        )
        log = self.folder / "log"
        assert done.returncode == 0, done.stderr + (log.read_text() if log.exists() else "")

    def _wait(self) -> None:
        for _ in range(200):
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 2) as client:
                if client.recv(3) == b"220":
                    return
            time.sleep(0.05)
        raise AssertionError((self.folder / "log").read_text())

    def queue(self) -> list[dict[str, Any]]:
        """What `postqueue -j` lists: `queue_name`, `queue_id`, `sender`, `recipients` of each message, each once.

        showq reads one folder after the other, so that a message moved between them meanwhile is listed twice.
        """
        done = subprocess.run(
            ["postqueue", "-c", str(self.folder / "etc"), "-j"], capture_output=True, text=True, check=True
        )
        listed = [json.loads(line) for line in done.stdout.splitlines()]
        return list({each["queue_id"]: each for each in listed}.values())

    def message(self, queue_id: str) -> str:
        """A message of the queue, as `postcat` shows it."""
        done = subprocess.run(
            ["postcat", "-c", str(self.folder / "etc"), "-q", queue_id], capture_output=True, text=True, check=True
        )
        return done.stdout

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End it."""
        self._run("stop")
