"""Names and words of drivers are shown, and never obeyed: by no terminal, no shell, no markup and no parser."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.cli import machines
from tests.cli.machines import HOSTILE, captured
from tests.cli.terminal import environment, on_terminal, piped
from tests.records import an_outcome

COMMANDS = [
    ("list",),
    ("list", "--all", "-v"),
    ("list", "CUDA:0"),
    ("validate", "-v"),
    ("flash-attn",),
    ("list", "--quick"),
]


@pytest.mark.parametrize("columns", [40, 80, 200])
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_no_escape_code_of_a_driver_reaches_the_terminal(tmp_path: Path, command: tuple[str, ...], columns: int) -> None:
    path = captured(machines.a_hostile_machine(), tmp_path)

    ran = piped(*command, "--from", path, COLUMNS=str(columns))
    seen = on_terminal(*command, "--from", path, "--no-color", columns=columns)

    assert "\x1b" not in ran.out + ran.err
    assert "\x1b" not in seen.raw
    assert ran.code in (0, 4)


def test_markup_in_a_name_is_text(tmp_path: Path) -> None:
    seen = on_terminal("list", "--from", captured(machines.a_hostile_machine(), tmp_path), columns=200)

    assert "[bold]red[/bold]" in seen.text


def test_a_name_with_line_breaks_stays_on_one_line(tmp_path: Path) -> None:
    device = machines.a_geforce(name="one\ntwo\rthree")
    machine = machines.evidence(
        an_outcome(device), machines.witnessed(device), machines.passed(device), host=machines.with_driver()
    )

    ran = piped("list", "--from", captured(machine, tmp_path), COLUMNS="200")

    assert "one\\x0atwo\\x0dthree" in ran.out


def test_a_name_of_wide_characters_keeps_the_columns_in_line(tmp_path: Path) -> None:
    wide, narrow = (
        machines.a_geforce(name="显卡" * 30),
        machines.a_geforce(number=1, pci_id=machines.SECOND, uuid="GPU-2"),
    )
    host = machines.with_driver()
    machine = machines.evidence(
        an_outcome(wide, narrow),
        machines.witnessed(wide, narrow),
        machines.passed(wide),
        machines.passed(narrow),
        host=host,
    )

    seen = on_terminal("list", "--from", captured(machine, tmp_path), columns=80)

    # pyte puts a blank stub behind each wide character, so that positions on its screen are columns.
    assert len({line.index("580.95.05") for line in seen.lines if "580.95.05" in line and "显" not in line}) == 1
    assert max(len(line) for line in seen.lines) <= 80


def test_sh_gets_the_hostile_id_as_a_value_and_runs_nothing(tmp_path: Path) -> None:
    path = captured(machines.a_hostile_machine(), tmp_path)
    (tmp_path / "empty").mkdir()

    lines = piped("env", "CUDA:0", "--from", path).out
    done = subprocess.run(
        ["sh", "-c", f'{lines}\nprintf %s "$CUDA_VISIBLE_DEVICES"'],
        cwd=tmp_path / "empty",
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout == HOSTILE
    assert list((tmp_path / "empty").iterdir()) == []


def test_the_advised_use_in_a_script_sets_the_variables_and_runs_nothing(tmp_path: Path) -> None:
    path = captured(machines.a_hostile_machine(), tmp_path)
    lines = tmp_path / "lines"
    lines.write_text(piped("env", "CUDA:0", "--from", path).out)
    (tmp_path / "empty").mkdir()

    script = f'set -e; e=$(cat {lines}) || exit; eval "$e"; printf %s "$CUDA_VISIBLE_DEVICES"'
    done = subprocess.run(["sh", "-c", script], cwd=tmp_path / "empty", capture_output=True, text=True, check=True)

    assert done.stdout == HOSTILE
    assert list((tmp_path / "empty").iterdir()) == []


def test_json_carries_the_hostile_name_as_it_is_and_no_control_character(tmp_path: Path) -> None:
    ran = piped("list", "--json", "--from", captured(machines.a_hostile_machine(), tmp_path))

    document = json.loads(ran.out)
    assert document["devices"][0]["name"] == HOSTILE
    assert ran.out.rstrip("\n").isprintable()
    sentences = [document["summary"]["text"], *document["warnings"], *(drop["because"] for drop in document["dropped"])]
    assert all(sentence.isprintable() for sentence in sentences)


def test_hostile_arguments_are_shown_and_not_obeyed(tmp_path: Path) -> None:
    path = captured(machines.two_geforces(), tmp_path)

    for argument in (HOSTILE, "\x1b]0;title\x07", "[bold]x[/bold]", "a\nb"):
        for command in ("list", "env", "validate", "flash-attn"):
            ran = piped(command, "--from", path, "--", argument)

            assert ran.code == 2
            assert "\x1b" not in ran.err
            assert ran.err.count("\n") == 1
