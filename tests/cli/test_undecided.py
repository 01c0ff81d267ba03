"""What was not decided is said, hidden, and in the exit code where it could change the answer; and nowhere else."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from gpuprobe.model import Evidence, Outcome, Probe, Purpose, Status
from tests.cli import machines
from tests.cli.documents import checked
from tests.cli.machines import captured
from tests.cli.terminal import piped
from tests.doubles import cuda_driver, described, hip_runtime, script
from tests.records import a_card, an_outcome

FIRST = machines.a_geforce()
SECOND = machines.a_geforce(number=1, pci_id=machines.SECOND, uuid="GPU-2")
BOTH = machines.with_driver()._replace(pci=(a_card(machines.FIRST), a_card(machines.SECOND)))


@pytest.fixture
def one_hangs(tmp_path: Path) -> str:
    machine = machines.evidence(
        an_outcome(FIRST, SECOND), machines.passed(FIRST), machines.hung(SECOND), machines.witnessed(FIRST, SECOND), host=BOTH
    )
    return captured(machine, tmp_path)


def test_env_says_which_card_was_not_decided_prints_its_lines_and_leaves_with_6(one_hangs: str) -> None:
    ran = piped("env", "--from", one_hangs)

    assert ran.code == 6
    assert ran.out == f"export CUDA_VISIBLE_DEVICES='{FIRST.uuid}'\n"
    assert ran.err.startswith(f"note: not decided, and therefore hidden: {machines.SECOND} through CUDA: ")
    assert ran.err.count("\n") == 1


def test_env_says_so_though_it_is_quiet_and_in_its_document(one_hangs: str) -> None:
    assert "not decided" in piped("env", "-q", "--from", one_hangs).err
    document = checked("env", piped("env", "--json", "--from", one_hangs).out)
    assert document["summary"]["exit_code"] == 6
    assert document["variables"]


@pytest.mark.parametrize("arguments", [("CUDA:0",), ("--count", "1")])
def test_a_choice_that_could_not_be_larger_is_answered(arguments: tuple[str, ...], one_hangs: str) -> None:
    assert piped("env", *arguments, "--from", one_hangs).code == 0


def test_a_program_is_run_under_the_lines_and_its_code_is_returned(tmp_path: Path) -> None:
    card = described("device", name="one", uuid="11" * 16, pci="0000:0a:00.0")
    machine = {
        "LD_LIBRARY_PATH": f"{cuda_driver().parent}:{hip_runtime().parent}",
        "FAKE_CUDA": script(card),
        "FAKE_HIP": "hang hipInit",
        "VK_DRIVER_FILES": str(tmp_path / "none.json"),
    }
    program = "import os, sys; sys.exit(7 if os.environ['ROCR_VISIBLE_DEVICES'] == '-1' else 1)"

    ran = piped("env", "--timeout", "2", "--", sys.executable, "-c", program, **machine)

    assert ran.code == 7
    assert "not decided, and therefore hidden: ROCm: " in ran.err


def a_lost_cuda(status: Status) -> Evidence:
    """NVIDIA's card is on the bus and its library gave no answer; AMD's works through Vulkan."""
    radeon = machines.a_radeon_of_vulkan()
    host = machines.a_workstation(
        pci=(a_card(machines.FIRST), machines.an_amd_card()), libraries=machines.NVIDIA_DRIVER + machines.VULKAN_LOADER
    )
    lost = Outcome(Probe("CUDA", Purpose.LIST), status, seconds=30.0)
    return machines.evidence(lost, an_outcome(radeon), machines.passed(radeon), host=host)


@pytest.mark.parametrize("status", [Status.TIMED_OUT, Status.CRASHED, Status.EXITED, Status.UNREADABLE, Status.ABANDONED])
def test_a_library_that_is_there_and_did_not_answer_is_hidden_by_its_variable(tmp_path: Path, status: Status) -> None:
    ran = piped("env", "--from", captured(a_lost_cuda(status), tmp_path))

    assert "export CUDA_VISIBLE_DEVICES='-1'\n" in ran.out
    assert ran.code == 6
    assert "not decided, and therefore hidden: CUDA: " in ran.err


def test_a_library_that_is_not_there_is_not_hidden(tmp_path: Path) -> None:
    ran = piped("env", "--from", captured(a_lost_cuda(Status.ABSENT), tmp_path))

    assert (ran.code, "CUDA" in ran.out) == (0, False)


def beside_a_build(ended: Status) -> Evidence:
    """The system's view of the card passes; that of a build did not end well."""
    build = machines.a_geforce(build="cuda_v13", uuid=None, library_path="/usr/lib/ollama/cuda_v13/libggml-cuda.so")
    broken = machines.hung(build)._replace(status=ended, signal=6 if ended is Status.CRASHED else None)
    listed = an_outcome(FIRST), an_outcome(build), machines.witnessed(FIRST)
    return machines.evidence(*listed, machines.passed(FIRST), broken, host=machines.with_driver())


@pytest.mark.parametrize("ended", [Status.TIMED_OUT, Status.CRASHED])
def test_validate_agrees_with_itself_where_a_build_gives_no_answer_and_each_card_works(tmp_path: Path, ended: Status) -> None:
    ran = piped("validate", "--from", captured(beside_a_build(ended), tmp_path))

    assert ran.out.startswith("1 of 2 views passed; the card works\n")
    assert ran.code == 0


def test_under_strict_every_view_counts(tmp_path: Path) -> None:
    assert piped("validate", "--strict", "--from", captured(beside_a_build(Status.TIMED_OUT), tmp_path)).code == 6
    assert piped("validate", "--strict", "--from", captured(beside_a_build(Status.CRASHED), tmp_path)).code == 4


def test_env_is_silent_where_a_better_view_of_the_same_card_was_decided(tmp_path: Path) -> None:
    ran = piped("env", "--from", captured(beside_a_build(Status.TIMED_OUT), tmp_path))

    assert ran.code == 0
    assert "not decided, and therefore hidden" in ran.err or ran.err == ""
