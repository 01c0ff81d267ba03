"""The rows about many cards: what judging and documenting costs with 16 and with 128 of them, in one build and in eight."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.benchmark.table import Line, times
from tests.benchmark.workplace import Workplace, interleaved

MADE_UP = Path(__file__).with_name("made_up_cards.py")
CARDS = (1, 8, 16, 64, 128)
GROWTH_BAR = 10.0  # times 16 cards, for eight times as many: linear, and a quarter for what no longer fits the caches


def growth(workplace: Workplace) -> Iterator[Line]:
    """CPU time and memory of the parent's part alone: the children's is the libraries'."""
    command = [sys.executable, str(MADE_UP)]
    sizes = [(cards, builds) for builds in (1, 8) for cards in CARDS]
    commands = [([*command, str(cards), str(builds)], workplace.environment()) for cards, builds in sizes]
    columns = interleaved(workplace.here, commands, min(workplace.runs, 3))
    best = {size: min(json.loads(run.out)["seconds"] for run in runs) for size, runs in zip(sizes, columns, strict=True)}
    memory = {size: min(json.loads(run.out)["bytes"] for run in runs) for size, runs in zip(sizes, columns, strict=True)}
    for builds in (1, 8):
        curve = ", ".join(f"{cards}: {best[cards, builds] * 1000:.0f}" for cards in CARDS)
        figure = best[128, builds] / best[16, builds]
        yield times(f"128 cards, {_builds(builds)}", figure, GROWTH_BAR, f"16 cards, CPU; ms by cards: {curve}")
        held = ", ".join(f"{cards}: {memory[cards, builds] / 2**20:.1f}" for cards in CARDS)
        yield times("... memory", memory[128, builds] / memory[16, builds], GROWTH_BAR, f"16 cards; MiB by cards: {held}")


def _builds(number: int) -> str:
    return f"{number} build{'s' if number > 1 else ''}"
