"""How fast the edge takes and refuses mail, beside Postfix, aiosmtpd and Postfix's smtp-sink in the same run.

    python benchmarks/edge.py [--quick] [--messages 8000] [--rounds 3]

Load by Postfix's smtp-source: 2 KB messages, 20 connections, at 1, 10 and 200 messages a connection. Each server is a
process of its own; the servers take turns, and medians of the rounds are told. Postfix's queue needs root; without it,
or without Postfix, those rows are left out and said so. Refusals are counted by a small client of our own, the same for
both, because smtp-source ends at the first refusal.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.audit.audit_kit import accepted_domain, write_settings

from gather.form import Bench
from gather.ports import free_port
from sidedoor.cli.edge_parts import loop_factory

PER_CONNECTION = (1, 10, 200)
CONNECTIONS = 20
SIZE = 2_000
SPOOLING = "--spooling-edge"
AIOSMTPD = """
import asyncio, sys
from aiosmtpd.smtp import SMTP
class Empty:
    async def handle_DATA(self, server, session, envelope):
        return "250 2.0.0 OK"
async def main():
    loop = asyncio.get_running_loop()
    handler = Empty()
    await loop.create_server(lambda: SMTP(handler, enable_SMTPUTF8=True), "127.0.0.1", int(sys.argv[1]), backlog=1024)
    await asyncio.Event().wait()
asyncio.run(main())
"""
MAIN_CF = """
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
mail_owner = postfix
setgid_group = postdrop
myhostname = mx.example
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
relay_domains = contoso.example
local_recipient_maps =
alias_maps =
default_transport = smtp
defer_transports = smtp, relay, local
smtpd_error_sleep_time = 0
smtpd_hard_error_limit = 1000000
smtpd_junk_command_limit = 1000000
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
smtpd_recipient_restrictions = {recipient}
smtpd_relay_restrictions = permit_mynetworks, reject
maillog_file_prefixes = {folder}
maillog_file = {folder}/log
"""
MASTER_CF = """
127.0.0.1:{port} inet n - n - 100 smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
smtp unix - - n - - smtp
relay unix - - n - - smtp
local unix - n n - - local
error unix - - n - - error
retry unix - - n - - error
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
"""


def wait_for(port: int) -> None:
    """Until somebody answers with a greeting."""
    for _ in range(600):
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 2) as client:
            if client.recv(10):
                return
        time.sleep(0.05)
    raise SystemExit(f"nobody answers on port {port}")


# -- servers -----------------------------------------------------------------------------------------------------------


@contextmanager
def process(command: Sequence[str], port: int) -> Iterator[int]:
    """A server as a process of its own."""
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
        try:
            wait_for(port)
            yield port
        finally:
            running.terminate()


def smtp_sink(_: Path) -> tuple[Sequence[str], int]:
    """Postfix's C server that throws everything away: the floor."""
    port = free_port()
    return (["smtp-sink", "-u", "nobody", f"127.0.0.1:{port}", "1024"] if os.getuid() == 0
            else ["smtp-sink", f"127.0.0.1:{port}", "1024"]), port  # fmt: skip


def aiosmtpd(_: Path) -> tuple[Sequence[str], int]:
    """The Python peer, with a handler that does nothing."""
    port = free_port()
    return [sys.executable, "-c", AIOSMTPD, str(port)], port


def edge(folder: Path, *options: str, rejects: bool = False) -> tuple[Sequence[str], int]:
    """`sidedoor edge`."""
    port = free_port()
    domains = [accepted_domain("contoso.example", Default=True)]
    tenant = write_settings(folder / f"tenant-{port}", domains, reject_direct_send=rejects)
    return [
        sys.executable,
        "-m",
        "sidedoor",
        "edge",
        "--tenant",
        str(tenant),
        "--listen",
        f"127.0.0.1:{port}",
        *options,
    ], port


def edge_with_spool(folder: Path) -> tuple[Sequence[str], int]:
    """With a spool whose courier waits, as Postfix's queue does here: this file, called with SPOOLING."""
    port = free_port()
    tenant = write_settings(folder / f"tenant-{port}", [accepted_domain("contoso.example", Default=True)])
    return [sys.executable, __file__, SPOOLING, str(tenant), str(port), str(folder / f"{port}.db")], port


def edge_refusing(folder: Path) -> tuple[Sequence[str], int]:
    """With RejectDirectSend on, writing its decisions down."""
    return edge(folder, "--log", str(folder / "decisions.jsonl"), rejects=True)


async def spooling_edge(tenant: Path, port: int, path: Path) -> None:
    """The edge as `sidedoor edge --spool` makes it, but for the courier."""
    from sidedoor.edge.current import Current
    from sidedoor.edge.door import Policy
    from sidedoor.edge.log import NoLog
    from sidedoor.edge.reception.keeper import Reception
    from sidedoor.edge.reception.stamps import Marks
    from sidedoor.edge.server import EdgeServer, Endpoint, Options
    from sidedoor.edge.settings import Source
    from sidedoor.edge.spool.spool import Spool

    current = Current(Source(tenant), lambda _: None)
    keeper = Reception(Spool(path), "edge.example", Marks.NONE, lambda: None)
    policy = Policy("edge.example", current.get, NoLog())
    server = EdgeServer(Options([Endpoint("127.0.0.1", port)]), policy, keeper, current, lambda _: None)
    await server.start()
    await server.run(signals=True)


@contextmanager
def postfix(folder: Path, *, refuses: bool = False) -> Iterator[int]:
    """An instance of its own that takes mail into its queue and leaves it there, or refuses every recipient."""
    port, home = free_port(), folder / f"postfix-{refuses}-{time.monotonic_ns()}"
    for name in ("etc", "queue", "data"):
        (home / name).mkdir(parents=True)
    shutil.chown(home / "data", "postfix")
    recipient = "reject" if refuses else "permit_mynetworks, reject"
    (home / "etc" / "main.cf").write_text(MAIN_CF.format(folder=home, recipient=recipient))
    (home / "etc" / "master.cf").write_text(MASTER_CF.format(port=port))
    command = ["postfix", "-c", str(home / "etc")]
    subprocess.run([*command, "start"], check=True, capture_output=True)
    try:
        wait_for(port)
        yield port
    finally:
        subprocess.run([*command, "stop"], check=False, capture_output=True)


# -- load --------------------------------------------------------------------------------------------------------------


def accepted_rate(port: int, messages: int, each: int) -> float:
    """Messages a second by smtp-source."""
    command = ["smtp-source", "-s", str(CONNECTIONS), "-m", str(messages), "-l", str(SIZE), "-f", "app@far.example",
               "-t", "desk@contoso.example", *(["-d"] if each > 1 else []), f"127.0.0.1:{port}"]  # fmt: skip
    if each > 1:
        # smtp-source has no count for a connection; -d keeps them to the end, so runs of `each` a connection are made.
        runs = max(1, messages // (CONNECTIONS * each))
        command[command.index("-m") + 1] = str(CONNECTIONS * each)
    else:
        runs = 1
    started = time.perf_counter()
    for _ in range(runs):
        subprocess.run(command, check=True, capture_output=True)
    return runs * (messages if each == 1 else CONNECTIONS * each) / (time.perf_counter() - started)


def refused_rate(port: int, refusals: int, each: int) -> float:
    """Refused recipients a second: direct sends, pipelined, over 20 connections at a time."""
    one = b"MAIL FROM:<scan@contoso.example>\r\nRCPT TO:<desk@contoso.example>\r\nRSET\r\n"

    async def connection(gate: asyncio.Semaphore) -> None:
        async with gate:
            reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
            await reader.readline()
            writer.write(b"EHLO load.example\r\n")
            while (await reader.readline())[3:4] == b"-":
                pass
            writer.write(one * each)
            said = bytearray()
            while said.count(b"\r\n") < 3 * each:
                said += await reader.read(1 << 20)
            assert sum(line.startswith(b"5") for line in said.split(b"\r\n")) == each
            writer.close()

    async def run() -> float:
        gate, started = asyncio.Semaphore(CONNECTIONS), time.perf_counter()
        await asyncio.gather(*(connection(gate) for _ in range(refusals // each)))
        return refusals / (time.perf_counter() - started)

    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        return runner.run(run())


# -- the table ---------------------------------------------------------------------------------------------------------


Server = Callable[[Path], tuple[Sequence[str], int]]
Rates = dict[int, list[float]]  # by messages a connection, one each round


@contextmanager
def started(folder: Path, server: Server | None, *, refuses: bool = False) -> Iterator[int]:
    """A server of ours or a peer; None is Postfix."""
    if server is None:
        with postfix(folder, refuses=refuses) as port:
            yield port
        return
    with process(*server(folder)) as port:
        yield port


def measure(
    folder: Path, servers: dict[str, Server | None], messages: int, rounds: int, *, refuses: bool = False
) -> dict[str, Rates]:
    """Rates by server and messages a connection; within a round every server has its turn."""
    load = refused_rate if refuses else accepted_rate
    rates: dict[str, Rates] = {name: {each: [] for each in PER_CONNECTION} for name in servers}
    for _ in range(rounds):
        for name, server in servers.items():
            with started(folder, server, refuses=refuses) as port:
                load(port, 200, 10)  # to warm up
                for each in PER_CONNECTION:
                    rates[name][each].append(load(port, messages, each))
    return rates


def tell(bench: Bench, what: str, ours: Rates, peer: str, theirs: Rates | None, *, goal: str) -> None:
    """The rates, beside the peer's of the same rounds if it could be measured."""
    for each in PER_CONNECTION:
        title = f"{what}, {each} a connection"
        if theirs is None:
            bench.tell(title, statistics.median(ours[each]), "/s")
        else:
            bench.tell_pairs(title, ours[each], "/s", peer, theirs[each], goal=goal)


def compare(bench: Bench, folder: Path, messages: int, rounds: int) -> None:
    """Everything in order."""
    queue = os.getuid() == 0 and shutil.which("postfix") is not None
    if not queue:
        bench.left_out("Postfix's own queue", "needs root and the package postfix")
    plain: dict[str, Server | None] = {"smtp-sink": smtp_sink, "aiosmtpd": aiosmtpd, "edge": edge}
    found = measure(folder, plain, messages, rounds)
    tell(bench, "taken", found["edge"], "aiosmtpd", found["aiosmtpd"], goal="edge-aiosmtpd")
    tell(bench, "taken", found["edge"], "smtp-sink", found["smtp-sink"], goal="edge-sink")
    peer: dict[str, Server | None] = {"Postfix": None} if queue else {}
    found = measure(folder, {"edge": edge_with_spool, **peer}, messages, rounds)
    tell(bench, "on disk", found["edge"], "Postfix's queue", found.get("Postfix"), goal="edge-spool")
    found = measure(folder, {"edge": edge_refusing, **peer}, messages, rounds, refuses=True)
    tell(bench, "refused", found["edge"], "Postfix, no delays", found.get("Postfix"), goal="edge-refusals")


def main() -> int:
    """Measure and tell."""
    bench = Bench(__file__, __doc__)
    bench.size("--messages", 8_000, quick=2_000)
    bench.size("--rounds", 3, quick=1)
    wanted = bench.options()
    if shutil.which("smtp-source") is None:
        bench.left_out("everything", "smtp-source is missing (Debian's package postfix)")
        return bench.end()
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        compare(bench, Path(name), wanted.messages, wanted.rounds)
    return bench.end()


if __name__ == "__main__":
    if sys.argv[1:2] == [SPOOLING]:
        home, number, spool = sys.argv[2:]
        with asyncio.Runner(loop_factory=loop_factory()) as serving:
            serving.run(spooling_edge(Path(home), int(number), Path(spool)))
    else:
        sys.exit(main())
