"""A what-if adds up what the door says to each flow: held against asking flow by flow, with every set of connectors."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import chain, combinations
from pathlib import Path

import pytest

from sidedoor.plan.door import AS_IT_WAS, Coming, door_with, outcome_of
from sidedoor.plan.model import ConnectorProposal
from sidedoor.plan.what_if import WhatIf, classes_with
from sidedoor.report import tenant_json, whatif_json
from tests.web.world import make_tenant

pytestmark = pytest.mark.xdist_group("what-if")  # what the module makes once is made by one worker


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tenant(tmp_path_factory.mktemp("what-if") / "w", rows=600, days=8).report


def by_hand(
    kept: whatif_json.Kept, settings: tenant_json.KeptSettings, reject: bool, chosen: list[ConnectorProposal]
) -> dict[str, tuple[Counter[str], Counter[str]]]:
    """Sender -> outcomes today, and then, message by message."""
    snapshot, classes = settings.snapshot, classes_with(settings.snapshot, kept.proposals)
    today = door_with(snapshot, settings.switches, classes, (), kept.filters, reject=snapshot.reject_direct_send)
    then = door_with(snapshot, settings.switches, classes, chosen, kept.filters, reject=reject)
    shows = {
        sender: each.settings.certificate_name
        for each in chosen if each.settings.certificate_name and not each.lockdown for sender in each.senders
    }  # fmt: skip
    found: dict[str, tuple[Counter[str], Counter[str]]] = {}
    for flow in kept.flows:
        name = shows.get(flow.sender)
        coming = Coming(certificate=name) if name and flow.key.tls != 0 else AS_IT_WAS
        before, after = found.setdefault(flow.sender, (Counter(), Counter()))
        before[outcome_of(today.decide(flow.key))] += flow.messages
        after[outcome_of(then.decide(flow.key, coming))] += flow.messages
    return found


def test_it_adds_up_what_the_door_says(folder: Path) -> None:
    kept, settings = whatif_json.read(folder / "plan"), tenant_json.read(folder)
    assert kept is not None
    assert kept.proposals
    asked = whatif_json.what_if(kept, settings.snapshot, settings.switches)
    everything = chain.from_iterable(combinations(kept.proposals, n) for n in range(len(kept.proposals) + 1))
    for chosen in everything:
        for reject in (True, False):
            answer = asked.answer(reject=reject, connectors=[each.name for each in chosen])
            expected = by_hand(kept, settings, reject, list(chosen))
            assert {each.sender for each in answer.senders} == expected.keys()
            for each in answer.senders:
                before, after = expected[each.sender]
                for tally, counts in ((each.today, before), (each.then, after)):
                    assert Counter(
                        accepted=tally.accepted, refused=tally.refused, undetermined=tally.undetermined
                    ) == counts  # fmt: skip
                assert sum(each.codes.values()) == each.then.refused
            assert answer.then.messages == answer.today.messages == asked.messages


def test_a_sender_that_shows_its_certificate_gets_in(folder: Path) -> None:
    """A connector by certificate is answered as if its senders showed it, where they may have used TLS."""
    kept, settings = whatif_json.read(folder / "plan"), tenant_json.read(folder)
    assert kept is not None
    one = next(each for each in kept.proposals if not each.lockdown)
    by_name = replace(
        one, name="By certificate", settings=replace(
            one.settings, addresses=(), certificate_name="mail.contoso.com", restrict_to_addresses=False,
            restrict_to_certificate=True, require_tls=True,
        ),
    )  # fmt: skip
    changed = replace(kept, proposals=(*kept.proposals, by_name), flows=tuple(
        replace(flow, key=replace(flow.key, tls=1 if flow.key.tls else flow.key.tls)) for flow in kept.flows
    ))  # fmt: skip
    asked = WhatIf(settings.snapshot, settings.switches, changed.proposals, changed.flows)
    answer = {each.sender: each for each in asked.answer(reject=True, connectors=["By certificate"]).senders}
    for sender, (_, after) in by_hand(changed, settings, True, [by_name]).items():
        assert answer[sender].then.accepted == after["accepted"]
        assert answer[sender].then.refused == after["refused"]
