"""Signing in with OpenID Connect: who is let in, and every way to be let in that must not be one."""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwt
from starlette.testclient import TestClient

from sidedoor.web.access.access import COOKIE
from sidedoor.web.access.roles import Grant, Role
from sidedoor.web.settings import ClaimGrant, Oidc, WebSettings
from tests.web.issuer import CLIENT, KEYS, SECRET, Code, Issuer, asked_for, issuing, signed
from tests.web.kit import ORIGIN, Served, served
from tests.web.world import empty_workspace

GRANTS = (
    ClaimGrant("Sidedoor.Operator", (Grant(Role.OPERATOR),)),
    ClaimGrant("Helpdesk", (Grant(Role.READER, "contoso.com"),)),
)


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    with issuing() as one:
        yield one


@pytest.fixture
def site(issuer: Issuer, tmp_path: Path) -> Iterator[Served]:
    issuer.published, issuer.metadata = ["first"], {}
    issuer.codes.clear()
    folder = empty_workspace(tmp_path / "contoso.com")
    settings = WebSettings(public_url=ORIGIN, oidc=Oidc(issuer.url, CLIENT, SECRET), grants=GRANTS)
    with served([folder], tmp_path, settings) as one:
        yield one


class Dance:
    """One sign-in, step by step: begun in `browser`, at the provider as `query` says, and back with a code."""

    def __init__(self, site: Served, issuer: Issuer, onward: str = "/about") -> None:
        self.site, self.issuer, self.browser = site, issuer, site.browser()
        answer = self.browser.get("/sign-in/oidc", params={"next": onward})
        assert answer.status_code == 303
        self.cookie = answer.headers["set-cookie"]
        self.query = asked_for(answer.headers["location"])

    def code(self, **changes: Any) -> Code:
        now = int(self.site.clock().timestamp())
        claims = {
            "iss": self.issuer.url, "aud": CLIENT, "sub": "7", "iat": now, "exp": now + 300,
            "nonce": self.query["nonce"], "preferred_username": "anna@contoso.com", "roles": ["Sidedoor.Operator"],
        }  # fmt: skip
        claims = {name: value for name, value in (claims | changes).items() if value is not None}
        return Code(claims, self.query["code_challenge"], self.query["redirect_uri"])

    def back(self, given: Code, browser: TestClient | None = None, /, **changes: str) -> Any:
        self.issuer.codes["c"] = given
        query = {"state": self.query["state"], "code": "c"} | changes
        return (browser or self.browser).get("/sign-in/callback", params=query)


def test_somebody_with_a_role_is_let_in(site: Served, issuer: Issuer) -> None:
    dance = Dance(site, issuer)
    assert dance.query["code_challenge_method"] == "S256"
    assert dance.query["response_type"] == "code"
    assert len(dance.query["state"]) > 40
    assert "samesite=lax" in dance.cookie.lower()
    answer = dance.back(dance.code())
    assert answer.status_code == 200
    assert 'content="0; url=/about"' in answer.text
    assert "samesite=strict" in answer.headers["set-cookie"].lower()
    page = dance.browser.get("/about").text
    assert "anna@contoso.com" in page
    assert "operator" in page


@pytest.mark.parametrize(
    ("values", "status"),
    [
        ("Sidedoor.Operator", 200),
        (["Other", "Helpdesk"], 200),
        (["sidedoor.operator"], 403),
        ([], 403),
        (None, 403),
        ({"Sidedoor.Operator": True}, 403),
        ([["Sidedoor.Operator"]], 403),
    ],
)
def test_a_role_is_what_the_claim_says(site: Served, issuer: Issuer, values: object, status: int) -> None:
    dance = Dance(site, issuer)
    assert dance.back(dance.code(roles=values)).status_code == status
    assert dance.browser.get("/t/contoso.com").status_code == (200 if status == 200 else 303)


def test_a_grant_may_hold_in_one_tenant(site: Served, issuer: Issuer) -> None:
    dance = Dance(site, issuer)
    dance.back(dance.code(roles=["Helpdesk"]))
    assert dance.browser.get("/t/contoso.com").status_code == 200
    token = dance.browser.get("/api/v1/me").json()
    assert token["grants"] == ["reader:contoso.com"]


def tampered(text: str) -> str:
    head, body, signature = text.split(".")
    return f"{head}.{body}.{signature[:-6]}AAAAAA"


def unsigned(code: Code) -> str:
    """alg none, which RFC 7518 section 3.6 has and nobody may believe."""
    head = urlsafe_b64encode(b'{"alg":"none"}').rstrip(b"=").decode()
    return head + "." + jwt.encode({"alg": "RS256"}, code.claims, KEYS["first"]).split(".")[1] + "."


def confused(code: Code) -> str:
    """HS256 with the published key as its secret (RFC 8725 section 2.1)."""
    head = urlsafe_b64encode(b'{"alg":"HS256","kid":"first"}').rstrip(b"=").decode()
    body = f"{head}.{jwt.encode({'alg': 'RS256'}, code.claims, KEYS['first']).split('.')[1]}"
    mac = hmac.digest(KEYS["first"].as_pem(private=False), body.encode(), "sha256")
    return f"{body}.{urlsafe_b64encode(mac).rstrip(b'=').decode()}"


ATTACKS: dict[str, Callable[[Dance], Code]] = {
    "wrong nonce": lambda dance: dance.code(nonce="another"),
    "no nonce": lambda dance: dance.code(nonce=None),
    "wrong audience": lambda dance: dance.code(aud="another"),
    "no audience": lambda dance: dance.code(aud=None),
    "one audience of several, for somebody else": lambda dance: dance.code(aud=[CLIENT, "b"], azp="b"),
    "several audiences and no party": lambda dance: dance.code(aud=[CLIENT, "b"]),
    "wrong issuer": lambda dance: dance.code(iss="https://evil.example"),
    "no issuer": lambda dance: dance.code(iss=None),
    "expired": lambda dance: dance.code(exp=int(dance.site.clock().timestamp()) - 120),
    "no expiry": lambda dance: dance.code(exp=None),
    "not yet": lambda dance: dance.code(nbf=int(dance.site.clock().timestamp()) + 600),
    "nobody": lambda dance: dance.code(sub=None),
    "alg none": lambda dance: replace(dance.code(), raw=unsigned(dance.code())),
    "alg confusion": lambda dance: replace(dance.code(), raw=confused(dance.code())),
    "a stranger's key": lambda dance: replace(dance.code(), key="stranger"),
    "a stranger's key under a known name": lambda dance: replace(dance.code(), key="stranger", header={"kid": "first"}),
    "no token": lambda dance: replace(dance.code(), raw="x"),
    "not even text": lambda dance: replace(dance.code(), raw="\x00.\x00.\x00"),
    "no object": lambda dance: replace(dance.code(), raw="bnVsbA.bnVsbA.bnVsbA"),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_nobody_else_is_let_in(site: Served, issuer: Issuer, attack: str) -> None:
    dance = Dance(site, issuer)
    answer = dance.back(ATTACKS[attack](dance))
    assert answer.status_code == 403
    assert COOKIE not in dance.browser.cookies
    assert dance.browser.get("/about").status_code == 303


def test_a_changed_signature(site: Served, issuer: Issuer) -> None:
    dance = Dance(site, issuer)
    code = dance.code()
    assert dance.back(replace(code, raw=tampered(signed(code)))).status_code == 403


def test_the_provider_cannot_offer_alg_none(site: Served, issuer: Issuer) -> None:
    issuer.metadata = {"id_token_signing_alg_values_supported": ["none", "HS256", "RS256"]}
    dance = Dance(site, issuer)
    for raw in (unsigned(dance.code()), confused(dance.code())):
        dance = Dance(site, issuer)
        assert dance.back(replace(dance.code(), raw=raw)).status_code == 403


def test_a_sign_in_is_finished_where_it_was_begun_and_once(site: Served, issuer: Issuer) -> None:
    dance = Dance(site, issuer)
    victim = site.browser()  # login CSRF: an attacker's answer in the victim's browser
    assert dance.back(dance.code(), victim).status_code == 403
    assert dance.back(dance.code()).status_code == 403  # and the state is used up
    dance = Dance(site, issuer)
    assert dance.back(dance.code()).status_code == 200
    assert dance.back(dance.code()).status_code == 403  # replayed


@pytest.mark.parametrize(
    "changes",
    [
        {"state": "another"},
        {"state": ""},
        {"state": "x" * 5_000},
        {"iss": "https://evil.example"},
        {"code": "another"},
    ],
)
def test_an_answer_that_does_not_fit(site: Served, issuer: Issuer, changes: dict[str, str]) -> None:
    dance = Dance(site, issuer)
    assert dance.back(dance.code(), None, **changes).status_code == 403
    assert dance.browser.get("/about").status_code == 303


def test_the_state_of_another_sign_in(site: Served, issuer: Issuer) -> None:
    first, second = Dance(site, issuer), Dance(site, issuer)
    assert first.back(first.code(), state=second.query["state"]).status_code == 403


def test_the_verifier_must_fit_the_code(site: Served, issuer: Issuer) -> None:
    first, second = Dance(site, issuer), Dance(site, issuer)
    assert first.back(second.code(nonce=first.query["nonce"])).status_code == 403


def test_it_does_not_wait_for_ever(site: Served, issuer: Issuer) -> None:
    dance = Dance(site, issuer)
    site.clock.move(timedelta(minutes=11))
    assert dance.back(dance.code()).status_code == 403


def test_the_provider_refuses(site: Served, issuer: Issuer) -> None:
    dance = Dance(site, issuer)
    query = {"state": dance.query["state"], "error": "access_denied", "error_description": "<script>alert(1)</script>"}
    answer = dance.browser.get("/sign-in/callback", params=query)
    assert answer.status_code == 403
    assert "script>alert" not in answer.text


def test_new_keys_are_fetched_once(site: Served, issuer: Issuer) -> None:
    dance = Dance(site, issuer)
    assert dance.back(dance.code()).status_code == 200
    issuer.published = ["second"]
    site.app.state.provider._clock = lambda: 10**9  # a minute later, and the metadata anew
    dance = Dance(site, issuer)
    assert dance.back(replace(dance.code(), key="second")).status_code == 200
    asked = issuer.asked.count("/keys")
    for _ in range(3):  # a token nobody can check does not make us ask again and again
        dance = Dance(site, issuer)
        assert dance.back(replace(dance.code(), key="stranger")).status_code == 403
    assert issuer.asked.count("/keys") == asked


@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": "https://evil.example"},
        {"token_endpoint": "http://evil.example/token"},
        {"authorization_endpoint": None},
        {"jwks_uri": "file:///etc/passwd"},
    ],
)
def test_a_provider_that_is_not_who_it_should_be(site: Served, issuer: Issuer, metadata: dict[str, Any]) -> None:
    issuer.metadata = metadata
    answer = site.browser().get("/sign-in/oidc")
    assert answer.status_code == 503
    assert "evil" not in answer.text


def test_a_provider_that_is_away(tmp_path: Path) -> None:
    folder = empty_workspace(tmp_path / "contoso.com")
    settings = WebSettings(public_url=ORIGIN, oidc=Oidc("http://127.0.0.1:9", CLIENT, SECRET), grants=GRANTS)
    with served([folder], tmp_path, settings) as one:
        assert one.browser().get("/sign-in/oidc").status_code == 503
        assert one.browser().get("/sign-in").status_code == 200


def test_without_a_provider_there_is_no_such_page(page: Served) -> None:
    assert page.browser().get("/sign-in/oidc").status_code == 404
    assert page.browser().get("/sign-in/callback", params={"state": "x", "code": "y"}).status_code == 404
