"""What a page shows of a terminal (```console blocks) is typed and compared, in a world made for the page.

Lines that begin with `$ ` are typed, the lines below are what must come; `…` stands for anything within a line, and on
a line of its own for any lines. A command must end with exit code 0 unless `$ echo $?` below it shows another. One that
ends in ` &` runs until the page ends. Ports of 127.0.0.1 are replaced by free ones.

    python -m tests.docs.console docs/howto/plan.md     prints what the commands of a page say today
"""

from __future__ import annotations

import io
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path

from sidedoor.cli.main import main
from tests.ports import free_port

ROOT = Path(__file__).parents[2]
SECONDS = 60
_BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_SHELL = re.compile(r"[|&;<>$`(){}*?\n\\\"']")
_PORT = re.compile(r"127\.0\.0\.1:(\d+)")


@dataclass(frozen=True)
class Typed:
    """A command and what a page shows below it."""

    command: str
    shown: str

    @property
    def behind(self) -> bool:
        """Whether it goes on in the background."""
        return self.command.endswith(" &")


def world_of(page: str) -> str:
    """The world a page is played in: `<!-- world: NAME -->`, else the invented tenant, audited and planned."""
    found = re.search(r"<!-- world: ([a-z]+) -->", page)
    return found[1] if found else "planned"


def typed(page: str) -> list[Typed]:
    """The commands of a page, in order."""
    found: list[Typed] = []
    for block in _BLOCK.findall(page):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            lines = part.splitlines()
            last = next(n for n, line in enumerate(lines) if not line.endswith("\\") or n == len(lines) - 1)
            if here := re.search(r"<<'?(\w+)'?", lines[0]):
                last = lines.index(here[1])
            found.append(Typed("\n".join(lines[: last + 1]), "\n".join(lines[last + 1 :])))
    return found


def pattern(shown: str) -> re.Pattern[str]:
    """What output fits what a page shows."""
    parts = []
    for line in shown.splitlines():
        if line.strip() in {"…", "..."}:
            parts.append(r"(?:.*\n)*?")
        else:
            parts.append(".*".join(re.escape(part) for part in line.rstrip().split("…")) + r"\n")
    return re.compile("".join(parts))


def fits(shown: str, said: str) -> bool:
    """Whether `said` is what the page shows."""
    lines = [line.rstrip() for line in said.splitlines()]
    return pattern(shown).fullmatch("".join(f"{line}\n" for line in lines)) is not None


@dataclass
class Terminal:
    """A folder to type in, and what it remembers: the last exit code, ports, processes in the background."""

    folder: Path
    code: int = 0
    ports: dict[str, str] = field(default_factory=dict)
    behind: list[subprocess.Popen[bytes]] = field(default_factory=list)
    variables: dict[str, str] = field(default_factory=dict)

    def environment(self) -> Mapping[str, str]:
        """80 columns, no colours, `sidedoor` of this tree, and a token as the twin has it."""
        return os.environ | {
            "COLUMNS": "80",
            "NO_COLOR": "1",
            "TERM": "dumb",
            "PYTHONPATH": str(ROOT / "src"),
            "PATH": f"{self._shims()}{os.pathsep}{os.environ['PATH']}",
            **self.variables,
        }

    def run(self, command: Typed) -> str:
        """Type it; what was said."""
        if command.command == "echo $?":
            return f"{self.code}\n"
        if command.behind:
            return self._start(command)
        text = _PORT.sub(lambda found: f"127.0.0.1:{self.port(found[1])}", command.command)
        if exported := re.match(r"export (\w+)=", text):
            text += f'; printf %s "${exported[1]}"'
            self.variables[exported[1]] = self._in_shell(text)
            return ""
        if text.startswith("sidedoor ") and not _SHELL.search(text):
            return self._ported(self._in_process(text.split()[1:]))
        return self._ported(self._in_shell(text))

    def _in_shell(self, text: str) -> str:
        done = subprocess.run(
            ["bash", "-c", text],
            cwd=self.folder,
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=SECONDS,
            check=False,
        )
        self.code = done.returncode
        return done.stdout.decode("utf-8", "replace")

    def port(self, shown: str) -> str:
        """A free port in place of the one that a page shows."""
        if shown not in self.ports:
            self.ports[shown] = str(free_port())
        return self.ports[shown]

    def close(self) -> None:
        """End what still runs."""
        for process in self.behind:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(30)

    def _in_process(self, arguments: list[str]) -> str:
        out = io.StringIO()
        kept, before = dict(os.environ), Path.cwd()
        try:
            os.environ.update(self.environment())
            os.chdir(self.folder)
            with redirect_stdout(out), redirect_stderr(out):
                self.code = main(arguments)
        finally:
            os.chdir(before)
            os.environ.clear()
            os.environ.update(kept)
        return out.getvalue()

    def _start(self, command: Typed) -> str:
        text = _PORT.sub(lambda found: f"127.0.0.1:{self.port(found[1])}", command.command.removesuffix(" &"))
        path = self.folder / f".behind-{len(self.behind)}"
        with path.open("wb") as out:
            process = subprocess.Popen(
                ["bash", "-c", f"exec {text}"],
                cwd=self.folder,
                env=self.environment(),
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        self.behind.append(process)
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline and process.poll() is None:
            said = self._ported(path.read_text("utf-8", "replace"))
            if command.shown and fits(command.shown, said):
                break
            time.sleep(0.1)
        self.code = process.poll() or 0
        return self._ported(path.read_text("utf-8", "replace"))

    def _ported(self, said: str) -> str:
        """The ports as the page shows them."""
        shown = {port: name for name, port in self.ports.items()}
        return _PORT.sub(lambda found: f"127.0.0.1:{shown.get(found[1], found[1])}", said)

    def _shims(self) -> Path:
        folder = self.folder.parent / f"{self.folder.name}-bin"
        if not folder.exists():
            folder.mkdir()
            shim = folder / "sidedoor"
            shim.write_text(f'#!/bin/sh\nexec {sys.executable} -m sidedoor "$@"\n', encoding="utf-8")
            shim.chmod(0o755)
        return folder


def missing_tools(commands: list[Typed]) -> list[str]:
    """Programs that the page types and this machine lacks."""
    words = {word for each in commands for word in re.findall(r"(?:^|\| )([a-z][\w.-]*)", each.command)}
    return sorted(word for word in words - {"sidedoor", "echo", "export", "for"} if shutil.which(word) is None)


@contextmanager
def terminal(folder: Path) -> Iterator[Terminal]:
    """A terminal in a folder."""
    made = Terminal(folder)
    try:
        yield made
    finally:
        made.close()


def _show(path: Path) -> None:
    from tempfile import TemporaryDirectory

    from tests.docs.worlds import make_world

    page = path.read_text(encoding="utf-8")
    with TemporaryDirectory() as scratch:
        folder = Path(scratch) / "here"
        make_world(world_of(page), folder)
        with terminal(folder) as here:
            for each in typed(page):
                said = here.run(each)
                mark = "" if fits(each.shown, said) else "   # differs from the page"
                code = f"# exit code {here.code}\n" if here.code else ""
                sys.stdout.write(f"$ {each.command}{mark}\n{said}{code}")


if __name__ == "__main__":
    _show(Path(sys.argv[1]))
