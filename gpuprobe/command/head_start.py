"""The first questions are put to the libraries before the command line is read, where there is only one way to read it.

To load Typer takes as long as a library takes to answer. It is not asked what an option means: the lines are compared whole,
and whatever else is given waits for Typer.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gpuprobe.discovery import Begun
    from gpuprobe.model import Request

_LINES = ((), ("list",), ("--json",), ("list", "--json"), ("doctor",), ("doctor", "--json"))
_REFUSES = "OLLAMA_LLM_LIBRARY"  # with it in the environment `list` may leave before it asks anything

_started: list[Begun] = []


def start(arguments: Sequence[str]) -> None:
    if tuple(arguments) not in _LINES or _REFUSES in os.environ:
        return
    with contextlib.suppress(Exception):  # the command meets it again, and has words for it
        from gpuprobe.discovery import begun
        from gpuprobe.model import Request

        _started.append(begun(Request()))


def taken(request: Request) -> Begun | None:
    """What was begun, where it is just what is asked for. Whoever takes it closes its children."""
    return _started.pop() if _started and request == type(request)() else None


def give_up() -> None:
    """Ends what was begun and not taken: the command left before it asked anything."""
    while _started:
        _started.pop().children.close()
