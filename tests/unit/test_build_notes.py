"""What is said of the builds of Ollama and llama.cpp: what is left out, does not start or does not fit."""

from __future__ import annotations

from typing import Any

import pytest

from gpuprobe.doctor.build_notes import of_builds
from gpuprobe.facts import CPU_ONLY, FoundEngine, NamedPlace, PciFunction
from gpuprobe.judging.rules import judge
from gpuprobe.model import Device, Inventory, Outcome, Probe, Purpose, Request, Status
from tests.records import INTEL, a_card, a_device, a_host, an_outcome, evidence_of
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


def test_a_place_that_holds_cpu_backends_alone_is_no_wrong_name() -> None:
    place = NamedPlace("/usr/lib/ollama", "Ollama", CPU_ONLY)

    assert not [note for note in noted(judged(empty_places=(place,))) if "names" in note]


SYCL = FoundEngine("SYCL", "/opt/libggml-sycl.so", "Ollama", "Intel GPUs")
INTELS = a_card("0000:03:00.0", vendor=INTEL, driver="xe")


@pytest.mark.parametrize(
    ("engine", "cards", "told"),
    [
        (SYCL, (INTELS,), True),
        (SYCL, (a_card(),), False),
        (SYCL._replace(where="--lib-dir"), (a_card(),), True),
        (SYCL._replace(where="OLLAMA_LIBRARY_PATH"), (), True),
        (SYCL._replace(name="BLAS", where="--lib-dir"), (INTELS,), False),
        (SYCL._replace(name="UNKNOWN", where="--lib-dir"), (INTELS,), False),
    ],
)
def test_a_backend_that_cannot_be_asked_is_told_where_it_is_for_a_card_or_was_named(
    engine: FoundEngine, cards: tuple[PciFunction, ...], told: bool
) -> None:
    note = f"`/opt/libggml-sycl.so` is ggml's backend for Intel GPUs ({engine.name}): gpuprobe cannot ask it"

    assert noted(judged(engines=(engine,), pci=cards)) == ([note] if told else [])


def test_builds_are_told_one_by_one_where_several_cannot_use_the_card() -> None:
    oldest, newest = in_build("cuda_v11", OLD), in_build("cuda_v13", NEW)
    middle = in_build("cuda_v12", NEW)

    notes = noted(judged(oldest, middle, newest))

    lacks = "it has code for 10.0, 12.0, none of which runs on 8.9"
    assert [note for note in notes if "works in" in note] == [
        f"CUDA:0 works in the build cuda_v11 and not in the newer {name}: {lacks}" for name in ("cuda_v12", "cuda_v13")
    ]
    assert not [note for note in noted(judged(in_build("cuda_v11", NEW), in_build("cuda_v12", OLD))) if "works in" in note]


def test_a_card_that_failed_in_the_newer_build_is_told_with_what_happened() -> None:
    newer, older = in_build("cuda_v13", OLD), in_build("cuda_v12", OLD)
    probe = Probe("CUDA", Purpose.VALIDATE, build="cuda_v13", device=newer.key)
    failed = Outcome(probe, Status.CALL_FAILED, message="no kernel image", failure="unsupported", seconds=0.1)

    (note,) = [note for note in noted(judged(newer, older, outcomes=(failed,))) if "works in" in note]

    assert note == "CUDA:0 works in the build cuda_v12 and not in the newer cuda_v13: no kernel image"


@pytest.mark.parametrize(
    ("status", "seconds", "build", "purpose", "told"),
    [
        (Status.INIT_FAILED, 0.1, "cuda_v13", Purpose.LIST, True),
        (Status.INIT_FAILED, None, "cuda_v13", Purpose.LIST, False),
        (Status.NO_DEVICES, 0.1, "cuda_v13", Purpose.LIST, False),
        (Status.INIT_FAILED, 0.1, "system", Purpose.LIST, False),
        (Status.INIT_FAILED, 0.1, "cuda_v13", Purpose.ALONE, False),
    ],
)
def test_only_a_build_that_was_asked_and_failed_does_not_start(
    status: Status, seconds: float | None, build: str, purpose: Purpose, told: bool
) -> None:
    ended = an_outcome(
        library="CUDA", probe=Probe("CUDA", purpose, build=build), status=status, message="it failed", code=36, seconds=seconds
    )

    note = "CUDA (cuda_v13) does not start: it failed (error 36); install a newer NVIDIA driver"
    assert [each for each in noted(judged(RTX_4090, outcomes=(ended,))) if "does not start" in each] == ([note] if told else [])


def test_where_a_name_fits_every_build_none_is_left_out() -> None:
    only = (a_build("cuda_v12"),)

    assert not [note for note in noted(judged(builds=only, environ={"OLLAMA_LLM_LIBRARY": "cuda_v12"})) if "LIBRARY" in note]
    assert not [note for note in noted(judged(builds=only)) if "LIBRARY" in note]


def test_a_build_without_a_problem_or_that_nobody_listed_was_asked() -> None:
    host = host_with(a_build("cuda_v13"))
    listed = Outcome(Probe("CUDA", Purpose.LIST, build="cuda_v13"), Status.OK, seconds=0.1)
    unknown = Outcome(Probe("CUDA", Purpose.LIST, build="cuda_v9"), Status.OK, seconds=0.1)

    inventory = judge(evidence_of(RTX_4090, host=host, outcomes=(listed, unknown)), Request())

    assert not [note for note in noted(inventory) if "was not asked" in note]
