"""All that is said of machines on which something is wrong: cause, evidence, steps, and nothing where nothing is.

The texts stand in `said/`, a file for a kind of fault; `pytest --bless` writes them anew.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.doctor import told_of_cards, told_of_machines, told_of_programs
from tests.doctor.in_words import in_words
from tests.doctor.told_of_machines import Told

SAID = Path(__file__).parent / "said"
MAKERS = (*told_of_machines.KINDS, *told_of_programs.KINDS, *told_of_cards.KINDS)
KINDS: dict[str, Callable[[], dict[str, Told]]] = {each.__name__.replace("_", "-"): each for each in MAKERS}


@pytest.mark.parametrize("kind", KINDS)
def test_a_fault_is_told_with_what_shows_it_and_what_to_do(kind: str, bless: bool) -> None:
    file = SAID / f"{kind}.txt"
    now = "\n".join(f"== {name}\n{in_words(found)}" for name, found in KINDS[kind]().items())
    if bless:
        file.write_text(now, encoding="utf-8")

    assert now == file.read_text(encoding="utf-8")
