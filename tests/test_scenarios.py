"""Machines, each a folder in `tests/scenarios`: the installed command judges its capture, and what it says is compared with
golden files. `--bless` rewrites them; a golden file is read in review.
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path

import pytest

from gpuprobe import capture
from tests.cli.documents import checked
from tests.cli.terminal import Ran, piped
from tests.scenarios.stage import evidence_of, names

SCENARIOS = Path(__file__).parent / "scenarios"
MACHINES = sorted(path.parent.name for path in SCENARIOS.glob("*/capture.json"))

ALWAYS = {"list.txt": "list", "env.sh": "env", "validate.txt": "validate", "flash-attn.txt": "flash-attn"}
WHERE_THERE = {
    "list-no-wake.txt": "list --no-wake",
    "list-all.txt": "list --all",
    "list-quick.txt": "list --quick",
    "list-cuda-1.txt": "list CUDA:1",
}

# What a machine teaches; that 31 machines lack the same library protects nothing. Two keep everything, one of them with builds.
TAUGHT = ("summary", "cards", "devices", "dropped", "warnings")
WHOLE = ("mixed-front-page", "jetson-with-builds")

GOLDEN = [
    (machine, file, command)
    for machine in MACHINES
    for file, command in {**ALWAYS, **WHERE_THERE}.items()
    if file in ALWAYS or (SCENARIOS / machine / file).exists()
]


@cache
def said(machine: str, command: str) -> Ran:
    """What the command answers for this machine, into pipes and so at 80 columns."""
    return piped(*command.split(), "--from", str(SCENARIOS / machine / "capture.json"))


def compare(machine: str, file: str, now: str, bless: bool) -> None:
    golden = SCENARIOS / machine / file
    if bless:
        golden.write_text(now, encoding="utf-8")

    assert now == golden.read_text(encoding="utf-8")


@pytest.mark.parametrize(("machine", "file", "command"), GOLDEN, ids=lambda value: value)
def test_a_machine_gets_the_same_answer_as_before(machine: str, file: str, command: str, bless: bool) -> None:
    compare(machine, file, said(machine, command).out, bless)


@pytest.mark.parametrize("machine", MACHINES)
def test_a_machine_gets_the_same_document_as_before(machine: str, bless: bool) -> None:
    """Indented, for the reader of a difference; the version is left open, because every release would change all files."""
    document = checked("list", said(machine, "list --json").out)
    document["gpuprobe"] = "any"

    shown = document if machine in WHOLE else {key: document[key] for key in TAUGHT}
    compare(machine, "list.json", json.dumps(shown, indent=2) + "\n", bless)


@pytest.mark.parametrize("machine", MACHINES)
def test_a_machine_gets_the_same_exit_codes_and_complaints_as_before(machine: str, bless: bool) -> None:
    ran = {command: said(machine, command) for command in ("list", "list --json", "env", "validate", "flash-attn")}

    lines = "".join(f"{command}: {each.code}{f'; {each.err.strip()}' if each.err else ''}\n" for command, each in ran.items())
    compare(machine, "exits.txt", lines, bless)


@pytest.mark.parametrize("command", ["list", "validate", "flash-attn"])
@pytest.mark.parametrize("machine", MACHINES)
def test_no_note_stands_twice_in_an_answer(machine: str, command: str) -> None:
    notes = re.split(r"\n(?=note: )", said(machine, command).out)[1:]

    assert len(notes) == len(set(notes))


def test_every_scenario_can_be_made_again() -> None:
    assert sorted(names()) == MACHINES


@pytest.mark.parametrize("machine", MACHINES)
def test_a_scenario_says_why_it_is_there_and_where_it_comes_from(machine: str) -> None:
    text = (SCENARIOS / machine / "why.md").read_text(encoding="utf-8")

    assert re.search("Captured on|Staged with doubles|Written by hand", text)
    assert len(text.split()) > 15


@pytest.mark.parametrize("machine", MACHINES)
def test_a_capture_shows_nothing_of_the_place_where_it_was_made(machine: str) -> None:
    text = (SCENARIOS / machine / "capture.json").read_text(encoding="utf-8")

    assert re.findall(r'"[^"]*(?:/tmp/|/root/|/home/|gpuprobe-)[^"]*"', text) == []


def test_staging_again_records_the_same_evidence() -> None:
    """If this fails, the children answer otherwise than when the captures were made: stage them all again."""
    machine = "second-card-chosen-by-user"
    file = SCENARIOS / machine / "capture.json"

    again = capture.document(evidence_of(machine))

    assert again["evidence"] == json.loads(file.read_text(encoding="utf-8"))["evidence"]
