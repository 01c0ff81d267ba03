"""A program whose builds compute on no usable card is named, with what to install."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gpuprobe.command.concluding import conclusion
from gpuprobe.doctor.build_notes import of_builds
from gpuprobe.facts import CPU_ONLY, FoundBuild, FoundEngine, NamedPlace
from gpuprobe.judging.programs_without_build import Lack, lacks, sentence, served_by_nothing
from gpuprobe.judging.rules import judge
from gpuprobe.judging.views import views
from gpuprobe.model import Device, Inventory, Request, ValidationScope
from gpuprobe.survey.builds import builds
from gpuprobe.survey.tree import Tree
from tests.records import INTEL, a_device, a_host, evidence_of
from tests.unit.test_rules import validated

ARC = a_device("Vulkan", name="Intel(R) Arc(tm) A770", vendor_id=INTEL, pci_id="0000:06:10.0")
RTX = a_device("CUDA", uuid="GPU-11111111-2222-3333-4444-555555555555", pci_id="0000:01:00.0")


def a_build(name: str, library: str = "CUDA", kind: str = "cuda") -> FoundBuild:
    home = "/usr/lib/ollama"
    return FoundBuild(name, library, f"{home}/{name}/libggml-{kind}.so", (), (home,), "Ollama", product="ollama")


def judged(*views: Device, **host: Any) -> Inventory:
    request = Request(validate=ValidationScope.ALL)
    outcomes = tuple(validated(view) for view in views)
    return judge(evidence_of(*views, host=a_host(**host), outcomes=outcomes), request)


def said(inventory: Inventory) -> list[str]:
    return [sentence(lack) for lack in lacks(inventory)]


def test_builds_that_tell_no_directory_are_told_by_their_files() -> None:
    inventory = judged(ARC, builds=(a_build("cuda_v12")._replace(directories=()),))

    assert said(inventory)[0].startswith("Ollama in `/usr/lib/ollama/cuda_v12` has no build for Vulkan:0")


def test_an_ollama_without_a_build_for_the_card_is_named() -> None:
    inventory = judged(ARC, builds=(a_build("cuda_v12"), a_build("cuda_v13")))

    expected = (
        "Ollama in `/usr/lib/ollama` has no build for Vulkan:0 (cuda_v12, cuda_v13): it will compute on the CPU; reinstall it: "
        "0.12.11 and newer bring `vulkan`"
    )
    assert said(inventory) == [expected]
    assert expected in list(of_builds(inventory))


def test_an_ollama_with_cpu_backends_only_is_named() -> None:
    inventory = judged(RTX, empty_places=(NamedPlace("/usr/lib/ollama", "Ollama", CPU_ONLY),))

    assert list(of_builds(inventory)) == [
        "Ollama has no build for a GPU (`/usr/lib/ollama` holds CPU backends only): it will compute on the CPU; install the "
        "release of ollama.com, which has them (Arch: `ollama-cuda` or `ollama-rocm`)"
    ]


@pytest.mark.parametrize(
    "host",
    [
        {"builds": (a_build("vulkan", "Vulkan", "vulkan"),)},
        {"builds": (a_build("cuda_v12"),), "engines": (FoundEngine("SYCL", "/x", "Ollama", "Intel GPUs", "ollama"),)},
        {},
    ],
)
def test_nothing_is_said_where_a_build_may_compute_on_it_or_none_is_installed(host: dict[str, Any]) -> None:
    assert said(judged(ARC, **host)) == []


def test_cpu_backends_beside_a_whole_ollama_are_no_lack() -> None:
    place = NamedPlace("/usr/lib/ollama", "Ollama", CPU_ONLY)

    assert said(judged(RTX, builds=(a_build("cuda_v13"),), empty_places=(place,))) == []


def test_without_a_usable_card_no_program_lacks_a_build() -> None:
    assert said(judged(empty_places=(NamedPlace("/usr/lib/ollama", "Ollama", CPU_ONLY),))) == []


def test_the_survey_finds_an_ollama_that_holds_cpu_backends_only(tmp_path: Path) -> None:
    folder = tmp_path / "usr" / "lib" / "ollama"
    folder.mkdir(parents=True)
    for name in ("libggml-base.so", "libggml-cpu-haswell.so", "libggml-cpu-alderlake.so"):
        (folder / name).touch()

    found = builds(Tree(str(tmp_path)), {}, "linux", "x86_64")

    assert (found.builds, found.empty) == ((), (NamedPlace("/usr/lib/ollama", "Ollama", CPU_ONLY),))


def test_validate_says_what_was_proved_where_no_program_has_code_for_the_card() -> None:
    old = RTX._replace(build="cuda_v13", uuid=None, capabilities={"architectures": ["1000", "1200"]})
    inventory = judged(RTX, old, builds=(a_build("cuda_v13"),))
    shown = [view for view in views(inventory) if view.device.build == "system"]

    text, _ = conclusion(inventory, shown, (), strict=False)

    assert text == "1 of 1 view passed; the driver computes on the card, and no program that is installed has code for it"
    assert said(inventory) == [
        "Ollama in `/usr/lib/ollama` has no build with code for CUDA:0 (cuda_v13): it will compute on the CPU; install one "
        "that has"
    ]


def test_validate_says_that_the_card_works_where_a_build_has_code_for_it() -> None:
    inventory = judged(RTX, RTX._replace(build="cuda_v13", uuid=None), builds=(a_build("cuda_v13"),))

    assert conclusion(inventory, views(inventory), (), strict=False)[0].endswith("; the card works")


def test_a_lack_is_told_with_the_cure_that_fits_it() -> None:
    def told(lack: Lack) -> str:
        return sentence(lack)

    device = RTX._replace(ordinal=0)
    no_build = Lack("Ollama", "/o", ("cuda_v12",), (device, device._replace(ordinal=1)), brings_none=True)

    assert told(no_build) == (
        "Ollama in `/o` has no build for CUDA:0, CUDA:1 (cuda_v12): it will compute on the CPU; reinstall it: 0.12.11 and "
        "newer bring `vulkan`"
    )
    assert told(no_build._replace(builds=("cuda_v12", "vulkan"))).endswith("; install one that has")
    assert told(no_build._replace(program="llama.cpp")).endswith("; install one that has")
    assert told(no_build._replace(brings_none=False)) == (
        "Ollama in `/o` has no build with code for CUDA:0, CUDA:1 (cuda_v12): it will compute on the CPU; install one that has"
    )
    assert told(no_build._replace(builds=())) == (
        f"Ollama has no build for a GPU (`/o` {CPU_ONLY}): it will compute on the CPU; install the release of ollama.com, "
        "which has them (Arch: `ollama-cuda` or `ollama-rocm`)"
    )
    assert told(no_build._replace(builds=(), program="llama.cpp")).endswith("; install one that is built for this GPU")


def test_a_folder_for_the_cpu_alone_is_a_lack_where_there_is_a_gpu_and_no_build() -> None:
    place = NamedPlace("/o", "Ollama", CPU_ONLY)

    assert [lack.folder for lack in lacks(judged(RTX, empty_places=(place,)))] == ["/o"]
    assert lacks(judged(empty_places=(place,))) == ()
    assert lacks(judged(RTX, empty_places=(place._replace(problem="denied"),))) == ()
    assert lacks(judged(RTX, empty_places=(place,), builds=(a_build("cuda_v13"),))) == ()
    assert len(lacks(judged(RTX, empty_places=(place._replace(where="llama.cpp"),), builds=(a_build("cuda_v13"),)))) == 1


@pytest.mark.parametrize(("vendor", "lacking"), [(INTEL, True), (None, False)])
def test_a_card_of_an_unknown_maker_may_be_served_by_any_build(vendor: int | None, lacking: bool) -> None:
    inventory = judged(ARC._replace(vendor_id=vendor), builds=(a_build("cuda_v12"),))

    assert bool(lacks(inventory)) is lacking
    assert served_by_nothing(inventory.kept[0], inventory) is lacking


def test_a_card_that_one_of_two_programs_serves_is_served() -> None:
    other = a_build("vulkan", "Vulkan", "vulkan")._replace(where="llama.cpp", product="llama.cpp", directories=("/l",))

    both = judged(ARC, builds=(a_build("cuda_v12"), other))

    assert [lack.program for lack in lacks(both)] == ["Ollama"]
    assert not served_by_nothing(both.kept[0], both)
    assert not served_by_nothing(RTX, judged(RTX))
