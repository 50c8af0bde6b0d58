"""web.toml, and where the server listens: nothing but this machine without OpenID Connect and TLS."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidedoor.errors import InputError, UsageError
from sidedoor.toml_file import TomlFile
from sidedoor.web.access.roles import Grant, Role, parse_grant, role_at_all, role_in
from sidedoor.web.serve import Listen, parse_listen, parse_proxies, reach
from sidedoor.web.settings import WHAT, ClaimGrant, Oidc, WebSettings, parse_web_settings

WHOLE = """
public_url = "https://sidedoor.contoso.com"
[store]
url = "env:STORE"
[oidc]
issuer = "https://login.microsoftonline.com/t/v2.0"
client_id = "c"
client_secret = "env:SECRET"
claim = "groups"
[[grants]]
value = "Helpdesk"
role = "reader"
tenants = ["contoso.com", "münchen.example"]
[[grants]]
value = "Admins"
role = "admin"
[metrics]
token = "env:METRICS"
[session]
idle_minutes = 15
hours = 8
"""


@pytest.fixture
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SECRET", "METRICS"):
        monkeypatch.setenv(name, "a secret of twenty characters")


def parsed(text: str) -> WebSettings:
    return parse_web_settings(TomlFile(text, "web.toml", WHAT))


@pytest.mark.usefixtures("secrets")
def test_the_whole_file() -> None:
    found = parsed(WHOLE)
    assert found.oidc == Oidc(
        "https://login.microsoftonline.com/t/v2.0", "c", "a secret of twenty characters", "groups"
    )  # fmt: skip
    assert found.grants == (
        ClaimGrant("Helpdesk", (Grant(Role.READER, "contoso.com"), Grant(Role.READER, "xn--mnchen-3ya.example"))),
        ClaimGrant("Admins", (Grant(Role.ADMIN),)),
    )
    assert (found.idle_minutes, found.hours, found.store) == (15, 8, "env:STORE")
    assert found.granted(["Helpdesk", "Admins", "x"])[-1] == Grant(Role.ADMIN)
    assert found.granted([]) == ()


def test_an_empty_file_is_enough() -> None:
    assert parsed("") == WebSettings()


@pytest.mark.usefixtures("secrets")
@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("publik_url = 'x'", 1),
        ("public_url = 'http://contoso.com'", 1),
        ("public_url = 'https://contoso.com/path'", 1),
        ("public_url = 'https://user:pw@contoso.com'", 1),
        ("public_url = 'javascript:alert(1)'", 1),
        ("[oidc]\nissuer = 'https://x.example'", 1),
        ("[oidc]\nissuer = 'http://x.example'\nclient_id = 'c'\nclient_secret = 'env:SECRET'", 2),
        ("[oidc]\nissuer = 'https://x'\nclient_id = 'c'\nclient_secret = 'in the clear'", 4),
        ("[oidc]\nissuer = 'https://x'\nclient_id = 'c'\nclient_secret = 'env:SECRET'\nscopes = ['email']", 5),
        ("[[grants]]\nvalue = 'x'", 1),
        ("[[grants]]\nvalue = 'x'\nrole = 'owner'", 3),
        ("[[grants]]\nvalue = 'x'\nrole = 'nobody'", 3),
        ("[[grants]]\nvalue = 'x'\nrole = 'reader'\ntenants = ['not a domain']", 4),
        ("grants = 3", 1),
        ("[session]\nhours = 0", 2),
        ("[metrics]\ntoken = 'env:SHORT'", 2),
    ],
)
def test_a_mistake_is_named_with_its_line(text: str, line: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHORT", "short")
    with pytest.raises(InputError) as caught:
        parsed(text)
    assert caught.value.line == line
    assert "in the clear" not in str(caught.value)
    assert "short" not in str(caught.value).lower() or "SHORT" in text


def test_a_secret_that_is_not_in_the_environment() -> None:
    with pytest.raises(UsageError) as caught:
        parsed("[oidc]\nissuer = 'https://x'\nclient_id = 'c'\nclient_secret = 'env:NOT_THERE'")
    assert "NOT_THERE" in str(caught.value)


@given(st.text(max_size=300))
def test_any_text_is_settings_or_our_error(text: str) -> None:
    try:
        parsed(text)
    except (InputError, UsageError):
        return


OIDC = Oidc("https://x.example", "c", "s")
PUBLIC = WebSettings(public_url="https://sidedoor.contoso.com", oidc=OIDC, grants=(ClaimGrant("x", ()),))
TLS = (Path("c.pem"), Path("k.pem"))


@pytest.mark.parametrize(
    ("listen", "settings"),
    [
        (Listen("127.0.0.1", 8642), WebSettings()),
        (Listen("::1", 8642), WebSettings()),
        (Listen("localhost", 8642), WebSettings()),
        (Listen("127.0.0.1", 8642, *TLS), WebSettings()),
        (Listen("0.0.0.0", 443, *TLS), PUBLIC),
        (Listen("127.0.0.1", 8642, proxies=("127.0.0.1/32",)), PUBLIC),
        (Listen("10.0.0.5", 8642, proxies=("10.0.0.1/32",)), PUBLIC),
    ],
)
def test_where_it_may_listen(listen: Listen, settings: WebSettings) -> None:
    found = reach(listen, settings)
    assert found.secure is bool(listen.tls or settings.public_url)
    if settings.public_url:
        assert found.hosts == {"sidedoor.contoso.com"}
    else:
        assert found.hosts == {"127.0.0.1:8642", "localhost:8642", "[::1]:8642"}


@pytest.mark.parametrize(
    ("listen", "settings", "said"),
    [
        (Listen("0.0.0.0", 8642), WebSettings(), "OpenID Connect"),
        (Listen("192.168.1.5", 8642, *TLS), WebSettings(), "OpenID Connect"),
        (Listen("0.0.0.0", 8642), PUBLIC, "TLS is needed"),
        (Listen("127.0.0.1", 8642, proxies=("127.0.0.1/32",)), WebSettings(), "OpenID Connect"),
        (Listen("127.0.0.1", 8642), WebSettings(oidc=OIDC), "public_url"),
        (Listen("0.0.0.0", 443, *TLS), WebSettings(oidc=OIDC, public_url="http://localhost:443"), "https"),
        (Listen("0.0.0.0", 443, *TLS), WebSettings(oidc=OIDC, public_url="https://x.example"), "grants"),
        (Listen("127.0.0.1", 8642, certificate=Path("c.pem")), WebSettings(), "go together"),
    ],
)
def test_where_it_refuses_to(listen: Listen, settings: WebSettings, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        reach(listen, settings)


@pytest.mark.parametrize(
    "text", ["", "8642", ":8642", "host:8642", "127.0.0.1:0", "127.0.0.1:99999", "127.0.0.1:x", "[::1]"]
)
def test_what_is_no_place_to_listen(text: str) -> None:
    with pytest.raises(UsageError):
        parse_listen(text)


def test_places_to_listen() -> None:
    assert parse_listen("[::1]:8642") == ("::1", 8642)
    assert parse_listen("localhost:1") == ("localhost", 1)


@pytest.mark.parametrize("given_", [["0.0.0.0/0"], ["::/0"], ["proxy"], ["10.0.0.1", "*"]])
def test_everybody_is_no_proxy(given_: list[str]) -> None:
    with pytest.raises(UsageError):
        parse_proxies(given_)


@given(st.lists(st.builds(Grant, st.sampled_from([*Role][1:]), st.sampled_from(["*", "a.example", "b.example"]))))
def test_a_role_in_a_tenant_is_the_highest_given_there(grants: list[Grant]) -> None:
    assert [parse_grant(str(each)) for each in grants] == grants
    for tenant in ("a.example", "c.example"):
        fitting = [each.role for each in grants if each.tenant in {"*", tenant}]
        assert role_in(grants, tenant) == max(fitting, default=Role.NOBODY)
    # What belongs to no tenant takes a role that holds everywhere.
    assert role_at_all(grants) <= max((each.role for each in grants), default=Role.NOBODY)
    if all(each.tenant != "*" for each in grants):
        assert role_at_all(grants) <= Role.READER
