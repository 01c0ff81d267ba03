"""Whether runtime libraries that were found really load: each in a child of its own, because loading one runs its code."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from typing import NamedTuple

from gpuprobe.facts import FoundSoftware
from gpuprobe.model import Outcome, Probe, Purpose, Status
from gpuprobe.probing.children import Children
from gpuprobe.strings import of_signal
from gpuprobe.survey.tree import Tree
from gpuprobe.survey.trust import why_others

LIMIT_SECONDS = 30.0  # libcublasLt is 540 MB, and may lie on a network
MOST_AT_ONCE = 4


class Loads(NamedTuple):
    """`answer` None: not decided, or not tried; `because` is the loader's words, or why it was not tried."""

    answer: bool | None
    because: str | None = None


def loads(
    found: Iterable[FoundSoftware], seconds: float | None = None, watch: Callable[[str], None] | None = None
) -> dict[str, Loads]:
    """By path, for the shared libraries among what was found. A library that another account could replace is not loaded."""
    answers: dict[str, Loads] = {}
    waiting = []
    for each in found:
        folder, _, name = each.path.rpartition("/")
        if each.library is None or ".so" not in name:
            continue
        others = why_others(Tree(), each.path)
        if others is not None:
            answers[each.path] = Loads(None, f"not loaded: {others}")
        else:
            # cuBLAS finds its other half only so, unless its program has loaded that before.
            search = ":".join(part for part in (folder, os.environ.get("LD_LIBRARY_PATH")) if part)
            waiting.append(Probe(each.library, Purpose.LIST, each.path, variables=(("LD_LIBRARY_PATH", search),)))
    return {**answers, **_asked(waiting, LIMIT_SECONDS if seconds is None else seconds, watch)}


def _asked(probes: list[Probe], seconds: float, watch: Callable[[str], None] | None) -> dict[str, Loads]:
    answers: dict[str, Loads] = {}
    children = Children(os.environ, watch)
    deadline = time.monotonic() + 2 * seconds
    try:
        while probes or children.running:
            while probes and len(children.running) < MOST_AT_ONCE:
                probe = probes.pop(0)
                request = {"backend": "loading", "purpose": "list", "candidates": [probe.build]}
                children.start(probe, request, seconds)
            outcome = children.next(deadline)
            if outcome is not None:
                answers[outcome.probe.build] = _read(outcome)
    finally:
        children.close()
    return answers


def _read(outcome: Outcome) -> Loads:
    if outcome.status is Status.NO_DEVICES:  # it came to its end, and a library alone lists none
        return Loads(True)
    if outcome.status is Status.NOT_LOADABLE:
        return Loads(False, outcome.message)
    if outcome.status is Status.CRASHED:
        return Loads(False, f"the process that loaded it was ended by {of_signal(outcome.signal)}")
    return Loads(None, outcome.message or f"the process that loaded it did not come to its end: {outcome.status.value}")
