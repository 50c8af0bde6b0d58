"""Whoever runs a name server may answer what he likes; evaluation stays bounded in time, questions and memory."""

from __future__ import annotations

import time

from sidedoor.mailauth.memory import MemoryResolver
from sidedoor.mailauth.resolver import Answer, Failure, Kind, Records, fold
from sidedoor.mailauth.spf import SpfResult, SpfWarningId, compile_spf

_SECONDS = 20.0  # far above what is needed, far below what would hang an audit


class Endless:
    """Every name has a record that leads on to ever new names."""

    def __init__(self, record: str) -> None:
        self.record, self.asked = record, 0

    def lookup(self, name: object, kind: Kind) -> Answer:
        self.asked += 1
        if kind is Kind.TXT:
            return Records((self.record.replace("NAME", fold(str(name))[:60]).replace("N", str(self.asked)),))
        return Records(("10 x.example",) if kind is Kind.MX else ("192.0.2.1" if kind is Kind.A else "::1",))


def test_ever_new_includes_end_at_the_limit() -> None:
    world = Endless("v=spf1 include:aN.example include:bN.example include:cN.example mx redirect=dN.example")
    compiled = compile_spf("start.example", world)
    assert compiled.results() == {SpfResult.PERMERROR}
    assert world.asked < 200


def test_a_thousand_includes_ask_no_more_than_eleven_times() -> None:
    includes = " ".join(f"include:i{number}.example" for number in range(1000))
    others = {f"i{number}.example": {"TXT": ["v=spf1 ip4:198.51.100.1"]} for number in range(1000)}
    world = MemoryResolver({"start.example": {"TXT": [f"v=spf1 {includes} -all"]}, **others})
    compiled = compile_spf("start.example", world)
    assert compiled.evaluate("198.51.100.1").result is SpfResult.PASS
    assert compiled.evaluate("192.0.2.1").result is SpfResult.PERMERROR
    assert len(world.asked) <= 22


def test_a_record_as_large_as_dns_can_carry() -> None:
    octets = [(number // 256, number % 256) for number in range(0, 10_000, 2)]
    networks = " ".join(f"ip4:10.0.{high}.{low}" for high, low in octets)
    started = time.monotonic()
    compiled = compile_spf("start.example", MemoryResolver({"start.example": {"TXT": [f"v=spf1 {networks} -all"]}}))
    assert compiled.evaluate("10.0.1.0").result is SpfResult.PASS
    assert compiled.evaluate("10.0.1.1").result is SpfResult.FAIL
    assert len(compiled.networks()) == len(octets)
    assert time.monotonic() - started < _SECONDS


def test_records_that_branch_at_every_level_are_given_up() -> None:
    # Each included record fails one address early, so that something is always left that may look further.
    noise = " ".join(f"-ip4:10.{number % 250}.{number // 250}.1" for number in range(3_000))
    records = {
        f"l{level}.example": {
            "TXT": [f"v=spf1 -ip4:192.0.2.{level} {noise} " + f"include:l{level + 1}.example " * 10 + "?all"]
        }
        for level in range(12)
    }
    started = time.monotonic()
    compiled = compile_spf("l0.example", MemoryResolver(records))
    assert time.monotonic() - started < _SECONDS
    assert SpfResult.PASS not in compiled.results()
    assert {warning.id for warning in compiled.warnings} & {SpfWarningId.TOO_COMPLEX, SpfWarningId.MANY_LOOKUPS}


def test_what_needs_more_work_than_allowed_is_given_up_and_said_so() -> None:
    networks = " ".join(f"ip4:10.0.{number}.1" for number in range(200))
    world = MemoryResolver({"start.example": {"TXT": [f"v=spf1 {networks} -all"]}})
    compiled = compile_spf("start.example", world, max_steps=100)
    assert compiled.evaluate("10.0.1.1").result is SpfResult.PASS
    assert compiled.evaluate("10.0.199.1").result is SpfResult.UNDETERMINED
    assert compiled.evaluate("203.0.113.1").result is SpfResult.UNDETERMINED
    assert [warning.id for warning in compiled.warnings] == [SpfWarningId.TOO_COMPLEX]


def test_thousands_of_gaps_under_ten_terms_that_ask_dns() -> None:
    networks = " ".join(f"ip4:10.{n // 125}.{n % 125 * 2}.1" for n in range(5_000))
    odd = " ".join(f"-ip4:10.{n // 125}.{n % 125 * 2 + 1}.1" for n in range(5_000))
    inner = {f"i{n}.example": {"TXT": [f"v=spf1 {odd} ?a:i{n}.example ?all"], "A": ["192.0.2.1"]} for n in range(9)}
    includes = " ".join(f"?include:i{n}.example" for n in range(9))
    world = MemoryResolver({"start.example": {"TXT": [f"v=spf1 {networks} {includes} -all"]}, **inner})
    started = time.monotonic()
    compiled = compile_spf("start.example", world)
    assert compiled.evaluate("10.0.2.1").result is SpfResult.PASS
    assert compiled.evaluate("10.0.1.1").result is SpfResult.FAIL
    assert compiled.evaluate("203.0.113.1").result is SpfResult.PERMERROR
    assert time.monotonic() - started < _SECONDS


class Mute:
    """Never answers; says so at once, as a resolver does whose time is spent."""

    def lookup(self, name: object, kind: Kind) -> Answer:
        return Failure(f"no answer for {kind} of {name}", temporary=True)


def test_a_name_server_that_never_answers_is_no_absent_record() -> None:
    assert compile_spf("start.example", Mute()).results() == {SpfResult.TEMPERROR}


def test_records_full_of_junk() -> None:
    for junk in ("v=spf1 " + "a" * 60_000, "v=spf1 " + "%{d}" * 10_000 + ".x", "v=spf1 a:" + "x." * 30_000 + "example"):
        compiled = compile_spf("start.example", MemoryResolver({"start.example": {"TXT": [junk]}}))
        assert compiled.evaluate("192.0.2.1").result in {SpfResult.PERMERROR, SpfResult.NEUTRAL}
        assert all(len(warning.text) < 100_000 for warning in compiled.warnings)
