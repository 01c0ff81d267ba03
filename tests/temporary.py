"""The one folder of a run of the tests, in which everything lies that no `tmp_path` holds; nothing of it stays."""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import tempfile
from pathlib import Path


@functools.cache
def _root() -> Path:
    directory = Path(tempfile.mkdtemp(prefix="gpuprobe-tests-", dir=_SYSTEMS))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    return directory


# Before anything else is said to be the place for temporary files, as `stray` is. One of several processes was told that
# before, and the first one, which runs no tests, tells where the system's are.
_SYSTEMS = os.environ.get("PYTEST_DEBUG_TEMPROOT") or tempfile.gettempdir()


def folder(what: str) -> Path:
    """A new folder, which lives as long as the process."""
    return Path(tempfile.mkdtemp(prefix=f"{what}-", dir=_root()))


@functools.cache
def stray() -> Path:
    """Where temporary files of the tests, and of what they start, come to lie that nobody has taken care of."""
    directory = _root() / "stray"
    directory.mkdir()
    return directory
