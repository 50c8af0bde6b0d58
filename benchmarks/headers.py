"""Raw messages through a whole `audit`, against the standard library only splitting the same headers into fields.

    python benchmarks/headers.py [--quick] [--messages 20000]

Generates messages with headers of 6 to 8 KB as Exchange Online writes them, once as a mailbox file and once as a folder
of .eml files, and tells for each the audit beside the floor (`email.parser.BytesHeaderParser` over the same files in
one process). Every figure is of a whole process, kept on one core: messages a second of that core's time.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from gather.form import Bench

FLOOR = """
import email.parser, mailbox, sys
from pathlib import Path
source, fields = Path(sys.argv[1]), 0
parser = email.parser.BytesHeaderParser()
if source.is_dir():
    for path in source.iterdir():
        with path.open("rb") as handle:
            fields += len(parser.parse(handle).items())
else:
    for chunk in source.read_bytes().split(b"\\n\\nFrom "):
        fields += len(parser.parsebytes(chunk.partition(b"\\n")[2]).items())
print(fields)
"""
TENANT = {
    "OrganizationConfig.json": {"Name": "contoso.onmicrosoft.com", "RejectDirectSend": False},
    "AcceptedDomain.json": [{"DomainName": "contoso.com", "DomainType": "Authoritative", "MatchSubDomains": False}],
    "InboundConnector.json": [],
}
HEADER = """\
Received: from AM9PR00MB{n:04d}.eurprd00.prod.outlook.com (2001:db8:20a6:20b::{n:x}) by
 AM9PR00MB0002.eurprd00.prod.outlook.com with HTTPS; {date}
ARC-Seal: i=1; a=rsa-sha256; s=arcselector10001; d=service.example; cv=none;
 b={b64a}
ARC-Message-Signature: i=1; a=rsa-sha256; c=relaxed/relaxed; d=service.example;
 s=arcselector10001;
 h=From:Date:Subject:Message-ID:Content-Type:MIME-Version:X-MS-Exchange-AntiSpam-MessageData-ChunkCount;
 bh={b64c};
 b={b64b}
ARC-Authentication-Results: i=1; mx.service.example 1; spf=fail (sender ip is
 {ip}) smtp.rcpttodomain=contoso.com smtp.mailfrom={domain};
 dmarc=fail action=none header.from={domain}; dkim=none (message not signed); arc=none
Received: from AS4P00CA{n:04d}.EURP00.PROD.OUTLOOK.COM (2001:db8:20a6:20b:659::16)
 by AM9PR00MB{n:04d}.eurprd00.prod.outlook.com (2001:db8:20a6:20b:4a0::8) with
 Microsoft SMTP Server (version=TLS1_2,
 cipher=TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384) id 15.20.9999.10; {date}
Received: from AM0EUR00FT001.eop-EUR00.prod.protection.outlook.com
 (2001:db8:20a6:20b:659:cafe::f0) by AS4P00CA{n:04d}.outlook.office365.com
 (2001:db8:20a6:20b:659::8) with Microsoft SMTP Server (version=TLS1_3,
 cipher=TLS_AES_256_GCM_SHA384) id 15.20.9999.10 via Frontend Transport; {date}
Authentication-Results: spf=fail (sender IP is {ip})
 smtp.mailfrom={domain}; dkim=none (message not signed)
 header.d=none;dmarc=fail action=none header.from={domain};compauth=fail
 reason=601
Received-SPF: Fail (protection.outlook.com: domain of {domain} does not designate
 {ip} as permitted sender) receiver=protection.outlook.com;
 client-ip={ip}; helo={helo};
Received: from {helo} ({ip}) by
 AM0EUR00FT001.mail.protection.outlook.com (10.0.0.66) with Microsoft SMTP Server
 (version=TLS1_2, cipher=TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384) id 15.20.9999.10
 via Frontend Transport; {date}
Received: from inner{n}.example (inner{n}.example [10.1.2.{low}]) by {helo} (Postfix) with ESMTP id {low:010X}
 for <user{low}@contoso.com>; {date}
X-Mailer: ACME MFP 4550
From: "Scanner {low}, floor 3" <scan{low}@{domain}>
To: "User, Some" <user{low}@contoso.com>, Other <other{low}@contoso.com>
Subject: =?utf-8?B?U2NhbiBmcm9tIHRoZSB0aGlyZCBmbG9vciDigJMgMiBwYWdlcw==?=
Date: {date}
Message-ID: <20261103.{n}.{low}@{helo}>
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="=_{n}"
Return-Path: scan{low}@{domain}
X-EOPAttributedMessage: 0
X-EOPTenantAttributedMessage: 0c0ffee0-1111-4222-8333-444455556666:0
X-MS-Exchange-Organization-MessageDirectionality: Incoming
X-MS-PublicTrafficType: Email
X-MS-TrafficTypeDiagnostic:
 AM0EUR00FT001:EE_|AM9PR00MB{n:04d}:EE_|AM9PR00MB0002:EE_
X-MS-Exchange-Organization-ExpirationStartTime: 03 Nov 2026 08:15:27.1234 (UTC)
X-MS-Exchange-Organization-ExpirationStartTimeReason: OriginalSubmit
X-MS-Exchange-Organization-ExpirationInterval: 1:00:00:00.0000000
X-MS-Exchange-Organization-ExpirationIntervalReason: OriginalSubmit
X-MS-Office365-Filtering-Correlation-Id: {key}
X-MS-Exchange-AtpMessageProperties: SA|SL
X-MS-Exchange-Organization-Network-Message-Id:
 {key}
X-MS-Exchange-Organization-AuthSource:
 AM0EUR00FT001.eop-EUR00.prod.protection.outlook.com
X-MS-Exchange-Organization-AuthAs: Anonymous
X-MS-Exchange-Organization-SCL: 5
X-Microsoft-Antispam: BCL:0;ARA:13230040|2613699003|82310400026;
X-Forefront-Antispam-Report:
 CIP:{ip};CTRY:DE;LANG:en;SCL:5;SRV:;IPV:NLI;SFV:SPM;H:{helo};PTR:InfoDomainNonexistent;CAT:NONE;SFS:(13230040)(2613699003)(82310400026);DIR:INB;
X-MS-Exchange-CrossTenant-OriginalArrivalTime: 03 Nov 2026 08:15:27.1234 (UTC)
X-MS-Exchange-CrossTenant-Network-Message-Id: {key}
X-MS-Exchange-CrossTenant-Id: 0c0ffee0-1111-4222-8333-444455556666
X-MS-Exchange-CrossTenant-AuthSource:
 AM0EUR00FT001.eop-EUR00.prod.protection.outlook.com
X-MS-Exchange-CrossTenant-AuthAs: Anonymous
X-MS-Exchange-CrossTenant-FromEntityHeader: Internet
X-MS-Exchange-Transport-CrossTenantHeadersStamped: AM9PR00MB{n:04d}
X-MS-Exchange-Transport-EndToEndLatency: 00:00:03.1234567
X-MS-Exchange-Processed-By-BccFoldering: 15.20.9999.010
X-Microsoft-Antispam-Mailbox-Delivery:
 ucf:0;jmr:0;auth:0;dest:I;ENG:(910005)(944506478)(944626604)(920097)(930097)(140003);
X-Microsoft-Antispam-Message-Info:
{info}

Synthetic body line.
{body}
"""


def messages(count: int) -> list[str]:
    """The texts of `count` messages with LF line ends; from 200 devices, nine in ten with a foreign sender."""
    dice = random.Random(7)
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    noise = "".join(dice.choices(letters, k=100_000))

    def base64(length: int) -> str:
        start = dice.randrange(len(noise) - length)
        return noise[start : start + length]

    def folded(length: int) -> str:
        text = base64(length)
        return "\n".join(" " + text[place : place + 76] for place in range(0, length, 76))

    return [
        HEADER.format(
            n=n % 10_000, low=n % 200, key=f"{n:08x}-1b62-4d07-db4f-08df1a10ee9b",
            date=f"Tue, 3 Nov 2026 {n % 24:02}:{n % 59:02}:{n % 57:02} +0000",
            ip=f"{n % 200 + 11}.{n % 7}.3.{n % 199 + 1}", helo=f"mfp{n % 200}.contoso.com",
            domain="contoso.com" if n % 10 == 0 else f"partner{n % 97}.example", b64a=base64(344), b64b=base64(344),
            b64c=base64(44), info=folded(dice.randrange(1_200, 3_000)), body=base64(1_000),
        )
        for n in range(count)
    ]  # fmt: skip


def timed(*command: str) -> tuple[float, float]:
    """Wall seconds and processor seconds of a whole process."""
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(command)[:200]} failed")
    return time.perf_counter() - started, usage.ru_utime + usage.ru_stime


def compare(bench: Bench, name: str, source: Path, tenant: Path, count: int) -> None:
    """Messages a processor second through the audit and the floor."""
    _, floor = timed(sys.executable, "-c", FLOOR, str(source))
    _, seconds = timed(
        sys.executable, "-m", "sidedoor.cli.main", "audit", str(source), "--tenant", str(tenant), "--offline",
        "--quiet", "-o", str(tenant.parent / f"out-{source.name}"),
    )  # fmt: skip
    bench.tell(name, count / seconds, "/s", ("BytesHeaderParser", count / floor), goal="headers-rate")


def main() -> int:
    """The same messages in both forms."""
    bench = Bench(__file__, __doc__)
    bench.size("--messages", 20_000, quick=5_000)
    count = bench.options().messages
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        for folder in ("tenant", "mail"):
            (root / folder).mkdir()
        for file, content in TENANT.items():
            (root / "tenant" / file).write_text(json.dumps(content))
        texts = messages(count)
        print(f"{sum(map(len, texts)) / count:,.0f} bytes a message on average", flush=True)
        with (root / "all.mbox").open("w") as box:
            box.writelines(f"From scan@contoso.com Tue Nov  3 08:15:30 2026\n{text}\n" for text in texts)
        for number, text in enumerate(texts):
            (root / "mail" / f"{number:06}.eml").write_bytes(text.replace("\n", "\r\n").encode())
        compare(bench, "audit of a mailbox file", root / "all.mbox", root / "tenant", count)
        compare(bench, "audit of a folder of files", root / "mail", root / "tenant", count)
    return bench.end()


if __name__ == "__main__":
    sys.exit(main())
