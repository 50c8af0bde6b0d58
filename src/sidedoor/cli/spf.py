"""`sidedoor spf`: a domain's SPF record as a tree, what is wrong with it, and whether it covers an address."""

from __future__ import annotations

import csv
import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

import click

from sidedoor.cli.output import printable
from sidedoor.errors import InputError, UnreachableError, UsageError
from sidedoor.mailauth.source import resolver_of

if TYPE_CHECKING:
    from sidedoor.audit.engine.spf_file import AddressFile
    from sidedoor.mailauth.resolver import Resolver
    from sidedoor.mailauth.spf import SpfEvidence, SpfMessage, SpfSet
    from sidedoor.report.spf_answer import SpfAnswer

EXIT_NO, EXIT_INPUT = 1, 3
_MOST_BAD_LINES = 10
_MOST_ROWS = 20
_PATH = click.Path(path_type=Path)


@click.command("spf")
@click.argument("domain")
@click.option("--dns", "zones", multiple=True, type=_PATH, help="Master file (or folder of them) instead of live DNS.")
@click.option("--offline", is_flag=True, help="Ask no DNS at all: says only that the record is not known.")
@click.option("--covers", multiple=True, metavar="IP", help="Does the record pass this address? Repeatable.")
@click.option("--covers-file", metavar="FILE", help="Addresses, one a line, from a file or - ; counts by result.")
@click.option("--csv", "as_csv", is_flag=True, help="With --covers-file: a row for each line in place of the counts.")
@click.option("--sender", help="Envelope sender for --covers, where the record asks for it; <> for the null one.")
@click.option("--helo", help="What the client says in EHLO, for --covers.")
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON (docs/contract.md).")
def spf_command(
    domain: str,
    zones: tuple[Path, ...],
    offline: bool,
    covers: tuple[str, ...],
    covers_file: str | None,
    as_csv: bool,
    sender: str | None,
    helo: str | None,
    as_json: bool,
) -> int:
    """Show the SPF record of DOMAIN with all it includes: whom it lets send, what it costs, what is wrong with it.

    Exits with 1 where an address of --covers does not pass.
    """
    if as_csv and (covers_file is None or as_json):
        raise UsageError("--csv says how --covers-file answers, and does not go with --json")
    resolver = resolver_of(zones, offline=offline)
    spf = _record(domain, resolver, zones=bool(zones))
    if covers_file is not None:
        return _covers_file(spf, covers_file, as_csv=as_csv, as_json=as_json)
    message = _message(spf.domain, sender, helo)
    asked = tuple((ip, _evidence(spf, ip, message, resolver)) for ip in covers)
    _show(_answer(spf, resolver, asked), as_json=as_json)
    return EXIT_NO if any(evidence.result.value != "pass" for _, evidence in asked) else 0


def _record(text: str, resolver: Resolver, *, zones: bool) -> SpfSet:
    """The compiled record. Raises UsageError for no domain, UnreachableError or InputError where DNS has no answer."""
    from sidedoor.mail.domain import DomainError, parse_domain
    from sidedoor.mailauth.resolver import Failure, Kind
    from sidedoor.mailauth.spf import compile_spf

    try:
        domain = parse_domain(text)
    except DomainError as error:
        raise UsageError(f"DOMAIN: {error}") from error
    answer = resolver.lookup(domain, Kind.TXT)
    if isinstance(answer, Failure):
        if zones:
            raise InputError("--dns", answer.reason, f"a master file that holds {domain}")
        raise UnreachableError(f"the record of {domain} is not known: {answer.reason}")
    return compile_spf(domain, resolver)


def _message(domain: str, sender: str | None, helo: str | None) -> SpfMessage:
    """What is known of the message. Raises UsageError where its sender is in another domain."""
    from sidedoor.mailauth.spf import SpfMessage

    message = SpfMessage(sender, helo)
    identity = message.identity
    if sender in {"", "<>"} and helo is None:
        raise UsageError("--sender <> stands for postmaster at the HELO name: give --helo")
    if identity is not None and identity[1] != domain:
        raise UsageError(f"--sender: SPF asks {identity[1]} about this sender, not {domain}")
    return message


def _evidence(spf: SpfSet, ip: str, message: SpfMessage, resolver: Resolver) -> SpfEvidence:
    from dataclasses import replace

    from sidedoor.mail.network import NetworkError

    try:
        evidence = spf.check(ip, message, resolver)
        return replace(evidence, explanation=spf.explain(evidence, ip, message, resolver))
    except NetworkError as error:
        raise UsageError(f"--covers: {error}") from error


def _answer(spf: SpfSet, resolver: Resolver, asked: tuple[tuple[str, SpfEvidence], ...]) -> SpfAnswer:
    from sidedoor.catalogue.catalogue import load_catalogue
    from sidedoor.mailauth.spf.findings import findings
    from sidedoor.mailauth.spf.tree import spf_tree
    from sidedoor.report.spf_answer import SpfAnswer

    catalogue = load_catalogue()

    def name_of(domain: str) -> str | None:
        entry = catalogue.by_spf_domain(domain)
        return entry.name if entry else None

    tree = spf_tree(spf, resolver)
    return SpfAnswer(spf, tree, findings(spf, tree), asked, name_of)


def _show(answer: SpfAnswer, *, as_json: bool) -> None:
    if as_json:
        from sidedoor.report.spf_json import spf_json

        click.echo(json.dumps(spf_json(answer), indent=2))
        return
    from rich.console import Console

    from sidedoor.report.spf_text import print_answer

    print_answer(answer, Console(highlight=False))


def _covers_file(spf: SpfSet, name: str, *, as_csv: bool, as_json: bool) -> int:
    """Say what the record says of every address in the file; 3 where a line holds none."""
    from sidedoor.audit.engine.database import open_database
    from sidedoor.audit.engine.spf_file import evaluate_file

    with tempfile.TemporaryDirectory() as scratch, open_database(Path(scratch)) as database:
        with _stream(name) as stream:
            file = evaluate_file(database, spf, stream, name)
        if as_csv:
            _print_rows(file)
        elif as_json:
            click.echo(json.dumps(_counts_json(spf, file), indent=2))
        else:
            _print_counts(spf, file)
        bad, _ = file.unreadable(0)
    return EXIT_INPUT if bad else 0


@contextmanager
def _stream(name: str) -> Iterator[IO[bytes]]:
    if name == "-":
        yield sys.stdin.buffer
        return
    with Path(name).open("rb") as stream:
        yield stream


def _print_rows(file: AddressFile) -> None:
    """CSV in the order of the file; `unreadable` where a line holds no address."""
    from sidedoor.report.csv_report import cell

    writer = csv.writer(sys.stdout)
    writer.writerow(("line", "address", "result", "by", "cause"))
    for line in file.lines():
        evidence = line.evidence
        if evidence is None:
            writer.writerow((line.number, cell(line.text), "unreadable", "", "no IP address"))
        else:
            by = " > ".join(f"{domain} {term}" for domain, term in evidence.path)
            writer.writerow((line.number, cell(line.text), evidence.result.value, cell(by), cell(evidence.cause)))


def _counts_json(spf: SpfSet, file: AddressFile) -> dict[str, object]:
    from sidedoor.report.spf_json import SCHEMA, evidence_json

    bad, first = file.unreadable(_MOST_BAD_LINES)
    return {
        "schema": SCHEMA,
        "domain": spf.domain,
        "covers_file": [
            {**evidence_json(evidence), "lines": lines, "addresses": addresses, "example": example}
            for evidence, lines, addresses, example in file.counts()
        ],
        "unreadable": {"lines": bad, "first": [{"line": line.number, "text": line.text} for line in first]},
    }


def _print_counts(spf: SpfSet, file: AddressFile) -> None:
    counts = file.counts()
    totals: dict[str, int] = {}
    for evidence, lines, _, _ in counts:
        totals[evidence.result.value] = totals.get(evidence.result.value, 0) + lines
    click.echo(f"{spf.domain}: " + (", ".join(f"{n:,} {word}" for word, n in totals.items()) or "no addresses"))
    for evidence, lines, addresses, example in counts[:_MOST_ROWS]:
        by = " > ".join(f"{domain} {term}" for domain, term in evidence.path) or evidence.cause
        click.echo(printable(f"  {lines:>11,} {evidence.result.value:<12} {addresses:,} different, such as {example}"))
        click.echo(printable(f"              {by[:200]}"))
    if len(counts) > _MOST_ROWS:
        click.echo(f"  and {len(counts) - _MOST_ROWS:,} more terms; --csv has every line")
    bad, first = file.unreadable(_MOST_BAD_LINES)
    if bad:
        click.echo(f"no address on {bad:,} line{'s' if bad > 1 else ''}:", err=True)
    for line in first:
        click.echo(printable(f"  line {line.number}: {line.text}"), err=True)
