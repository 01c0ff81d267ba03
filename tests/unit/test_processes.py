"""Processes that a driver numbers get names only where its numbers are ours."""

from __future__ import annotations

from pathlib import Path

from gpuprobe.survey.process_status import numbers, status_of
from gpuprobe.survey.processes import accounts, program_names
from gpuprobe.survey.tree import Tree
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


def test_whose_a_process_is_stands_in_its_status_and_not_with_the_owner_of_its_folder(tmp_path: Path) -> None:
    """The folder is root's where a process may not be dumped, and here it is whoever runs the tests."""
    nobody_s = "Name:\tllama-server\nUid:\t1\t4294900001\t1\t1\n"
    root = machine(tmp_path, {"/proc/5/status": nobody_s, "/proc/6/status": "Name:\tx\n", "/proc/7/comm": "x\n"})

    assert accounts([5, 6, 7, 8], root) == {5: "4294900001"}


def test_the_group_that_a_process_runs_as_is_one_of_its_groups(tmp_path: Path) -> None:
    status = "Name:\tx\nUid:\t7\t7\t7\t7\nGid:\t7\t992\t7\t7\nGroups:\t44 \n"

    found = status_of(Tree(machine(tmp_path, {"/proc/5/status": status})), 5)

    assert (found.gid, found.groups) == (992, (44, 992))


def test_processes_are_numbers_from_1_on(tmp_path: Path) -> None:
    names = ("10", "9", "0", "007", "\u0665", "self", "12345678901")
    root = machine(tmp_path, {f"/proc/{name}/comm": "x\n" for name in names})

    assert numbers(Tree(root)) == [9, 10]
