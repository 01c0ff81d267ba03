"""Whatever text a capture holds, in whichever field: no command lets it reach the terminal raw, and none takes it for a bug.

A capture is made to be sent, so each of its texts is a stranger's. Every kind of place is tried: values, and keys where a key
is free.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from gpuprobe.capture import CaptureError, load
from gpuprobe.command.exiting import run
from gpuprobe.exits import Exit
from gpuprobe.render.screen import Screen
from tests.models import a_dense_model

SCENARIOS = Path(__file__).parents[1] / "scenarios"
MACHINES = (
    *("mixed-front-page", "mig-slices", "rocm-beside-integrated", "two-builds", "one-of-two-computes-wrongly"),
    *("software-that-does-not-run", "crashing-vulkan-driver", "laptop-asleep", "jetson-with-builds", "wsl2"),
)
# A title for the window, colours, the other way round, a new line, and C1's short form of an escape.
HOSTILE = "\x1b]0;PWN\x07\x1b[31m\u202e\n\x9b1m\x7f"
COMMANDS = (
    *(("list",), ("list", "--all", "-v"), ("list", "--json"), ("list", "--quick"), ("validate", "-v"), ("validate", "--json")),
    *(("flash-attn",), ("flash-attn", "--json"), ("env",), ("env", "--json"), ("env", "--format", "systemd")),
    *(("refresh",), ("list", "--require", "free>=1000GiB"), ("plan", "MODEL"), ("plan", "--json", "MODEL")),
)

Place = tuple[str | int, ...]


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def places(part: Any, above: Place = ()) -> Iterator[tuple[Place, bool]]:
    """Every text below, and whether it is a key of the object there."""
    if isinstance(part, dict):
        for key, value in part.items():
            yield (*above, key), True
            yield from places(value, (*above, key))
    elif isinstance(part, list):
        for number, value in enumerate(part):
            yield from places(value, (*above, number))
    elif isinstance(part, str):
        yield above, False


def kind_of(place: Place, is_key: bool) -> tuple[Any, ...]:
    """Texts of one list are of one kind, and so are the files and variables that have been read."""
    free = {"texts", "environ", "links", "facts", "capabilities", "figures"}
    names = [
        "*" if isinstance(part, int) or (number and place[number - 1] in free) else part for number, part in enumerate(place)
    ]
    return (*names, is_key)


def spoilt(document: Any, place: Place, is_key: bool) -> Any:
    whole = copy.deepcopy(document)
    part = whole
    for name in place[:-1]:
        part = part[name]
    if is_key:
        part[f"{place[-1]}{HOSTILE}"] = part.pop(place[-1])
    else:
        part[place[-1]] = f"{part[place[-1]]}{HOSTILE}"
    return whole


def accepted(document: Any, path: Path) -> bool:
    path.write_text(json.dumps(document))
    try:
        load(path)
    except CaptureError:
        return False
    return True


def raw(text: str) -> str:
    return "".join(character for character in text if character != "\n" and not character.isprintable())


@pytest.fixture(scope="module")
def seen() -> set[tuple[Any, ...]]:
    """The kinds of place that were tried: one machine tries each."""
    return set()


@pytest.mark.parametrize("machine", MACHINES)
def test_no_text_of_a_capture_reaches_the_terminal_raw(machine: str, tmp_path: Path, seen: set[tuple[Any, ...]]) -> None:
    document = json.loads((SCENARIOS / machine / "capture.json").read_text())
    model, path = a_dense_model(tmp_path), tmp_path / "spoilt.json"
    found = []
    for place, is_key in places(document["evidence"], ("evidence",)):
        if (kind := kind_of(place, is_key)) in seen:
            continue
        seen.add(kind)
        commands = COMMANDS if accepted(spoilt(document, place, is_key), path) else COMMANDS[:1]
        for command in commands:
            out, err = Terminal(), Terminal()
            words = [model if word == "MODEL" else word for word in command]
            code = run([*words, "--from", str(path), "--no-color"], Screen(out, err, {"COLUMNS": "80"}))
            if raw(out.getvalue() + err.getvalue()) or code == Exit.BUG:
                found.append((place, is_key, command, code))

    assert found == []
