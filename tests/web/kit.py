"""A site to ask, and browsers that ask it: one that signed in with some role, one that did not, and a real one."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from starlette.testclient import TestClient

from sidedoor.web.access import sessions
from sidedoor.web.access.access import COOKIE, life_of
from sidedoor.web.access.guard import Reach
from sidedoor.web.access.roles import Grant, Role
from sidedoor.web.app import make_app
from sidedoor.web.settings import WebSettings
from sidedoor.web.site import Site, open_site
from tests.web.world import NOW

HOST = "127.0.0.1:8642"
ORIGIN = f"http://{HOST}"


@dataclass
class Clock:
    """A clock that stands still unless it is told to move."""

    now: datetime = field(default=NOW)

    def __call__(self) -> datetime:
        return self.now

    def move(self, by: timedelta) -> None:
        self.now += by


@dataclass
class Served:
    """A site with its application and clock."""

    site: Site
    app: FastAPI
    clock: Clock

    def browser(self, *grants: Grant | Role, who: str = "anna@contoso.com") -> TestClient:
        """A browser in which somebody with these grants has signed in; nobody where there are none."""
        client = TestClient(self.app, base_url=ORIGIN, follow_redirects=False, headers={"Origin": ORIGIN})
        given = [each if isinstance(each, Grant) else Grant(each) for each in grants]
        if given:
            secret = sessions.begin(self.site.sessions, who, given, life_of(self.site.settings), self.clock())
            client.cookies.set(COOKIE, secret)
        return client


@contextmanager
def served(
    folders: list[Path], state: Path, settings: WebSettings | None = None, clock: Clock | None = None
) -> Iterator[Served]:
    """A site over these workspaces."""
    clock = clock or Clock()
    site = open_site(folders, settings or WebSettings(), state, clock)
    try:
        yield Served(site, make_app(site, Reach(frozenset({ORIGIN}))), clock)
    finally:
        site.close()


def csrf(page: str) -> str:
    """The token that the forms of a page bring along."""
    found = re.search(r'name="csrf" value="([^"]+)"', page)
    assert found is not None, "the page has no form"
    return found[1]


@contextmanager
def listening(app: FastAPI, at: int) -> Iterator[str]:
    """The application on a port, for a real browser."""
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=at, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        while not server.started:
            thread.join(0.01)
            assert thread.is_alive(), "the server did not start"
        yield f"http://127.0.0.1:{at}"
    finally:
        server.should_exit = True
        thread.join(10)
