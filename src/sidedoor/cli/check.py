"""`sidedoor check`: what Exchange Online does with a message at the door, by the tenant's exported settings."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import reduce
from pathlib import Path
from typing import IO, TextIO

import click

from sidedoor.cli.output import printable
from sidedoor.cli.question import (
    MAX_LINE,
    JsonObject,
    Question,
    QuestionError,
    answer,
    load_line,
    parse_question,
)
from sidedoor.errors import InputError, UsageError
from sidedoor.mail.fact import Unknown
from sidedoor.policy.decision import Certainty, Decision, Submission, Verdict
from sidedoor.policy.reasons import explain
from sidedoor.policy.rule import Rule, compile_rule
from sidedoor.policy.switches import SWITCHES, SwitchError, Switches, with_switches
from sidedoor.tenant.snapshot import MailExchanger, TenantSnapshot

EXIT_NO, EXIT_INPUT = 1, 3


def _switch_help() -> str:
    rows = [f"{row.name}={'|'.join(row.values)} (default {row.default})" for row in SWITCHES]
    return "How to read an open question, repeatable. One of: " + "; ".join(rows) + "."


@click.command("check")
@click.option("--tenant", required=True, type=click.Path(path_type=Path), help="Folder or file of the tenant export.")
@click.option("--from", "mail_from", help="Envelope sender (5321.MailFrom); <> for the null reverse-path.")
@click.option("--to", "rcpt_to", multiple=True, help="Recipient; repeatable.")
@click.option("--ip", "client_ip", help="Address of the client that connects.")
@click.option("--helo", help="What the client says in EHLO.")
@click.option("--tls", "tls_version", help="TLS version, such as TLS1.2; without it (and without a name) no TLS.")
@click.option("--tls-cert-name", "names", multiple=True, help="DNS name on the client's certificate; repeatable.")
@click.option("--auth", "login", help="User the client logged in as.")
@click.option("--header-from", help="Header From (5322.From); RejectDirectSend does not look at it.")
@click.option("--batch", help="Questions as JSON lines, from a file or - ; answers as JSON lines in the same order.")
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON, as --batch does.")
@click.option("--switch", "switches", multiple=True, metavar="NAME=VALUE", help=_switch_help())
@click.option(
    "--assume-reject-direct-send", "assumed", type=click.Choice(["on", "off"]), help="Decide as if it were on, or off."
)
@click.option(
    "--mx",
    type=click.Choice([*(member.value for member in MailExchanger), "unknown"]),
    help="Where the MX of the accepted domains leads; not given, Exchange Online is assumed.",
)
@click.option("--require-accept", is_flag=True, help="Exit with 1 unless every message is accepted.")
def check_command(  # click passes them by name
    tenant: Path,
    batch: str | None,
    as_json: bool,
    switches: tuple[str, ...],
    assumed: str | None,
    mx: str | None,
    require_accept: bool,
    **single: str | tuple[str, ...] | None,
) -> int:
    """Say what Exchange Online does with a message: verdict, SMTP reply, submission, and why."""
    if batch is not None and any(single.values()):
        raise UsageError("--batch takes its questions from the file; leave out --from, --to, --ip and their like")
    question = None if batch is not None else _question(single)
    rule, adjust = _rule(tenant, _switches(switches), assumed, mx)
    if batch is not None:
        with _lines(batch) as stream:
            return run_batch(rule, adjust, stream, sys.stdout, require_accept=require_accept, flush=batch == "-")
    assert question is not None
    told = answer(rule, question, adjust)
    click.echo(json.dumps(told) if as_json else "\n".join(_in_words(told)))
    return EXIT_NO if require_accept and not _accepted(told) else 0


def _question(single: dict[str, str | tuple[str, ...] | None]) -> Question:
    """The question that the options ask, by way of the same JSON as a batch line."""
    missing = [name for name, key in (("--from", "mail_from"), ("--to", "rcpt_to"), ("--ip", "client_ip"))
               if single[key] is None or single[key] == ()]  # fmt: skip
    if missing:
        raise UsageError(f"missing {', '.join(missing)}; or give --batch")
    names = list(single["names"] or ())
    tls: JsonObject | None = None
    if single["tls_version"] is not None or names:
        tls = {"version": single["tls_version"] or "", "client_certificate": {"dns_names": names} if names else None}
    try:
        return parse_question({
            "client_ip": single["client_ip"],
            "helo": single["helo"],
            "tls": tls,
            "authenticated_as": single["login"],
            "mail_from": single["mail_from"],
            "rcpt_to": list(single["rcpt_to"] or ()),
            "header_from": single["header_from"],
        })  # fmt: skip
    except QuestionError as error:
        raise UsageError(str(error)) from error


def _switches(given: Sequence[str]) -> Switches:
    pairs = [item.partition("=") for item in given]
    try:
        return with_switches({name: value for name, _, value in pairs})
    except SwitchError as error:
        raise UsageError(str(error)) from error


Adjustment = Callable[[Decision], Decision]


def _rule(tenant: Path, switches: Switches, assumed: str | None, mx: str | None) -> tuple[Rule, Adjustment]:
    """The tenant's rule, and what assumptions about RejectDirectSend and MX make of its decisions."""
    from sidedoor.evidence.tenant_files import read_tenant

    reading = read_tenant(tenant)
    if not reading.files:
        raise InputError(str(tenant), "no settings of a tenant", "what Get-AcceptedDomain and its like export")
    for warning in reading.warnings:
        click.echo(f"warning: {printable(warning)}", err=True)
    snapshot = _with_mx(reading.snapshot, mx)
    adjustments = [] if mx is not None else [_under_assumed_mx]
    if assumed is not None:
        snapshot = replace(snapshot, reject_direct_send=assumed == "on")
        adjustments.append(_under_assumption)
    return compile_rule(snapshot, switches), lambda decision: reduce(lambda d, change: change(d), adjustments, decision)


def _with_mx(snapshot: TenantSnapshot, mx: str | None) -> TenantSnapshot:
    """`check` asks no DNS: the MX is what the user says it is, else Exchange Online."""
    if mx == "unknown" or isinstance(snapshot.accepted_domains, Unknown):
        return snapshot
    exchanger = MailExchanger(mx or MailExchanger.EXCHANGE_ONLINE.value)
    return replace(snapshot, mail_exchangers={row.domain: exchanger for row in snapshot.accepted_domains})


def _under_assumed_mx(decision: Decision) -> Decision:
    """Mark submissions that rest on the assumed MX: mail of foreign envelope senders."""
    if decision.submission is not Submission.INTERNET:
        return decision
    return replace(decision, certainty=Certainty.ASSUMED, reasons=(*decision.reasons, "mx-assumed"))


def _under_assumption(decision: Decision) -> Decision:
    """Mark decisions that rest on the assumption: those RejectDirectSend has a say in."""
    if decision.would_reject is False:
        return decision
    reasons = (*decision.reasons, "reject-direct-send-assumed")
    return replace(decision, certainty=Certainty.ASSUMED, reasons=reasons)


@contextmanager
def _lines(batch: str) -> Iterator[IO[bytes]]:
    if batch == "-":
        yield sys.stdin.buffer
        return
    with Path(batch).open("rb") as stream:
        yield stream


def run_batch(
    rule: Rule,
    adjust: Callable[[Decision], Decision],
    lines: IO[bytes],
    out: TextIO,
    *,
    require_accept: bool = False,
    flush: bool = False,
) -> int:
    """Answer each line on a line of its own, errors too; returns 3 where a line could not be read, else 0 or 1."""
    code = 0
    for number, line in read_lines(lines):
        told = _answer_line(rule, adjust, number, line)
        if "error" in told:
            code = EXIT_INPUT
        elif require_accept and code == 0 and not _accepted(told):
            code = EXIT_NO
        out.write(json.dumps(told) + "\n")
        if flush:
            out.flush()
    return code


def read_lines(stream: IO[bytes]) -> Iterator[tuple[int, bytes | None]]:
    """Numbered lines without empty ones, in bounded memory; None for a line longer than `MAX_LINE`."""
    number = 0
    while line := stream.readline(MAX_LINE + 1):
        number += 1
        if len(line) > MAX_LINE:
            while line and not line.endswith(b"\n"):
                line = stream.readline(MAX_LINE)
            yield number, None
            continue
        if number == 1:
            line = line.removeprefix(b"\xef\xbb\xbf")  # a byte order mark, as Windows tools write
        if line.strip():
            yield number, line


def _answer_line(rule: Rule, adjust: Callable[[Decision], Decision], number: int, line: bytes | None) -> JsonObject:
    identity: object = None
    try:
        value = load_line(line)
        identity = value.get("id")
        return answer(rule, parse_question(value), adjust)
    except QuestionError as error:
        return {"id": identity, "error": f"line {number}: {error}"}


def _accepted(told: JsonObject) -> bool:
    return all(each["verdict"] == Verdict.ACCEPT.value for each in told.get("recipients", [told]))


def _in_words(told: JsonObject) -> Iterator[str]:
    """The answer for a person: one block for each recipient."""
    for each in told.get("recipients", [told]):
        if "rcpt_to" in each:
            yield printable(f"to {each['rcpt_to']}")
        reply = each["reply"]
        yield f"{each['verdict']}: {reply['code']} {reply['enhanced']} {reply['text']}"
        yield f"  submission  {each['submission']}"
        if each["connector"]:
            yield printable(f"  connector   {each['connector']}")
        yield f"  decided by  {each['step']} ({each['certainty']})"
        yield from (f"  - {explain(reason)}" for reason in each["reasons"])
