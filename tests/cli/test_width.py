"""What a person sees at different widths, in a pipe, and with colours wanted or not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli import machines
from tests.cli.machines import captured
from tests.cli.terminal import on_terminal, piped
from tests.doubles import Variables
from tests.records import an_outcome


@pytest.mark.parametrize("columns", [40, 80, 200])
@pytest.mark.parametrize("command", ["list", "validate", "flash-attn"])
@pytest.mark.parametrize("machine", [machines.two_geforces, machines.a_hostile_machine], ids=lambda machine: machine.__name__)
def test_no_line_is_longer_than_the_terminal_is_wide(tmp_path: Path, columns: int, command: str, machine: object) -> None:
    path = captured(machine(), tmp_path)  # type: ignore[operator]

    ran = piped(command, "--from", path, COLUMNS=str(columns))

    assert max(len(line) for line in ran.out.splitlines()) <= columns


def test_at_80_columns_the_table_has_two_lines_per_device_and_nothing_is_cut(tmp_path: Path) -> None:
    seen = on_terminal("--from", captured(machines.two_geforces(), tmp_path), columns=80)

    assert seen.lines[:4] == [
        "2 of 2 GPUs usable",
        "DEVICE  NAME                     COMPUTE  DRIVER     USED",
        "CUDA:0  NVIDIA GeForce RTX 4090  8.9      580.95.05  3.0 of 24.0 GiB",
        "        discrete, 0000:01:00.0                       █░░░░░░░░░",
    ]


def test_at_200_columns_each_device_is_one_line(tmp_path: Path) -> None:
    seen = on_terminal("--from", captured(machines.two_geforces(), tmp_path), columns=200)

    (first,) = [line for line in seen.lines if line.startswith("CUDA:0")]
    assert first.split("  ")[-1].strip() == "0000:01:00.0"
    assert "NVIDIA GeForce RTX 4090" in first and "3.0 of 24.0 GiB" in first and "discrete" in first


def test_below_60_columns_each_device_is_a_block(tmp_path: Path) -> None:
    seen = on_terminal("--from", captured(machines.two_geforces(), tmp_path), columns=40)

    place = seen.lines.index("CUDA:0  NVIDIA GeForce RTX 4090")
    assert seen.lines[place + 1 : place + 4] == [
        "  discrete, 0000:01:00.0",
        "  compute 8.9, driver 580.95.05",
        "  memory used 3.0 of 24.0 GiB █░░░░░░░░░",
    ]


@pytest.mark.parametrize("columns", [60, 80, 100, 130])
def test_a_long_name_is_cut_and_device_and_memory_never_are(tmp_path: Path, columns: int) -> None:
    long = machines.a_geforce(name="NVIDIA RTX PRO 6000 Blackwell Max-Q Workstation Edition with a very long name indeed " * 2)
    machine = machines.evidence(an_outcome(long), machines.witnessed(long), machines.passed(long), host=machines.with_driver())

    ran = piped("--from", captured(machine, tmp_path), COLUMNS=str(columns))

    assert "CUDA:0" in ran.out
    assert "3.0 of 24.0 GiB" in ran.out
    assert "580.95.05" in ran.out
    assert max(len(line) for line in ran.out.splitlines()) <= columns


def test_a_pipe_gets_plain_text_of_80_columns(tmp_path: Path) -> None:
    path = captured(machines.two_geforces(), tmp_path)

    ran = piped("--from", path)

    assert "\x1b" not in ran.out
    assert ran.out == piped("--from", path, COLUMNS="80").out


def test_a_terminal_gets_colours(tmp_path: Path) -> None:
    seen = on_terminal("--from", captured(machines.two_geforces(), tmp_path))

    assert "\x1b[" in seen.raw


@pytest.mark.parametrize(
    ("option", "variables"),
    [
        ((), {"NO_COLOR": "1"}),
        (("--no-color",), {}),
        ((), {"NO_COLOR": "1", "FORCE_COLOR": "1"}),
        ((), {"TERM": "dumb"}),
    ],
)
def test_colours_stay_away_when_they_are_not_wanted(tmp_path: Path, option: tuple[str, ...], variables: Variables) -> None:
    seen = on_terminal("--from", captured(machines.two_geforces(), tmp_path), *option, **variables)

    assert "\x1b" not in seen.raw
    assert seen.lines[0] == "2 of 2 GPUs usable"


def test_colours_come_into_a_pipe_when_they_are_forced(tmp_path: Path) -> None:
    path = captured(machines.two_geforces(), tmp_path)

    ran = piped("--from", path, FORCE_COLOR="1")

    assert "\x1b[1m2 of 2 GPUs usable\x1b[0m" in ran.out


@pytest.mark.parametrize("columns", ["0", "-5", "wide", "", "²"])
def test_a_width_that_is_none_counts_as_80(tmp_path: Path, columns: str) -> None:
    path = captured(machines.two_geforces(), tmp_path)

    assert piped("--from", path, COLUMNS=columns).out == piped("--from", path).out


def test_a_terminal_without_unicode_gets_a_bar_of_ascii(tmp_path: Path) -> None:
    ran = piped("--from", captured(machines.two_geforces(), tmp_path), LANG="C", LC_ALL="C", PYTHONIOENCODING="ascii")

    assert ran.code == 0
    assert "#........." in ran.out
    assert ran.out.isascii()


def test_json_on_a_terminal_is_indented_and_without_colours(tmp_path: Path) -> None:
    seen = on_terminal("--json", "--from", captured(machines.two_geforces(), tmp_path), columns=200, rows=1000)

    assert "\x1b" not in seen.raw
    assert seen.lines[:2] == ["{", '  "schema_version": 1,']
