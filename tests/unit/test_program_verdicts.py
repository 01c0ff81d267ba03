"""Whether one program computes on a GPU of this machine, to the word: what `doctor --for` answers first."""

from __future__ import annotations

from typing import Any

import pytest

from gpuprobe.doctor.program_verdicts import ProgramVerdict, verdict_for
from gpuprobe.facts import CPU_ONLY, FoundBuild, FoundSoftware, NamedPlace
from gpuprobe.judging.rules import judge
from gpuprobe.model import Device, Request
from tests.records import a_card, a_device, a_host, evidence_of

CARD = a_device("CUDA", pci_id="0000:01:00.0", compute_major=12, compute_minor=0, uuid="GPU-1")
SECOND = CARD._replace(pci_id="0000:02:00.0", uuid="GPU-2", number=1, compute_major=8, compute_minor=6)
PLACES = "it is in none of the usual places; `--lib-dir DIR` names another"
CPU_ALONE = (
    "Ollama has no build for a GPU (`/usr/lib/ollama` holds CPU backends only): it will compute on the CPU; install the "
    "release of ollama.com, which has them (Arch: `ollama-cuda` or `ollama-rocm`)"
)


def a_build(folder: str, product: str | None = "ollama", where: str = "Ollama") -> FoundBuild:
    home = f"/opt/{folder}"
    return FoundBuild(folder, "CUDA", f"{home}/libggml-cuda.so", (), (home,), where, product=product)


def verdict(program: str, *devices: Device, **host: Any) -> ProgramVerdict:
    cards = (a_card(), a_card("0000:02:00.0"))
    return verdict_for(program, judge(evidence_of(*devices, host=a_host(**{"pci": cards, **host})), Request()))


@pytest.mark.parametrize(
    ("program", "title"),
    [
        (" Ollama ", "Ollama"),
        ("llama.cpp", "llama.cpp"),
        ("llama-server", "llama.cpp"),
        ("LlamaCpp", "llama.cpp"),
    ],
)
def test_a_program_of_which_nothing_is_there_was_not_found(program: str, title: str) -> None:
    inside = f"where {title} runs in a container, run gpuprobe in that container"
    other = (a_build("cuda_v12", *(("llama.cpp", "llama.cpp") if title == "Ollama" else ("ollama", "Ollama"))),)

    expected = ProgramVerdict(title, None, f"{title} was not found here", (PLACES, inside))
    assert verdict(program, CARD) == expected
    assert verdict(program, CARD._replace(build="cuda_v12"), builds=other) == expected


def test_a_program_with_a_build_through_which_cards_work_computes_on_them() -> None:
    both = [CARD._replace(build="cuda_v12"), SECOND._replace(build="cuda_v12")]

    found = verdict("ollama", *both, builds=(a_build("cuda_v12"),))

    through = "CUDA:0 through its build `cuda_v12`, CUDA:1 through its build `cuda_v12`"
    assert found == ProgramVerdict("Ollama", True, f"Ollama computes on {through}")


def test_a_build_of_an_old_capture_is_known_by_where_it_was_found() -> None:
    found = verdict("ollama", CARD._replace(build="cuda_v12"), builds=(a_build("cuda_v12", product=None),))

    assert found.computes is True


def test_a_program_that_computes_on_one_card_says_why_not_on_another() -> None:
    arc = a_device("Vulkan", pci_id="0000:03:00.0", vendor_id=0x8086)
    cards = (a_card(), a_card("0000:03:00.0", vendor=0x8086, driver="xe"))

    found = verdict("ollama", CARD._replace(build="cuda_v12"), arc, builds=(a_build("cuda_v12"),), pci=cards)

    assert (found.computes, found.sentence) == (True, "Ollama computes on CUDA:0 through its build `cuda_v12`")
    assert [each.partition(" (")[0] for each in found.because] == ["Ollama in `/opt/cuda_v12` has no build for Vulkan:0"]


def test_a_program_computes_on_the_cpu_where_no_gpu_is_usable_or_it_has_no_build() -> None:
    cpu_only = (NamedPlace("/usr/lib/ollama", "Ollama", CPU_ONLY),)

    assert verdict("ollama", builds=(a_build("cuda_v12"),)) == ProgramVerdict(
        "Ollama", False, "Ollama computes on the CPU here: no GPU is usable"
    )
    assert verdict("ollama", CARD, empty_places=cpu_only) == ProgramVerdict(
        "Ollama", False, "Ollama computes on the CPU here", (CPU_ALONE,)
    )


def test_builds_that_were_not_asked_leave_it_open() -> None:
    open_ = "whether Ollama computes on a GPU here could not be told"
    unasked = "its builds were not asked, or failed; `gpuprobe list --all` shows how far each got"
    both = (a_build("cuda_v12"), a_build("cuda_v13", "llama.cpp", "llama.cpp"))

    assert verdict("ollama", CARD, builds=both[:1]) == ProgramVerdict("Ollama", None, open_, (unasked,))
    assert verdict("ollama", CARD._replace(build="cuda_v13"), builds=both) == ProgramVerdict("Ollama", None, open_)


def software(name: str = "torch", library: str | None = "CUDA", **fields: Any) -> FoundSoftware:
    known: dict[str, Any] = {"where": "wheel", "version": "2.9.1", "path": f"/v/{name}/{library}", "site": "/v"}
    return FoundSoftware(**{"name": name, "library": library, **known, **fields})


NEW, OLD = software(architectures=("sm_120",)), software(architectures=("sm_50",), path="/w/torch")


def test_a_framework_that_no_environment_has_was_not_found() -> None:
    looked = "no environment of Python that was looked through has it; `--software DIR` names another"
    others = "of other programs, only `ollama` and `llama.cpp` are known here"
    expected = ProgramVerdict("vLLM", None, "vLLM was not found here", (looked, others))

    assert verdict(" vLLM ", CARD, software=(NEW,)) == expected
    assert verdict("vLLM", CARD, software=None) == expected


@pytest.mark.parametrize(("program", "name"), [("PyTorch", "torch"), ("onnxruntime", "ONNX Runtime"), ("VLLM", "vLLM")])
def test_a_framework_is_found_by_what_people_call_it(program: str, name: str) -> None:
    found = verdict(program, software=(software(name),))

    assert found == ProgramVerdict(f"{name} 2.9.1", False, f"{name} 2.9.1 computes on the CPU here: no GPU is usable")


def test_a_framework_without_a_version_is_called_by_its_name() -> None:
    assert verdict("torch", software=(software(version=None),)).program == "torch"


def test_a_framework_with_code_for_one_card_says_why_it_has_none_for_the_other() -> None:
    found = verdict("torch", CARD, SECOND, software=(NEW,))

    assert (found.computes, found.sentence) == (True, "torch 2.9.1 has code for CUDA:0")
    assert [each.partition(", none of")[0] for each in found.because] == ["CUDA:1: it has code for 12.0"]


def test_two_installs_that_run_on_two_cards_name_each_card_once() -> None:
    both = (NEW._replace(architectures=("sm_86", "sm_120")), NEW._replace(architectures=("sm_86", "sm_120"), path="/w/torch"))

    found = verdict("torch", CARD, SECOND, software=both)

    assert found == ProgramVerdict("torch 2.9.1", True, "torch 2.9.1 has code for CUDA:0, CUDA:1")


def test_a_framework_without_code_computes_on_the_cpu() -> None:
    found = verdict("torch", CARD, software=(OLD,))

    assert (found.computes, found.sentence) == (False, "torch 2.9.1 computes on the CPU here")
    assert [each.partition(", none of")[0] for each in found.because] == ["CUDA:0: it has code for 5.0"]


def test_of_a_framework_whose_files_were_not_read_it_cannot_be_told() -> None:
    found = verdict("torch", CARD, software=(software("torch", None, damage="its record is cut off"),))

    assert found == ProgramVerdict(
        "torch 2.9.1", None, "whether torch 2.9.1 runs on a GPU here could not be told", ("CUDA:0: its record is cut off",)
    )


def test_a_framework_for_other_libraries_says_for_which() -> None:
    rocm, sycl = software(library="ROCm"), software(library="Level Zero")
    cpu = "torch 2.9.1 computes on the CPU here"

    def because(*found: FoundSoftware) -> tuple[str, ...]:
        seen = verdict("torch", CARD, software=found)
        assert (seen.computes, seen.sentence) == (False, cpu)
        return seen.because

    assert because(rocm, sycl, rocm) == ("it was built for ROCm and Level Zero, and no GPU here is usable through that",)
    vulkan = a_device("Vulkan", pci_id="0000:01:00.0")
    assert verdict("torch", vulkan, software=(software(library=None),)) == ProgramVerdict(
        "torch 2.9.1", False, cpu, ("it was built for the CPU alone",)
    )
