"""Whatever a request holds, it is answered or refused; nothing makes a 500."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidedoor.edge.admin.errors import CmdletError, ForbiddenError
from sidedoor.evidence.tenant_files import read_tenant
from tests.edge.admin.twin_kit import Twin, over_http

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20), lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.text(max_size=10), inner, max_size=3), max_leaves=8,
)  # fmt: skip
NAMES = ("Name", "Identity", "SenderDomains", "SenderIPAddresses", "Priority", "StartDate", "ResultSize", "Quarantine",
         "RejectDirectSend", "MessageTraceId", "RecipientAddress", "WhatIf", "Enabled")  # fmt: skip


@given(
    st.sampled_from(["New-InboundConnector", "Set-InboundConnector", "Remove-InboundConnector", "New-TransportRule",
                     "Set-TransportRule", "Set-OrganizationConfig", "Get-MessageTraceV2", "Get-MessageTraceDetailV2",
                     "Get-QuarantineMessage", "Release-QuarantineMessage", "Get-AcceptedDomain", "x"]),
    st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=8), JSON, max_size=5),
)  # fmt: skip
def test_any_parameters_are_answered_or_refused(
    tmp_path_factory: pytest.TempPathFactory, cmdlet: str, parameters: dict[str, Any]
) -> None:
    twin = Twin(tmp_path_factory.mktemp("twin"))
    try:
        twin.admin.run(cmdlet, parameters)
    except (CmdletError, ForbiddenError):
        return
    read_tenant(twin.tenant)


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{}", b'{"CmdletInput": 3}', b'{"CmdletInput": {"CmdletName": "Get-AcceptedDomain"}}', b"[" * 100_000,
     b"\xff", b'{"CmdletInput": {"CmdletName": [], "Parameters": {}}}'],
)  # fmt: skip
def test_bodies_that_are_no_question(tmp_path: Path, body: bytes) -> None:
    async def talk(client: httpx.AsyncClient) -> httpx.Response:
        return await client.post("/InvokeCommand", content=body)

    assert over_http(Twin(tmp_path), talk).status_code == 400
