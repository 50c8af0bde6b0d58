"""What is handed out: wheel, sdist, SBOM and checksums, in build/dist; and the wheel tried in an empty environment.

    python scripts/release.py

It publishes nothing. It stops where the changelog has no dated heading for this version, and where the wheel, in an
environment with nothing else, does not do the main job: an audit of the invented tenant. The same commit gives the same
wheel, octet for octet: times in it are the commit's.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DIST = ROOT / "build" / "dist"
# What a server or a provider runs: everything but what is for tests and for the site.
EXTRAS = "edge,live,postgresql,watch,web,xlsx"


def main() -> int:
    """All of it, in order."""
    version = version_of_changelog()
    shutil.rmtree(DIST, ignore_errors=True)
    build(DIST)
    wheel = next(DIST.glob("*.whl"))
    if wheel.name.split("-")[1] != version:
        raise SystemExit(f"release: the changelog ends with {version}, the wheel is {wheel.name}")
    with tempfile.TemporaryDirectory(prefix="release-") as scratch:
        python = empty(Path(scratch) / "venv")
        print(f"  the wheel alone: {installed(python, str(wheel)):.1f} s, {packages(python)} packages", flush=True)
        for line in tried(python, Path(scratch)):
            print(f"  {line}", flush=True)
        installed(python, f"{wheel}[{EXTRAS}]")
        print(f"  with all extras for a server: {packages(python)} packages", flush=True)
        print(f"  {sbom(python, DIST / f'sidedoor-{version}.cdx.json', version)}", flush=True)
    for line in sums(DIST):
        print(f"  {line}")
    print(f"Release {version} lies in {DIST.relative_to(ROOT)}. Nothing was published.")
    return 0


def version_of_changelog() -> str:
    """The newest version that the changelog has. It must have a day."""
    for line in (ROOT / "CHANGELOG.md").read_text("utf-8").splitlines():
        if found := re.fullmatch(r"## \[(\d+\.\d+\.\d+)\] - (\d{4}-\d\d-\d\d)", line):
            return found[1]
        if line.startswith("## [") and line != "## [Unreleased]":
            raise SystemExit(f"release: CHANGELOG.md: {line!r}; expected '## [1.2.3] - 2026-11-28'")
    raise SystemExit("release: CHANGELOG.md names no version")


def build(out: Path) -> None:
    """Wheel and sdist. The wheel is made of the sdist, so that the sdist is known to be whole."""
    call(sys.executable, "-m", "build", "--outdir", str(out), str(ROOT), env={**os.environ, **_times()})


def _times() -> dict[str, str]:
    asked = ["git", "-C", str(ROOT), "log", "-1", "--format=%ct"]
    try:
        done = subprocess.run(asked, capture_output=True, text=True, check=False, timeout=60)
    except OSError:
        return {}
    return {"SOURCE_DATE_EPOCH": done.stdout.strip()} if done.returncode == 0 else {}


def empty(folder: Path) -> Path:
    """The Python of an environment with nothing in it, not even pip: an SBOM must not name what only installs."""
    call(sys.executable, "-m", "venv", "--without-pip", str(folder))
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def installed(python: Path, what: str) -> float:
    """Seconds to install something into an environment."""
    began = time.perf_counter()
    call(sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", what)
    return time.perf_counter() - began


def packages(python: Path) -> int:
    """How many are in an environment."""
    listed = call(sys.executable, "-m", "pip", "--python", str(python), "list", "--format", "json")
    return len(json.loads(listed))


def tried(python: Path, scratch: Path) -> list[str]:
    """What the installed command says of itself, of this machine, and of the invented tenant."""
    sidedoor = python.with_name("sidedoor" + python.suffix)

    def run(words: str) -> str:
        return call(sidedoor, *words.split(), cwd=scratch, env={"PATH": str(sidedoor.parent), "HOME": str(scratch)})

    version, doctor = run("--version"), run("doctor --for audit,plan,check,explain,spf,probe")
    run("demo demo --rows 5000 --days 35")
    audit = run("audit demo --dns demo/zones -o report")
    report = json.loads((scratch / "report" / "report.json").read_text("ascii"))
    if report["coverage"]["messages"] < 1 or not report["senders"]:
        raise SystemExit(f"release: the audit of the installed wheel came to nothing: {audit}")
    return [version.strip(), doctor.strip().splitlines()[-1], audit.strip().splitlines()[0]]


def sbom(python: Path, path: Path, version: str) -> str:
    """Write CycloneDX, of the environment that a server gets. Returns what is in it, in words."""
    tool = ["cyclonedx_py", "environment", "--pyproject", str(ROOT / "pyproject.toml"), "--mc-type", "application"]
    call(sys.executable, "-m", *tool, "--output-reproducible", "--of", "JSON", "-o", str(path), str(python))
    body = json.loads(path.read_text("utf-8"))
    body["metadata"]["component"]["version"] = version  # pyproject.toml leaves it to the source
    path.write_text(json.dumps(body, indent=1) + "\n", "utf-8")
    parts = body["components"]
    licensed = sum("licenses" in each for each in parts)
    if not parts or any("version" not in each for each in parts):
        raise SystemExit(f"release: {path.name} lacks versions")
    return f"CycloneDX {body['specVersion']}: {len(parts)} components, {licensed} with their licences"


def sums(folder: Path) -> list[str]:
    """Write SHA256SUMS as `sha256sum -c` takes it, and return its lines."""
    files = sorted(path for path in folder.iterdir() if path.name != "SHA256SUMS")
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}" for path in files]
    (folder / "SHA256SUMS").write_text("".join(f"{line}\n" for line in lines), "ascii")
    return lines


def call(*command: str | Path, cwd: Path = ROOT, env: dict[str, str] | None = None) -> str:
    """What a command prints. Ends with what it said where it fails."""
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=1_800)
    if done.returncode:
        raise SystemExit(
            f"release: {' '.join(map(str, command))}: exit code {done.returncode}\n{done.stdout}{done.stderr}"
        )
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
