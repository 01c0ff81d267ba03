"""Views of builds beside the system's own: which are the same card, which build is kept, and what a kept one can be called."""

from __future__ import annotations

from typing import Any

import pytest

from gpuprobe.doctor.notes import of_inventory as notes_of
from gpuprobe.facts import FoundBuild
from gpuprobe.judging.build_choice import is_for_ollama, is_ollamas, superseded, unmatched_choice
from gpuprobe.judging.matching import matches
from gpuprobe.judging.rules import judge
from gpuprobe.judging.visibility import visible_variables
from gpuprobe.model import Depth, Device, DeviceType, GiB, Inventory, Outcome, Partition, Reason, Request, Status
from gpuprobe.probing.validation_questions import validation_probe
from tests.records import a_device, a_host, a_slice, a_software_renderer, evidence_of

A, B = "GPU-11111111-2222-3333-4444-555555555555", "GPU-99999999-2222-3333-4444-555555555555"
FIRST, SECOND = "0000:01:00.0", "0000:41:00.0"
OF_13, OF_12 = ["750", "800", "860", "890", "1200"], ["500", "610", "750", "800", "890"]

RTX_4090 = a_device("CUDA", uuid=A, pci_id=FIRST, kernel_version="580.95.05")
GTX_1080 = a_device(
    "CUDA", number=1, name="NVIDIA GeForce GTX 1080", uuid=B, pci_id=SECOND, compute_major=6, compute_minor=1,
    total_memory=8 * GiB,
)  # fmt: skip


def in_build(device: Device, build: str, architectures: list[str] | None = None, **fields: Any) -> Device:
    """What ggml tells of the same card: its name, its memory and its address."""
    told = {field: getattr(device, field) for field in ("library", "number", "name", "pci_id", "total_memory", "free_memory")}
    capabilities = {"architectures": architectures} if architectures else {}
    return Device(**{**told, "build": build, "capabilities": capabilities, **fields})


def judged(*views: Device, outcomes: tuple[Outcome, ...] = (), **host: Any) -> Inventory:
    return judge(evidence_of(*views, host=a_host(**host), outcomes=outcomes), Request())


def kept(inventory: Inventory) -> list[tuple[str, str | None]]:
    return [(device.build, device.uuid) for device in inventory.kept]


def test_the_newest_build_that_covers_every_card_is_kept_and_each_card_once() -> None:
    cards = (RTX_4090, GTX_1080._replace(compute_major=8, compute_minor=6))
    views = [in_build(card, build, OF_12 + OF_13) for build in ("cuda_v9", "cuda_v12", "cuda_v13") for card in cards]

    assert kept(judged(*cards, *views)) == [("cuda_v13", A), ("cuda_v13", B)]


def test_a_card_that_only_an_older_build_has_code_for_brings_all_cards_to_that_build() -> None:
    views = [in_build(card, "cuda_v13", OF_13) for card in (RTX_4090, GTX_1080)]
    views += [in_build(card, "cuda_v12", OF_12) for card in (RTX_4090, GTX_1080)]

    inventory = judged(RTX_4090, GTX_1080, *views)

    assert kept(inventory) == [("cuda_v12", A), ("cuda_v12", B)]
    dropped = {(drop.device.build, drop.device.uuid): drop.reason for drop in inventory.drops}
    assert dropped[("cuda_v13", B)] is Reason.NO_CODE
    assert dropped[("cuda_v13", A)] is Reason.OTHER_BUILD


def test_a_build_that_covers_one_card_leaves_the_other_to_the_build_that_covers_that() -> None:
    views = [in_build(RTX_4090, "cuda_v13", OF_13), in_build(GTX_1080, "cuda_v12", ["610"])]

    assert kept(judged(RTX_4090, GTX_1080, *views)) == [("cuda_v13", A), ("cuda_v12", B)]


def test_a_card_that_no_build_can_use_stays_with_the_systems_own_library_and_a_remark_says_so() -> None:
    inventory = judged(GTX_1080, in_build(GTX_1080, "cuda_v13", OF_13))

    assert kept(inventory) == [("system", B)]
    assert "CUDA:0 does not work in the build cuda_v13 that is installed" in " ".join(notes_of(inventory))


def test_a_remark_names_the_card_that_only_the_older_build_supports() -> None:
    views = [in_build(card, "cuda_v13", OF_13) for card in (RTX_4090, GTX_1080)]
    views += [in_build(card, "cuda_v12", OF_12) for card in (RTX_4090, GTX_1080)]

    told = [sentence for sentence in notes_of(judged(RTX_4090, GTX_1080, *views)) if "cuda_v13" in sentence]

    assert len(told) == 1
    assert told[0].startswith("CUDA:1 works in the build cuda_v12 and not in the newer cuda_v13")


def test_no_view_is_dropped_by_the_name_of_its_build() -> None:
    inventory = judged(GTX_1080, in_build(GTX_1080, "cuda_v13"), in_build(GTX_1080, "cuda_v12"))

    assert kept(inventory) == [("cuda_v13", B)]
    assert not [drop for drop in inventory.drops if drop.reason is Reason.NO_CODE]
    (note,) = [sentence for sentence in notes_of(inventory) if "not certain" in sentence]
    assert note.startswith("whether the build cuda_v13 computes on CUDA:0 is not certain")
    assert "CMakePresets" in note


def test_what_a_build_does_not_know_of_a_card_is_what_the_system_says() -> None:
    (device,) = judged(RTX_4090, in_build(RTX_4090, "cuda_v13", OF_13)).kept

    assert (device.id, device.filter_id, device.type) == (A, A, DeviceType.DISCRETE)
    assert (device.compute_major, device.compute_minor, device.kernel_version) == (8, 9, "580.95.05")
    assert dict(device.sources)["uuid"] == "CUDA"


def test_a_completed_view_is_still_asked_for_by_what_its_build_said() -> None:
    view = in_build(RTX_4090, "cuda_v13", OF_13)
    probe = validation_probe(view)
    passed = Outcome(probe, Status.OK, depth=Depth.CONTEXT, seconds=0.1)

    (device,) = judged(RTX_4090, view, outcomes=(passed,)).kept

    assert probe.device == FIRST
    assert device.validation is not None
    assert device.validation.depth == "context"


RADEON = a_device("Vulkan", number=2, name="AMD Radeon RX 7900 XTX (RADV NAVI31)", pci_id="0000:03:00.0", uuid="a" * 8)


def test_vulkans_variable_takes_the_number_of_the_raw_list_and_not_that_of_the_build() -> None:
    view = in_build(RADEON, "vulkan", number=0)
    inventory = judged(a_software_renderer(), RADEON, view)

    (device,) = inventory.kept
    chosen = dict(visible_variables([device], [device, *(drop.device for drop in inventory.drops)], "linux", {}))

    assert (device.build, device.filter_id) == ("vulkan", "2")
    assert chosen["GGML_VK_VISIBLE_DEVICES"] == "2"


def test_a_vulkan_build_whose_number_nobody_can_translate_has_no_token() -> None:
    view = in_build(RADEON, "vulkan", number=0)

    (device,) = judged(view).kept

    assert device.filter_id is None
    assert dict(visible_variables([device], [device], "linux", {}))["GGML_VK_VISIBLE_DEVICES"] == "-1"


def test_a_build_obeys_its_own_variable_so_nothing_that_it_lists_is_hidden() -> None:
    view = in_build(RADEON, "vulkan", number=0)

    inventory = judged(a_software_renderer(), RADEON, view, environ={"GGML_VK_VISIBLE_DEVICES": "2"})

    assert [(device.build, device.filter_id) for device in inventory.kept] == [("vulkan", "2")]


def test_cards_without_an_address_are_told_apart_by_name_and_order() -> None:
    arcs = [a_device("Vulkan", number=number, name="Intel(R) Arc(tm) A770", uuid=f"{number}" * 8) for number in (1, 3)]
    views = [in_build(arc, "vulkan", number=place) for place, arc in enumerate(arcs)]

    inventory = judged(*arcs, *views)

    assert sorted((device.build, device.filter_id) for device in inventory.kept) == [("vulkan", "1"), ("vulkan", "3")]


def test_views_are_not_paired_by_order_where_one_list_is_shorter() -> None:
    arcs = [a_device("Vulkan", number=number, name="Intel(R) Arc(tm) A770") for number in (1, 3)]

    assert matches(arcs, [in_build(arcs[0], "vulkan")]) == []


def test_views_at_different_addresses_are_never_one_card_whatever_their_names() -> None:
    one = a_device("CUDA", pci_id=FIRST)

    assert matches([one], [in_build(one._replace(pci_id=SECOND), "cuda_v13")]) == []


def test_a_slice_that_a_build_takes_for_the_whole_card_is_one_device() -> None:
    uuid = "MIG-aaaaaaaa-0000-5000-8000-aaaaaaaaaaaa"
    piece = a_slice(uuid=uuid, pci_id=FIRST, partition=Partition("mig", A))
    inventory = judged(piece, in_build(piece, "cuda_v13", ["800"]))

    (device,) = inventory.kept

    assert (device.build, device.id, device.partition) == ("cuda_v13", uuid, Partition("mig", A))


def test_partitions_that_share_a_uuid_are_paired_one_to_one() -> None:
    shared = {"uuid": "GPU-8b5ac29c9e8f1a2b", "pci_id": "0000:03:00.0", "partition": Partition("cpx", None)}
    parts = [a_device("ROCm", number=number, copy=number, **shared) for number in range(4)]
    views = [in_build(part, "rocm_v7_2", ["gfx1100"], gfx_target="gfx1100", copy=part.copy) for part in parts]

    inventory = judged(*parts, *views)

    assert [(device.build, device.number, device.copy) for device in inventory.kept] == [
        ("rocm_v7_2", number, number) for number in range(4)
    ]


def test_two_builds_without_the_systems_library_still_keep_a_card_once() -> None:
    card = a_device("ROCm", pci_id="0000:03:00.0")
    views = [in_build(card, build, ["gfx1100"], gfx_target="gfx1100") for build in ("rocm_v7_2", "rocm_v7_10", "rocm")]

    assert [device.build for device in judged(*views).kept] == ["rocm_v7_10"]


def test_a_build_keeps_a_card_before_another_library_does() -> None:
    vulkan = a_device("Vulkan", uuid=A.removeprefix("GPU-"), uuid_space="nvidia", pci_id=FIRST)
    inventory = judged(RTX_4090, in_build(RTX_4090, "cuda_v13", OF_13), vulkan, in_build(vulkan, "vulkan"))

    assert [(device.library, device.build) for device in inventory.kept] == [("CUDA", "cuda_v13")]


def a_build(name: str = "cuda_v13", where: str = "Ollama", **fields: Any) -> FoundBuild:
    return FoundBuild(name, "CUDA", f"/usr/lib/ollama/{name.partition(' ')[0]}/libggml-cuda.so", (), (), where, **fields)


@pytest.mark.parametrize(
    ("said", "unmatched"),
    [
        ("cuda_v12", "cuda_v12"),
        (" 'cuda_v12' ", "cuda_v12"),
        ("cuda_v13", None),
        ("cuda_v13 (2)", None),
        ("mlx_cuda_v13", None),
        ("", None),
        (None, None),
    ],
)
def test_a_build_that_ollama_is_told_to_use_is_one_of_those_that_are_there(said: str | None, unmatched: str | None) -> None:
    environ = {} if said is None else {"OLLAMA_LLM_LIBRARY": said}

    assert unmatched_choice(a_host(builds=(a_build("cuda_v13 (2)"),), environ=environ)) == unmatched


@pytest.mark.parametrize("builds", [(), (a_build(where="llama.cpp"),)])
def test_where_ollama_has_no_build_none_is_missing(builds: tuple[FoundBuild, ...]) -> None:
    assert unmatched_choice(a_host(builds=builds, environ={"OLLAMA_LLM_LIBRARY": "cuda_v12"})) is None


def test_a_build_is_ollama_s_by_its_place_or_by_its_layout() -> None:
    ours = [a_build(), a_build(where="OLLAMA_LIBRARY_PATH"), a_build(where="--lib-dir", product="ollama")]
    others = [a_build(where="--lib-dir"), a_build(where="llama.cpp"), a_build(where="--lib-dir", product="llama.cpp")]

    assert [is_ollamas(build) for build in (*ours, *others)] == [True] * 3 + [False] * 3
    assert [is_for_ollama(build) for build in (*ours, *others)] == [True] * 4 + [False, True]


def test_of_builds_that_cover_the_cards_only_together_the_fewest_and_newest_are_kept() -> None:
    cards = [a_device("CUDA", pci_id=f"0000:0{number}:00.0", number=number) for number in (1, 2, 3)]
    offers = {"v1": (0, 1), "v2": (1, 2), "v3": (0,), "v4": (2,)}
    views = [in_build(cards[place], build) for build, places in offers.items() for place in places]

    found = {(view.build, view.pci_id): kept.build for view, kept in superseded([*cards, *views])}

    assert set(found.values()) == {"v1", "v4"}
    assert found["v2", cards[1].pci_id] == "v1"
    assert found["system", cards[2].pci_id] == "v4"
    assert list(superseded(cards)) == []
