"""Figures for Prometheus: what is not known has no sample, and code, documentation and dashboard name the same."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families
from promql_parser import parse

from sidedoor.errors import OutputError, UsageError
from sidedoor.mail.fact import Unknown
from sidedoor.policy.decision import Submission
from sidedoor.store.model import Delivery, DeliveryState, Occasion
from sidedoor.tenant.snapshot import TenantSnapshot
from sidedoor.watch.metrics import CONTENT_TYPE, METRICS, TenantFigures, figures_of, render, write_textfile
from sidedoor.watch.sight import BounceSight, CertificateSight, Sight, dns_source
from tests.watch.channel_kit import ALERT, AT

ROOT = Path(__file__).parents[2]
DASHBOARD: dict[str, Any] = json.loads((ROOT / "deploy" / "grafana-dashboard.json").read_text(encoding="utf-8"))
FULL = TenantFigures(
    "contoso.example",
    reject_direct_send=False,
    senders={"legitimate": 3, "spoofing": 1},
    would_reject={"legitimate": 40},
    messages={"direct-send": 44, "internet": 100},
    alerts={("serious", "sender-new"): 2},
    last_run=AT,
    last_success=AT - timedelta(hours=1),
    last_duration=1.5,
    history_until=AT - timedelta(hours=4),
    history_rows=90_000_000,
    history_days=90,
    sources={"history": False, "bounces": True},
    deliveries={("siem", "due"): 1, ("mail", "given-up"): 2},
    certificates={("hybrid", "mail.contoso.example:25"): AT + timedelta(days=20)},
    certificates_unread=0,
    bounces={"5.7.68": 7},
    runs={"done": 10, "failed": 1},
)
SIGHT = Sight(AT, None, None, (), TenantSnapshot(), {})


def samples(*figures: TenantFigures) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Every sample of the rendered text, read by Prometheus' own reader."""
    families = text_string_to_metric_families(render(figures).decode("utf-8"))
    found = [sample for family in families for sample in family.samples]
    told = {(sample.name, tuple(sorted(sample.labels.items()))): sample.value for sample in found}
    assert len(told) == len(found)
    return told


def value(name: str, **labels: str) -> float | None:
    """One sample of the full figures."""
    wanted = (f"sidedoor_{name}", tuple(sorted({"tenant": "contoso.example", **labels}.items())))
    return samples(FULL).get(wanted)


def test_every_metric_has_a_sample_and_a_type() -> None:
    names = {name for name, _ in samples(FULL)}
    assert names == {row.full_name for row in METRICS}
    families = {family.name: family for family in text_string_to_metric_families(render([FULL]).decode())}
    for row in METRICS:
        family = families[f"sidedoor_{row.name}"]
        assert family.type == ("counter" if row.counter else "gauge")
        assert family.documentation == row.help
        assert all(set(sample.labels) == {"tenant", *row.labels} for sample in family.samples)


def test_values_are_what_was_given() -> None:
    assert value("direct_send_open") == 1
    assert value("direct_send_unknown") == 0
    assert value("history_rows") == 90_000_000
    assert value("alerts_open", severity="serious", kind="sender-new") == 2
    assert value("last_run_timestamp_seconds") == AT.timestamp()
    assert (
        value("certificate_not_after_timestamp_seconds", connector="hybrid", where="mail.contoso.example:25")
        == (AT + timedelta(days=20)).timestamp()
    )
    assert value("runs_total", outcome="done") == 10


def test_what_is_not_known_has_no_sample() -> None:
    told = samples(TenantFigures("contoso.example"))
    assert {name for name, _ in told} == {"sidedoor_direct_send_unknown"}
    assert list(told.values()) == [1]


@pytest.mark.parametrize(("reject", "open_"), [(True, 0.0), (False, 1.0), (Unknown("x"), None)])
def test_the_door_is_open_closed_or_not_known(reject: Any, open_: float | None) -> None:
    told = samples(replace(FULL, reject_direct_send=reject))
    key = (("tenant", "contoso.example"),)
    assert told.get(("sidedoor_direct_send_open", key)) == open_
    assert told["sidedoor_direct_send_unknown", key] == float(open_ is None)


def test_tenants_stand_side_by_side() -> None:
    told = samples(FULL, replace(FULL, tenant="fabrikam.example", reject_direct_send=True))
    assert told["sidedoor_direct_send_open", (("tenant", "contoso.example"),)] == 1
    assert told["sidedoor_direct_send_open", (("tenant", "fabrikam.example"),)] == 0


@given(st.text(max_size=300), st.text(max_size=300))
def test_no_label_breaks_out(tenant: str, connector: str) -> None:
    figures = TenantFigures(tenant, certificates={(connector, "x"): datetime(2027, 1, 1, tzinfo=UTC)})
    (found,) = [labels for name, labels in samples(figures) if name.startswith("sidedoor_certificate")]
    clean = [text[:200].encode("utf-16", "surrogatepass").decode("utf-16", "replace") for text in (connector, tenant)]
    assert dict(found) == {"connector": clean[0], "tenant": clean[1], "where": "x"}


def test_figures_of_a_run() -> None:
    sight = replace(
        SIGHT,
        snapshot=TenantSnapshot(reject_direct_send=True),
        history_until=AT,
        certificates=(CertificateSight("hybrid", ("mail.contoso.example",), AT, "file.pem"),),
        bounces=(
            BounceSight("k", AT, "5.7.68", "a@x", "b@x", "h", ""),
            BounceSight("l", AT, "5.7.51", "a@x", "b@x", "h", ""),
        ),
        untold={dns_source("contoso.example"): "time-out", "bounces": "no right"},
    )
    over = replace(ALERT, id="alert-2", recovered_at=AT)
    deliveries = [Delivery(state.value, "alert-1", Occasion.RAISED, "mail", state, AT) for state in DeliveryState]
    found = figures_of("contoso.example", sight, {Submission.DIRECT_SEND: 5}, [ALERT, over], deliveries)
    assert found.reject_direct_send is True
    assert found.messages == {"direct-send": 5}
    assert found.alerts == {("serious", "sender-new"): 1}
    assert {source for source, untold in found.sources.items() if untold} == {"dns", "bounces"}
    assert len(found.sources) == 7
    assert found.deliveries == {("mail", state): 1 for state in ("due", "sending", "sent", "given-up")}
    assert found.bounces == {"5.7.68": 1, "5.7.51": 1}
    assert found.certificates == {("hybrid", "file.pem"): AT}


def test_a_text_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "sidedoor.prom"
    write_textfile(path, [FULL])
    first = path.read_bytes()
    assert first == render([FULL])
    write_textfile(path, [replace(FULL, history_days=91)])
    assert path.read_bytes() != first
    assert [each.name for each in tmp_path.iterdir()] == ["sidedoor.prom"]


def test_a_file_that_cannot_be_written_is_our_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot be written"):
        write_textfile(tmp_path / "none" / "sidedoor.prom", [FULL])
    with pytest.raises(UsageError, match=r"\.prom"):
        write_textfile(tmp_path / "sidedoor.txt", [FULL])


def test_the_page_names_the_same() -> None:
    page = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(sidedoor_\w+)` \| (\w+) \|(.*?)\| (.+) \|$", page, re.MULTILINE)
    assert [(name, kind, labels.strip(), what) for name, kind, labels, what in rows] == [
        (
            row.full_name,
            "counter" if row.counter else "gauge",
            ", ".join(f"`{label}`" for label in row.labels),
            row.help,
        )
        for row in METRICS
    ]
    assert set(re.findall(r"sidedoor_[a-z_]+", page)) == {row.full_name for row in METRICS}
    assert "0.0.4" in CONTENT_TYPE


def test_the_rules_of_the_page_are_promql() -> None:
    page = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    rules = page.partition("## Rules worth having")[2].partition("```\n")[2].partition("```")[0].splitlines()
    assert len(rules) == 4
    for rule in rules:
        parse(rule)


def panels() -> list[dict[str, Any]]:
    """The dashboard's panels."""
    return list(DASHBOARD["panels"])


def test_the_dashboard_shows_every_metric_and_no_other() -> None:
    shown = {
        name
        for panel in panels()
        for target in panel["targets"]
        for name in re.findall(r"sidedoor_\w+", target["expr"])
    }
    assert shown == {row.full_name for row in METRICS}


def test_labels_in_the_dashboard_are_those_of_the_metric() -> None:
    labels = {row.full_name: {"tenant", *row.labels} for row in METRICS}
    for panel in panels():
        for target in panel["targets"]:
            (name,) = set(re.findall(r"sidedoor_\w+", target["expr"]))
            used = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
            for by in re.findall(r"by \(([\w, ]+)\)", target["expr"]):
                used |= set(by.split(", "))
                assert set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])) <= set(by.split(", "))
            assert used <= labels[name], panel["title"]


def test_the_dashboard_is_a_dashboard() -> None:
    assert {"title", "uid", "schemaVersion", "panels", "templating", "time"} <= set(DASHBOARD)
    variables = {each["name"]: each for each in DASHBOARD["templating"]["list"]}
    assert variables["datasource"]["type"] == "datasource"
    assert variables["tenant"]["query"]["query"] == "label_values(sidedoor_direct_send_unknown, tenant)"
    identities = [panel["id"] for panel in panels()]
    assert len(set(identities)) == len(identities)
    taken: set[tuple[int, int]] = set()
    for panel in panels():
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken, panel["title"]
        taken |= cells
        assert panel["type"] in {"stat", "timeseries", "table", "bargauge"}
        assert panel["title"]
        assert panel["targets"]
        for target in panel["targets"]:
            assert target["datasource"] == panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
            assert 'tenant=~"$tenant"' in target["expr"]
            parse(target["expr"])
        references = [target["refId"] for target in panel["targets"]]
        assert len(set(references)) == len(references)
