"""Tests of the collector write thousands of small files; only the tests of cuts want them to reach the disk."""

from __future__ import annotations

import os

import pytest


@pytest.fixture(autouse=True)
def nothing_is_flushed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda _: None)
