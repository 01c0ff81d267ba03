"""`list` for schedulers and monitors, as installed: one line for a requirement, other forms, and what they exclude."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli import machines
from tests.cli.machines import captured
from tests.cli.terminal import Ran, piped


@pytest.fixture
def broken(tmp_path: Path) -> str:
    return captured(machines.a_geforce_beside_a_broken_radeon(), tmp_path)


def test_a_requirement_is_answered_in_one_line_with_the_reason_of_the_card_that_is_missing(broken: str) -> None:
    """It is the reason with which Slurm drains the node, so it is one line however narrow the terminal is."""
    said = "requirement not met: 1 usable device, 2 needed (0000:03:00.0: no kernel driver)\n"

    assert piped("list", "--require", "count>=2", "--from", broken, COLUMNS="30") == Ran(said, "", 5)


def test_with_a_requirement_the_table_is_there_for_who_asks(broken: str) -> None:
    lines = piped("list", "--require", "count>=2", "--all", "--from", broken).out.splitlines()

    assert lines[0].startswith("requirement not met: 1 usable device, 2 needed")
    assert any(line.startswith("CUDA:0") for line in lines)


def test_the_brief_answer_has_no_figure_that_changes(broken: str) -> None:
    assert piped("list", "--brief", "--from", broken).out.splitlines() == [
        "1 of 2 GPUs usable; 0000:03:00.0 is not: no kernel driver",
        "1 x NVIDIA GeForce RTX 4090, CUDA, compute 8.9, driver 580.95.05, 24.0 GiB",
        "0000:03:00.0 Navi 31 [Radeon RX 7900 XT/XTX]: no kernel driver",
    ]


@pytest.mark.parametrize(
    ("form", "first"),
    [
        ("prometheus", "# HELP gpuprobe_info The version that wrote this."),
        ("labels", "gpuprobe/cards=2"),
        ("csv", "card,name,usable,reason,because,device,id,library,build,type,compute,driver,total_memory_bytes,"),
    ],
)
def test_another_form_is_written_whole_and_alone(broken: str, form: str, first: str) -> None:
    ran = piped("list", "--format", form, "--from", broken)

    assert ran.out.startswith(first)
    assert (ran.err, ran.code) == ("", 0)


def test_a_requirement_decides_the_exit_code_in_another_form_too(broken: str) -> None:
    ran = piped("list", "--format", "prometheus", "--require", "count>=2", "--from", broken)

    assert "\ngpuprobe_requirement_met 0\n" in ran.out
    assert ran.code == 5


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--format", "json"), "`--format json`: `--json` prints one JSON document; for example `gpuprobe list --json`"),
        (("--format", "xml"), "`--format xml`: it takes prometheus, labels, csv"),
        (("--format", "csv", "--brief"), "`--format` and `--brief` exclude each other: one form is written"),
        (("--brief", "--all"), "`--brief` and `--all` exclude each other"),
        (("CUDA:0", "--format", "csv"), "`--format` and `DEVICE` exclude each other"),
    ],
)
def test_forms_that_exclude_each_other_are_wrong_usage(arguments: tuple[str, ...], said: str) -> None:
    ran = piped("list", *arguments)

    assert (ran.out, ran.code) == ("", 2)
    assert said in ran.err
