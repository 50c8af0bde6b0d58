"""How fast is an aggregate report read? Our summary beside parsedmarc's, offline, on the same 100,000 records.

    python benchmarks/dmarc_reports.py [--quick] [--records 100000] [--peer PYTHON]

PYTHON is an interpreter that has parsedmarc, whose many dependencies deserve an environment of their own: `make bench`
makes one in .venv/parsedmarc, which is where it is looked for. Each reader runs in a process of its own, which says how
long reading took, without imports, and its peak resident memory.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from gather.form import Bench

PEER = Path(__file__).resolve().parents[1] / ".venv" / "parsedmarc" / "bin" / "python"
RESULTS = ("pass", "fail")

OURS = """
import json, resource, sys, time
from pathlib import Path
from sidedoor.evidence.dmarc_reports import read_reports
started = time.perf_counter()
reported = read_reports([Path(sys.argv[1])], print)
spent = time.perf_counter() - started
records = sum(report.records for report in reported.reports)
messages = sum(use.messages for use in reported.sources())
"""
THEIRS = """
import json, resource, sys, time
import parsedmarc
started = time.perf_counter()
records = parsedmarc.parse_report_file(sys.argv[1], offline=True)["report"]["records"]
spent = time.perf_counter() - started
messages = sum(record["count"] for record in records)
records = len(records)
"""
TOLD = """
memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"seconds": spent, "megabytes": memory, "records": records, "messages": messages}))
"""
VERSION = "from importlib.metadata import version; print(version('parsedmarc'))"


def record(number: int) -> str:
    """One record: an address of its own, one of 50 subdomains as envelope sender, one of four selectors."""
    address = f"{20 + number // 65536 % 200}.{number // 65536 % 256}.{number // 256 % 256}.{number % 256}"
    dkim, spf, envelope = RESULTS[number % 3 == 0], RESULTS[number % 5 == 0], f"b{number % 50}.contoso.com"
    return f"""  <record>
    <row>
      <source_ip>{address}</source_ip>
      <count>{number % 7 + 1}</count>
      <policy_evaluated><disposition>none</disposition><dkim>{dkim}</dkim><spf>{spf}</spf></policy_evaluated>
    </row>
    <identifiers><envelope_from>{envelope}</envelope_from><header_from>contoso.com</header_from></identifiers>
    <auth_results>
      <dkim><domain>contoso.com</domain><selector>s{number % 4}</selector><result>{dkim}</result></dkim>
      <spf><domain>{envelope}</domain><scope>mfrom</scope><result>{spf}</result></spf>
    </auth_results>
  </record>
"""


def write_report(path: Path, records: int) -> None:
    """A report such as a large receiver sends."""
    with path.open("w", encoding="utf-8") as file:
        file.write(
            '<?xml version="1.0" encoding="UTF-8"?>\n<feedback><version>1.0</version><report_metadata>'
            "<org_name>Fabrikam Mail</org_name><email>reports@fabrikam.com</email><report_id>benchmark</report_id>"
            "<date_range><begin>1793664000</begin><end>1793750399</end></date_range></report_metadata>\n"
            "<policy_published><domain>contoso.com</domain><adkim>r</adkim><aspf>r</aspf><p>none</p><sp>none</sp>"
            "<pct>100</pct></policy_published>\n"
        )
        file.writelines(map(record, range(records)))
        file.write("</feedback>\n")


def measured(python: str, code: str, path: Path) -> dict[str, Any]:
    """What one reader says of its run."""
    done = subprocess.run([python, "-c", code + TOLD, str(path)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{python}: {done.stderr.strip()[-500:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def rate(told: dict[str, Any]) -> float:
    """Records a second."""
    return float(told["records"] / told["seconds"])


def version(python: str) -> str:
    """Of that interpreter's parsedmarc; nothing where it has none."""
    done = subprocess.run([python, "-c", VERSION], capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def main() -> int:
    """Ours, the peer's, and the ratios."""
    bench = Bench(__file__, __doc__)
    bench.size("--records", 100_000, quick=10_000)
    bench.option("--peer", default=str(PEER if PEER.exists() else sys.executable), help="a Python that has parsedmarc")
    options = bench.options()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "report.xml"
        write_report(path, options.records)
        print(f"{path.stat().st_size / 1e6:.0f} MB of XML", flush=True)
        ours = measured(sys.executable, OURS, path)
        peer = version(options.peer)
        theirs = measured(options.peer, THEIRS, path) if peer else None
    if theirs is None:
        bench.tell("records read", rate(ours), "/s")
        bench.tell("peak memory", ours["megabytes"], "MB")
        bench.left_out("parsedmarc", "the Python asked has none (make bench installs it in .venv/parsedmarc)")
        return bench.end()
    if (ours["records"], ours["messages"]) != (theirs["records"], theirs["messages"]):
        raise SystemExit(f"we counted {ours}, parsedmarc {theirs}")
    bench.peer("parsedmarc", peer)
    bench.tell("records read", rate(ours), "/s", ("parsedmarc", rate(theirs)), goal="dmarc-rate")
    bench.tell("peak memory", ours["megabytes"], "MB", ("parsedmarc", theirs["megabytes"]), goal="dmarc-memory")
    return bench.end()


if __name__ == "__main__":
    sys.exit(main())
