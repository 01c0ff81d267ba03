"""What is said of the builds of Ollama and llama.cpp: what is left out, does not start or does not fit."""

from __future__ import annotations

from typing import Any

import pytest

from gpuprobe.doctor.build_notes import of_builds
from gpuprobe.facts import NamedPlace
from gpuprobe.judging.rules import judge
from gpuprobe.model import Device, Inventory, Outcome, Probe, Purpose, Request, Status
from tests.records import a_device, a_host, an_outcome, evidence_of
from tests.unit.test_build_questions import a_build, host_with

RTX_4090 = a_device("CUDA", uuid="GPU-11111111-2222-3333-4444-555555555555", pci_id="0000:01:00.0", kernel_version="580.95.05")
NEW, OLD = ["1000", "1200"], ["750", "890"]  # of which architectures a build holds code


def in_build(build: str, architectures: list[str]) -> Device:
    """The same card as ggml tells of it."""
    return RTX_4090._replace(build=build, uuid=None, capabilities={"architectures": architectures})


def judged(*views: Device, outcomes: tuple[Outcome, ...] = (), **host: Any) -> Inventory:
    return judge(evidence_of(*views, host=a_host(**host), outcomes=outcomes), Request())


def noted(inventory: Inventory) -> list[str]:
    return list(of_builds(inventory))


def test_where_no_build_is_nothing_is_said() -> None:
    assert noted(judged(RTX_4090)) == []


def test_a_card_that_only_an_older_build_can_use_is_named_with_the_reason() -> None:
    (note,) = noted(judged(in_build("cuda_v13", NEW), in_build("cuda_v12", OLD)))

    assert note.startswith("CUDA:0 works in the build cuda_v12 and not in the newer cuda_v13: ")


def test_a_newer_build_that_works_passes_over_no_card() -> None:
    assert noted(judged(in_build("cuda_v13", OLD), in_build("cuda_v12", NEW))) == []


def test_a_card_that_no_installed_build_can_use_is_named_though_the_systems_library_can() -> None:
    (note,) = noted(judged(RTX_4090, in_build("cuda_v13", NEW)))

    assert note.startswith("CUDA:0 does not work in the build cuda_v13 that is installed: ")


@pytest.mark.parametrize("reason", ["holds no build of Ollama or llama.cpp", "does not exist"])
def test_a_place_that_names_no_build_is_noted(reason: str) -> None:
    place = NamedPlace("/nowhere", "OLLAMA_LIBRARY_PATH", reason)

    assert f"`OLLAMA_LIBRARY_PATH` names `/nowhere`, which {reason}" in noted(judged(empty_places=(place,)))


def test_a_refused_build_is_noted() -> None:
    host = host_with(a_build("cuda_v13", problem="as root it is not loaded", refused=True))
    refused = Outcome(Probe("CUDA", Purpose.LIST, build="cuda_v13"), Status.REFUSED, message="as root it is not loaded")

    inventory = judge(evidence_of(RTX_4090, host=host, outcomes=(refused,)), Request())

    assert "CUDA (cuda_v13) was not asked: as root it is not loaded" in noted(inventory)


def test_a_build_that_does_not_start_is_noted_with_the_loaders_words() -> None:
    words = "libcublas.so.13: cannot open shared object file"
    probe = Probe("CUDA", Purpose.LIST, build="cuda_v13")
    lost = an_outcome(probe=probe, library="CUDA", status=Status.NOT_LOADABLE, message=words)

    told = noted(judged(RTX_4090, outcomes=(lost,)))

    assert f"CUDA (cuda_v13) does not start: {words}" in told


def test_what_ollamas_variable_leaves_out_is_noted() -> None:
    both = (a_build("cuda_v12"), a_build("cuda_v13"))

    assert "`OLLAMA_LLM_LIBRARY=cuda_v12` keeps Ollama from its other builds: cuda_v13" in noted(
        judged(builds=both, environ={"OLLAMA_LLM_LIBRARY": "cuda_v12"})
    )
    assert "`OLLAMA_LLM_LIBRARY=cuda_v12` chooses a build of Ollama, and none was found here" in noted(
        judged(environ={"OLLAMA_LLM_LIBRARY": "cuda_v12"})
    )
