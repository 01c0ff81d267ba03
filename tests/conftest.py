"""Options and fixtures of the whole suite."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests import temporary, turns
from tests.doctor.told_diagnoses import pytest_pyfunc_call

__all__ = ["pytest_pyfunc_call"]

# Children of other tests compete for the machine's cores: how long an example takes says nothing of what is tested.
settings.register_profile("gpuprobe", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("gpuprobe")


def pytest_configure() -> None:
    """Who runs the tests may ignore signals, as `nohup` and `&` in a script do, and what they start would inherit that.

    A handler does the same here, and is not inherited.
    """
    for name in ("SIGINT", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, lambda *_: None)
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", tempfile.gettempdir())  # `tmp_path` stays where one looks for it
    os.environ["TMPDIR"] = tempfile.tempdir = str(temporary.stray())


_LEFT = pytest.StashKey[list[str]]()


@pytest.hookimpl(wrapper=True)
def pytest_sessionfinish(session: pytest.Session) -> Iterator[None]:
    """A run that leaves temporary files behind has failed, whatever its tests say."""
    yield
    left = session.config.stash.get(_LEFT, []) + sorted(path.name for path in temporary.stray().iterdir())
    if hasattr(session.config, "workeroutput"):  # one of several processes of pytest-xdist
        session.config.workeroutput["left"] = left
    elif left:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        session.config.pluginmanager.getplugin("terminalreporter").write_line(
            f"temporary files were left behind: {left}", red=True
        )


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """What one of several processes has left behind."""
    node.config.stash.setdefault(_LEFT, []).extend(getattr(node, "workeroutput", {}).get("left", []))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--bless", action="store_true", help="rewrite the golden files with what the program says now")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
    """With `--dist loadfile` the tests of a module follow each other, and what it has started is there for all of them."""
    with turns.turn(item.path.stem, None if nextitem is None else nextitem.path.stem):
        return (yield)


@pytest.fixture
def bless(request: pytest.FixtureRequest) -> bool:
    """Whether golden files are to be rewritten; read the difference before committing it."""
    return bool(request.config.getoption("--bless"))
