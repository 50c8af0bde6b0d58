"""The units and the Containerfile: what they name exists, and what they start would run."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from sidedoor.doctor.features import known_names
from tests.docs.kit import complaint

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
SERVICES = sorted(DEPLOY.glob("*.service"))
PROGRAM = "/opt/sidedoor/bin/sidedoor"


def keys(unit: Path) -> dict[str, list[str]]:
    """Every setting of a unit, with all its values."""
    found: dict[str, list[str]] = {}
    for line in unit.read_text("utf-8").splitlines():
        if match := re.fullmatch(r"([A-Za-z]+)=(.*)", line):
            found.setdefault(match[1], []).append(match[2])
    return found


def instructions() -> list[tuple[str, str]]:
    """The lines of the Containerfile: instruction and the rest, continued lines joined."""
    lines = re.sub(r"\\\n\s*", "", (DEPLOY / "Containerfile").read_text("utf-8")).splitlines()
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in lines if line and line[0] != "#")]


@pytest.mark.parametrize("unit", SERVICES, ids=lambda path: path.name)
def test_what_a_unit_starts_would_run(unit: Path) -> None:
    (line,) = keys(unit)["ExecStart"]
    assert line.startswith(f"{PROGRAM} ")
    assert complaint("sidedoor " + re.sub(r"\$\w+", "", line.removeprefix(PROGRAM))) == ""


@pytest.mark.parametrize("unit", SERVICES, ids=lambda path: path.name)
def test_a_unit_is_not_roots_and_writes_in_one_place(unit: Path) -> None:
    found = keys(unit)
    assert found.get("User", []) == ["sidedoor"] or found["DynamicUser"] == ["yes"]
    assert (found["ProtectSystem"], found["NoNewPrivileges"]) == (["strict"], ["yes"])
    assert len(found["StateDirectory"]) == 1
    written = re.findall(r"/var/\w+/([\w-]+)", " ".join(found["ExecStart"]))
    assert set(written) == {found["StateDirectory"][0], *found.get("LogsDirectory", [])}


def test_the_unit_s_user_is_the_one_that_is_made() -> None:
    (line,) = (each for each in (DEPLOY / "sidedoor.sysusers").read_text().splitlines() if not each.startswith("#"))
    kind, name, _, _, home = shlex.split(line)
    assert (kind, name, home) == (
        "u",
        "sidedoor",
        f"/var/lib/{keys(DEPLOY / 'sidedoor-watch.service')['StateDirectory'][0]}",
    )


def test_systemd_takes_all_units(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    program = Path(sys.executable).with_name("sidedoor")
    for unit in [*SERVICES, *DEPLOY.glob("*.timer")]:
        text = unit.read_text("utf-8").replace(PROGRAM, str(program) if program.exists() else "/bin/true")
        (tmp_path / unit.name).write_text(text, "utf-8")
    done = subprocess.run(
        ["systemd-analyze", "verify", *map(str, sorted(tmp_path.iterdir()))],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    # Where systemd does not run it complains of directories, not of units.
    ours = [line for line in done.stderr.splitlines() if "sidedoor" in line]
    assert ours == []
    (tmp_path / "sidedoor-web.service").write_text("[Service]\nExecStart=relative\nNonsense=yes\n")
    done = subprocess.run(
        ["systemd-analyze", "verify", str(tmp_path / "sidedoor-web.service")],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert "sidedoor-web.service" in done.stderr  # it would have said so


def test_the_image_is_made_of_what_is_there() -> None:
    copied = [rest.split()[:-1] for word, rest in instructions() if word == "COPY" and "--from" not in rest]
    named = [name for names in copied for name in names]
    assert {"pyproject.toml", "src"} <= set(named)
    assert [name for name in named if not (ROOT / name).exists()] == []
    let_through = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert let_through == set(named)


def test_the_image_has_all_extras_for_users_and_asks_the_doctor() -> None:
    extras = set(tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"])
    run = " ".join(rest for word, rest in instructions() if word == "RUN")
    installed = re.search(r'"\.\[([\w,]+)\]"', run)
    assert installed is not None
    assert set(installed[1].split(",")) <= extras
    assert {"edge", "watch", "web", "postgresql", "xlsx"} <= set(installed[1].split(","))
    asked = re.search(r"doctor --for ([\w,]+)", run)
    assert asked is not None
    assert set(asked[1].split(",")) <= set(known_names())


def test_the_image_is_not_roots_and_starts_sidedoor() -> None:
    last = instructions()[max(n for n, (word, _) in enumerate(instructions()) if word == "FROM") :]
    found = dict(last)
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", found["USER"])
    assert found["ENTRYPOINT"] == '["sidedoor"]'
    assert "RUN" not in found  # nothing is installed beside what the first stage made
