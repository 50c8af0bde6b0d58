"""As the container and the units run it: a file system that cannot be written but /data and /tmp, no capabilities, no
memory that is written and then executed. Needs root on Linux; elsewhere skipped by name.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# A new view of the same files, all of it read-only; only this process and its children see it.
_SEAL = r"""
set -e
mount --make-rprivate /
mkdir -p "$1/root" && mount --bind / "$1/root" && mount -o remount,bind,ro "$1/root"
for name in dev proc; do mount --rbind "/$name" "$1/root/$name"; done
mount -t tmpfs tmpfs "$1/root/tmp"
mount --bind "$2" "$1/root/mnt"
shift 2
exec chroot "$root" setpriv --bounding-set -all --inh-caps -all --no-new-privs "$@"
"""
# PR_SET_MDWE (65) of Linux 6.3, what MemoryDenyWriteExecute= of systemd.exec(5) asks for; an older kernel has none.
_RUN = """
import ctypes, os, sys
ctypes.CDLL(None).prctl(65, 1, 0, 0, 0)
os.chdir("/mnt")
os.execv(sys.executable, [sys.executable, "-m", "sidedoor", *sys.argv[1:]])
"""


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for the view, and the folder that may be written in it."""
    if sys.platform != "linux" or os.getuid() != 0 or not all(map(shutil.which, ("unshare", "setpriv", "mount"))):
        pytest.skip("a file system can be made read-only by root on Linux only")
    folder = tmp_path_factory.mktemp("sealed")
    (folder / "data").mkdir()
    if sealed(folder, "-c", "print()", python=[sys.executable]).returncode:
        pytest.skip("this machine lets nobody mount")
    return folder


def sealed(folder: Path, *words: str, python: list[str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run `sidedoor`, or something else, where nothing but `folder`/data can be written. It is /mnt there."""
    command = python or [sys.executable, "-c", _RUN]
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "src"), "HOME": "/tmp", "root": f"{folder}/root"}
    seal = ["unshare", "--mount", "sh", "-c", _SEAL, "seal", str(folder), str(folder / "data")]
    return subprocess.run(
        [*seal, *command, *words], env=env, capture_output=True, text=True, check=False, timeout=300
    )  # fmt: skip


def test_nothing_else_can_be_written(scratch: Path) -> None:
    done = sealed(scratch, "-c", f"open({str(ROOT / 'x')!r}, 'w')", python=[sys.executable])
    assert "Read-only file system" in done.stderr
    assert not (ROOT / "x").exists()


def test_audit_and_plan(scratch: Path) -> None:
    for words in (
        "demo export --rows 1000 --days 35", "audit export --dns export/zones -o report", "plan report", "doctor",
    ):  # fmt: skip
        done = sealed(scratch, *words.split())
        assert done.returncode == 0, done.stdout + done.stderr
    assert (scratch / "data" / "report" / "plan" / "plan.json").exists()


def test_watch_over_some_tenants(scratch: Path) -> None:
    for name in ("contoso.com", "fabrikam.com"):
        assert sealed(scratch, "init", name, "-o", f"tenants/{name}").returncode == 0
        settings = scratch / "data" / "tenants" / name / "sidedoor.toml"
        settings.write_text(settings.read_text("utf-8").replace("# offline = false", "offline = true"), "utf-8")
    done = sealed(
        scratch, *["watch", "tenants", "--once", "--jobs", "2", "--minutes", "5", "--results", "tenants/results.html"]
    )
    assert done.returncode == 0, done.stdout + done.stderr
    body = json.loads((scratch / "data" / "tenants" / "results.json").read_text("ascii"))
    assert body["totals"]["failed"] == 0
    assert body["totals"]["tenants"] == 2


def test_the_page_signs_in(scratch: Path) -> None:
    assert sealed(scratch, "init", "page.example").returncode == 0
    done = sealed(scratch, "web", "page.example", "--link")
    assert done.returncode == 0, done.stderr
    assert "/sign-in?token=" in done.stdout
