"""Processes that a driver numbers get names only where its numbers are ours."""

from __future__ import annotations

from pathlib import Path

from gpuprobe.survey.processes import program_names
from tests.file_trees import machine

FIRST, OTHER = "pid:[4026531836]", "pid:[4026532201]"
PROCESSES: dict[str, str | bytes] = {"/proc/4711/comm": "python3\n", "/proc/99/comm": "\n", "/proc/12/comm": b"\xff\x1b[31m\n"}


def test_a_process_of_this_machine_has_a_name_where_its_file_tells_one(tmp_path: Path) -> None:
    root = machine(tmp_path, PROCESSES, links={"/proc/self/ns/pid": FIRST})

    names = program_names([4711, 99, 5, 12], root)

    assert names == {4711: "python3", 12: "\\xff\x1b[31m"}


def test_in_a_container_a_number_is_another_process_and_has_no_name(tmp_path: Path) -> None:
    assert program_names([4711], machine(tmp_path / "inside", PROCESSES, links={"/proc/self/ns/pid": OTHER})) == {}
    assert program_names([4711], machine(tmp_path / "elsewhere", PROCESSES)) == {}
