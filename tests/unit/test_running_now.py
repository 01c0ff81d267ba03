"""A whole reading of a machine that is made up: an AMD card, its compute driver's own counts, containers and children."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from gpuprobe.command.running import exit_of
from gpuprobe.command.running_options import Wanted
from gpuprobe.command.running_watch import readings
from gpuprobe.doctor.judged_process import Where
from gpuprobe.doctor.process_summary import Absent
from gpuprobe.exits import Exit
from gpuprobe.judging.rules import judge
from gpuprobe.model import Depth, Evidence, Request, Validation, Verdict
from gpuprobe.running_now import RunningNow, numbers_of_unit
from tests.file_trees import machine
from tests.records import a_device, a_host
from tests.unit.test_process_table import BIN, STATUS, a_machine, proc

CARD = "0000:03:00.0"
NODE = "/sys/class/kfd/kfd/topology/nodes/1"
CARDS = {f"{NODE}/gpu_id": "51110\n", f"{NODE}/properties": "location_id 768\ndomain 0\n"}
HIP = (f"{BIN}/libggml-base.so", f"{BIN}/libggml-hip.so", "/opt/rocm/lib/libamdhip64.so.7")
DOCKER = "0::/system.slice/docker-" + "ab" * 32 + ".scope\n"
COUNTED = 5 << 30


def reading(root: Path, *processes: dict[str, str], counted: dict[int, int] | None = None) -> RunningNow:
    held = {f"/sys/class/kfd/kfd/proc/{number}/vram_51110": f"{size}\n" for number, size in (counted or {}).items()}
    tree = a_machine(root, *processes)
    machine(root, {**CARDS, **held})
    card = a_device("ROCm", pci_id=CARD, uuid="GPU-1")
    kept = card._replace(ordinal=0, validation=Validation(Verdict.SUPPORTED, Depth.CONTEXT, "it works"))
    inventory = judge(Evidence(a_host(), (), "2026-11-28T09:00:00Z"), Request())._replace(kept=(kept,))
    return RunningNow(inventory, Request(), tree)


def verdicts(now: RunningNow) -> dict[int, tuple[Where, str]]:
    return {each.process.number: (each.where, each.because) for each in now.read().processes}


def test_a_process_of_a_container_is_named_with_it_and_counted_by_kfd(tmp_path: Path) -> None:
    inside = proc(42, "llama-server", f"{BIN}/llama-server -m /m/a.gguf", HIP, cgroup=DOCKER)

    (found,) = reading(tmp_path, inside, counted={42: COUNTED}).read().processes

    assert (found.where, found.because) == (Where.ON_THE_GPU, "it holds 5.0 GiB on ROCm:0 (KFD)")
    assert found.container is not None and found.container.text == "docker " + "ab" * 6


def test_what_a_child_holds_speaks_for_the_process_that_started_it(tmp_path: Path) -> None:
    front = proc(42, "python3", "python3 -m vllm.entrypoints.openai.api_server --model x")
    worker = proc(
        43, "VLLM::EngineCor", "VLLM::EngineCore", HIP[2:], status=STATUS.format(name="x").replace("PPid:\t1", "PPid:\t42")
    )

    found = verdicts(reading(tmp_path, front, worker, counted={43: COUNTED}))

    assert found[42] == (Where.ON_THE_GPU, "its process 43 computes: it holds 5.0 GiB on ROCm:0 (KFD)")


def test_what_another_process_holds_says_nothing_of_this_one(tmp_path: Path) -> None:
    server = proc(42, "llama-server", f"{BIN}/llama-server -m /m/a.gguf", HIP)

    found = verdicts(reading(tmp_path, server, counted={7: COUNTED}))

    assert found[42][0] is Where.ON_THE_CPU


@pytest.mark.parametrize(("memory", "where"), [("5242880 KiB", Where.ON_THE_GPU), ("0 KiB", Where.ON_THE_CPU)])
def test_fdinfo_of_the_cards_own_handle_decides(tmp_path: Path, memory: str, where: Where) -> None:
    now = reading(tmp_path, proc(42, "llama-server", f"{BIN}/llama-server -m /m/a.gguf", HIP))
    (tmp_path / "proc/42/fd/7").symlink_to("/dev/dri/renderD128")
    (tmp_path / "proc/42/fdinfo").mkdir()
    (tmp_path / "proc/42/fdinfo/7").write_text(f"drm-pdev:\t{CARD}\ndrm-client-id:\t5\ndrm-resident-vram:\t{memory}\n")

    assert verdicts(now)[42][0] is where


def test_a_unit_means_its_processes_with_and_without_its_ending(tmp_path: Path) -> None:
    table = reading(tmp_path, proc(42, "llama-server", "llama-server")).read().table

    assert numbers_of_unit("llama", table) == numbers_of_unit("llama.service", table) == (42,)
    assert numbers_of_unit("other", table) == ()


def test_a_watched_unit_is_looked_up_for_each_reading(tmp_path: Path) -> None:
    """A service that is restarted has another process; while it has none, the watch goes on and says so."""
    answers = readings(reading(tmp_path, proc(42, "llama-server", "llama-server")), Wanted(units=("llama",)))

    first = next(answers)
    shutil.rmtree(tmp_path / "proc/42")
    between = next(answers)
    machine(tmp_path, proc(43, "llama-server", "llama-server"))
    (tmp_path / "proc/43/fd").mkdir()
    last = next(answers)
    answers.close()

    assert [[each.process.number for each in answer.shown] for answer in (first, between, last)] == [[42], [], [43]]
    assert list(between.absent.sentences) == ["no process that computes belongs to the unit `llama` now"]
    assert exit_of(between) is Exit.UNDECIDED


def test_the_watch_of_a_process_ends_with_it_and_a_unit_beside_it_keeps_it_going(tmp_path: Path) -> None:
    now = reading(tmp_path, proc(42, "llama-server", "llama-server"))
    alone, beside = readings(now, Wanted(numbers=(42,))), readings(now, Wanted((42,), ("llama",)))
    next(alone), next(beside)
    shutil.rmtree(tmp_path / "proc/42")

    assert [answer.absent for answer in alone] == [Absent((42,))]
    assert next(beside).absent == Absent((42,), ("llama",))
    assert next(beside).absent == Absent((), ("llama",))
