"""Answers over HTTP: their shapes, pages, the token, and errors that bury what they mean."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from tests.edge.admin.twin_kit import TOKEN, Twin, ask, over_http


def test_the_shape_of_an_answer(tmp_path: Path) -> None:
    answer = over_http(Twin(tmp_path), lambda client: ask(client, "get-inboundconnector")).json()
    assert answer["@odata.context"].endswith("$metadata#Collection(Exchange.GenericHashTable)")
    assert answer["@adminapi.warnings"] == []
    assert answer["value"][0]["Name"] == "Gateway"
    assert answer["value"][0]["SenderDomains@odata.type"] == "#Collection(String)"


@pytest.mark.parametrize("token", ["", "Bearer wrong", f"Basic {TOKEN}", "Bearer ü"])
def test_without_the_token_there_is_nothing(tmp_path: Path, token: str) -> None:
    async def talk(client: httpx.AsyncClient) -> httpx.Response:
        return await client.post("/InvokeCommand", headers={b"Authorization": token.encode()}, json={})

    assert over_http(Twin(tmp_path), talk).status_code == 401


def test_an_unknown_cmdlet_is_nul_bytes(tmp_path: Path) -> None:
    answer = over_http(Twin(tmp_path), lambda client: ask(client, "Remove-Mailbox", Identity="x"))
    assert answer.status_code == 403
    assert set(answer.content) == {0}


def test_v1_is_not_allowed(tmp_path: Path) -> None:
    async def talk(client: httpx.AsyncClient) -> httpx.Response:
        return await client.post(str(client.base_url).replace("beta", "v1.0") + "InvokeCommand", json={})

    assert over_http(Twin(tmp_path), talk).status_code == 405


def test_an_error_says_what_it_was_deep_inside(tmp_path: Path) -> None:
    answer = over_http(Twin(tmp_path), lambda client: ask(client, "Get-InboundConnector", Identity="nobody"))
    error = answer.json()["error"]
    assert answer.status_code == 404
    assert error["message"] == "Invalid Operation"
    assert "nobody" in error["innererror"]["internalexception"]["message"]
    assert error["details"][0]["message"].startswith("Ex6F9304|Microsoft.")


def test_pages(tmp_path: Path) -> None:
    twin = Twin(tmp_path)
    for number in range(5):
        twin.run("New-InboundConnector", Name=f"c{number}", SenderDomains="*")

    async def talk(client: httpx.AsyncClient) -> list[str]:
        client.headers["Prefer"] = "odata.maxpagesize=4"
        answer = (await ask(client, "Get-InboundConnector")).json()
        names = [row["Name"] for row in answer["value"]]
        link = answer["@odata.nextLink"]
        again = await client.post(link, json={})
        names += [row["Name"] for row in again.json()["value"]]
        assert (await client.post(link, json={})).json() == again.json()  # an answer that got lost is asked for again
        assert (await client.post(link.replace("skiptoken=", "skiptoken=0"), json={})).status_code == 400
        twin.now += timedelta(minutes=31)
        assert (await client.post(link, json={})).status_code == 400
        return names

    assert over_http(twin, talk) == ["Gateway", "c0", "c1", "c2", "c3", "c4"]
