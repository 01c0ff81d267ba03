"""One reading after another: what is looked at again each time."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from gpuprobe import watching
from gpuprobe.model import Host, Wanted
from gpuprobe.watching import Watching
from tests.records import a_host, evidence_of

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the survey is Linux's")


def test_a_reading_looks_for_builds_where_the_discovery_did_and_for_no_frameworks(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []

    def surveyed(**how: Any) -> Host:
        asked.append(how)
        return a_host()

    monkeypatch.setattr(watching, "read_host", surveyed)
    watched = Watching((), evidence_of(), Wanted(lib_dirs=("/opt/builds",)))
    try:
        watched.read()
    finally:
        watched.close()

    assert asked == [{"lib_dirs": ("/opt/builds",), "software": False}]
