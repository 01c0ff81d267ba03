"""The real builds of ggml, where the machine was given them: see `.ci/run` for where they come from.

The Vulkan builds compute on lavapipe, under the names of two cards; the CUDA and HIP builds stand on doubles of NVIDIA's and
AMD's libraries, over which no kernel runs.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests import ggml_world
from tests.backends.talk import Talk
from tests.backends.vulkan_talk import RADEON, RTX
from tests.doubles import described, script
from tests.ggml_world import Build
from tests.vulkan_world import World, world

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="these are Linux shared libraries")

GiB = 1 << 30
H100 = script(
    *(
        described(name="NVIDIA H100 80GB HBM3", cc="9.0", pci=f"0000:0{n}:00.0", memory=80 * GiB, free=79 * GiB, a102=0)
        for n in (1, 2)
    )
)
XTX = script(
    *(
        described(name="AMD Radeon RX 7900 XTX", gfx="gfx1100", pci=f"0000:0{n}:00.0", memory=24 * GiB, free=23 * GiB)
        for n in (3, 4)
    )
)
CARDS = [
    ("NVIDIA GeForce RTX 4090", "discrete", "0000:01:00.0", 24 * GiB, 20 * GiB),
    ("AMD Radeon 780M (RADV PHOENIX)", "integrated", "0000:c5:00.0", 8 * GiB, 7 * GiB),
]


def libggml() -> Build:
    """The same build by the library that holds its registry, which needs all its backends."""
    build = ggml_world.whole_vulkan()
    return build._replace(path=build.path.with_name("libggml.so"))


def behind_libggml() -> Build:
    """The same build with that library beside its base library, and nothing on the loader's path. A wheel has no links: each
    library lies there three times, and two copies of the backend in one process end in a segmentation fault."""
    build = ggml_world.whole_vulkan()
    return build._replace(before=(*build.before, build.path.with_name("libggml.so")), directories=())


VULKAN = [ggml_world.vulkan, ggml_world.whole_vulkan, libggml, behind_libggml]


@pytest.fixture
def two_cards(tmp_path: Path) -> World:
    return world(tmp_path).lavapipe().second_lavapipe().identity(RTX, RADEON)


def known(answer: Talk) -> list[tuple[Any, ...]]:
    keys = ("name", "type", "pci_id", "total_memory", "free_memory")
    return [tuple(device[key] for key in keys) for device in answer.devices]


@pytest.mark.parametrize("build", VULKAN)
def test_a_vulkan_build_lists_both_cards(build: Callable[[], Build], two_cards: World) -> None:
    answer = build().talk(two_cards.environment())

    assert answer.is_done
    assert known(answer) == CARDS
    assert [device["description"] for device in answer.devices] == ["Vulkan0", "Vulkan1"]
    assert answer.facts["ggml_version"].startswith("0.2")
    assert answer.facts["ggml_commit"]


@pytest.mark.parametrize("address", ["0000:01:00.0", "0000:c5:00.0"])
@pytest.mark.parametrize("build", VULKAN)
def test_a_vulkan_build_makes_a_context_on_each_card(build: Callable[[], Build], address: str, two_cards: World) -> None:
    answer = build().talk(two_cards.environment(), purpose="validate", device={"pci_id": address, "number": 0})

    assert answer.is_done
    assert answer.all("passed") == [{"depth": "context"}]


@pytest.mark.parametrize("build", VULKAN)
def test_a_vulkan_build_computes_a_product_that_agrees_with_the_reference(build: Callable[[], Build], two_cards: World) -> None:
    """Every one of 512 elements, exactly; the compilation of the shaders takes most of the time."""
    answer = build().talk(two_cards.environment(), purpose="prove", device={"pci_id": "0000:c5:00.0", "number": 1})

    assert answer.is_done
    assert answer.all("passed") == [{"depth": "product"}]
    assert answer.all("not_possible") == []


def test_a_build_says_that_a_software_renderer_is_one(tmp_path: Path) -> None:
    answer = ggml_world.vulkan().talk({**world(tmp_path).lavapipe().environment(), "GGML_VK_VISIBLE_DEVICES": "0"})

    assert [device["type"] for device in answer.devices] == ["software"]


def test_a_build_leaves_out_a_software_renderer_that_nobody_named(tmp_path: Path) -> None:
    answer = ggml_world.vulkan().talk(world(tmp_path).lavapipe().environment())

    assert answer.failed is None or answer.failed["status"] == "no_devices"
    assert answer.devices == []


def test_a_build_without_any_driver_says_so(tmp_path: Path) -> None:
    answer = ggml_world.vulkan().talk(world(tmp_path).environment())

    assert answer.devices == []
    assert answer.failed is not None
    assert answer.failed["status"] == "init_failed"


def test_mesas_null_radeon_is_listed_without_memory(tmp_path: Path) -> None:
    (device,) = ggml_world.vulkan().talk(world(tmp_path).radv("gfx1100").environment()).devices

    assert device["total_memory"] is device["free_memory"] is None


def test_the_listing_agrees_with_the_real_llama_server(two_cards: World) -> None:
    build = ggml_world.whole_vulkan()
    environment = {**os.environ, **build.environment(), **two_cards.environment()}
    server = [str(build.path.with_name("llama-server")), "--list-devices"]

    said = subprocess.run(server, env=environment, capture_output=True, text=True, check=True).stdout

    listed = re.findall(r"^ +(\S+): (.+) \((\d+) MiB, (\d+) MiB free\)$", said, re.MULTILINE)
    devices = build.talk(two_cards.environment()).devices
    assert len(devices) == 2
    assert listed == [
        (device["description"], device["name"], str(device["total_memory"] >> 20), str(device["free_memory"] >> 20))
        for device in devices
    ]


def as_ollama(directory: Path, build: Build, variant: str) -> Build:
    """The build laid out as Ollama's installs are: the base libraries above, each variant in a folder of its own."""
    (folder := directory / "lib" / "ollama" / variant).mkdir(parents=True)
    before = [folder.parent / re.sub(r"^libggml\..*\.so$", "libggml.so", path.name) for path in build.before]
    for target, source in zip((*before, folder / build.path.name), (*build.before, build.path), strict=True):
        shutil.copy(source, target)
    return build._replace(path=folder / build.path.name, before=tuple(before))


def with_registry(build: Build) -> Build:
    """With the library that holds the programs' own way to load a backend."""
    (registry,) = build.path.parent.glob("libggml.*.so")
    return build._replace(before=(*build.before, registry))


@pytest.mark.parametrize("way", ["ggml_backend_init", "ggml_backend_load"])
def test_an_install_laid_out_as_ollamas_lists_both_cards(way: str, two_cards: World, tmp_path: Path) -> None:
    build = ggml_world.vulkan() if way == "ggml_backend_init" else with_registry(ggml_world.vulkan())

    answer = as_ollama(tmp_path, build, "vulkan").talk(two_cards.environment())

    assert way in answer.calls
    assert known(answer) == CARDS


def test_a_variant_without_the_base_library_before_it_does_not_load(tmp_path: Path) -> None:
    answer = as_ollama(tmp_path, ggml_world.vulkan(), "vulkan").talk(before=[])

    assert answer.failed is not None
    assert answer.failed["status"] == "not_loadable"
    assert "libggml-base.so" in answer.failed["message"]


def test_a_base_library_of_another_version_that_still_fits_is_judged_by_what_it_computes(
    two_cards: World, tmp_path: Path
) -> None:
    """0.20 under 0.25: the programs themselves look at the version of the interface only, which is the same."""
    build, other = as_ollama(tmp_path, ggml_world.vulkan(), "vulkan"), ggml_world.whole_vulkan().before[0]
    shutil.copy(other, build.path.with_name("libggml-base.so"))

    answer = build.talk(two_cards.environment(), before=[], purpose="prove", device={"pci_id": "0000:c5:00.0", "number": 1})

    assert answer.facts["ggml_version"] == "0.20.0"
    assert answer.all("passed") == [{"depth": "product"}]


def test_a_backend_of_another_interface_is_refused_by_the_builds_own_loader(tmp_path: Path) -> None:
    real = with_registry(ggml_world.vulkan())
    foreign = ggml_world.double(tmp_path, "api 1", described(name="Card", memory=GiB))

    answer = real._replace(path=foreign.path, library="CUDA").talk()

    assert answer.failed is not None
    assert answer.failed["status"] == "init_failed"
    assert "incompatible API version (backend: 1, current: 2)" in answer.failed["message"]


def test_a_double_of_a_backend_is_listed_behind_the_real_base_library(tmp_path: Path) -> None:
    """What the doubles say of ggml's interface is what the real library reads: it counts and describes their devices."""
    build = ggml_world.double(
        tmp_path, "archs 500,610", described(name="GTX 1080", memory=8 * GiB, free=7 * GiB, pci="0000:02:00.0")
    )

    answer = build._replace(before=ggml_world.vulkan().before).talk()

    assert known(answer) == [("GTX 1080", "unknown", "0000:02:00.0", 8 * GiB, 7 * GiB)]
    assert answer.facts["architectures"] == ["500", "610"]


def test_a_double_of_a_backend_has_the_real_base_librarys_memory_and_computes_nothing(tmp_path: Path) -> None:
    build = ggml_world.double(tmp_path, described(name="GTX 1080", memory=8 * GiB))

    answer = build._replace(before=ggml_world.vulkan().before).talk(purpose="prove", device={"number": 0})

    assert answer.is_done
    assert answer.all("passed") == [{"depth": "copy"}]
    assert len(answer.all("not_possible")) == 1


def test_the_cuda_build_lists_two_cards_over_the_doubles() -> None:
    answer = ggml_world.cuda().talk({"FAKE_CUDA": H100})

    assert answer.is_done
    assert known(answer) == [("NVIDIA H100 80GB HBM3", "unknown", f"0000:0{n}:00.0", 80 * GiB, 79 * GiB) for n in (1, 2)]
    assert [(device["compute_major"], device["compute_minor"]) for device in answer.devices] == [(9, 0)] * 2
    assert answer.facts["architectures"] == ["750", "800", "860", "890", "900", "1200", "1210"]


def test_an_older_cuda_build_beside_the_newer_lists_the_same_cards_for_other_architectures(tmp_path: Path) -> None:
    """`cuda_v12` is a double behind the real base library and the programs' own loader; `cuda_v13` is real."""
    top = ggml_world.ollama(tmp_path)
    mixed = {"FAKE_CUDA": script(H100, described(name="GTX 1080", cc="6.1", pci="0000:03:00.0", memory=8 * GiB, a102=0))}

    older, newer = (ggml_world.variant(top, name, "CUDA").talk(mixed) for name in ("cuda_v12", "cuda_v13"))

    assert older.is_done and newer.is_done
    assert known(older) == known(newer)
    assert [device["compute_major"] for device in older.devices] == [9, 9, 6]
    assert ("610" in older.facts["architectures"], "610" in newer.facts["architectures"]) == (True, False)


def test_both_cuda_builds_of_an_install_obey_cudas_list(tmp_path: Path) -> None:
    top = ggml_world.ollama(tmp_path)

    answers = [
        ggml_world.variant(top, name, "CUDA").talk({"FAKE_CUDA": H100, "CUDA_VISIBLE_DEVICES": "1"})
        for name in ("cuda_v12", "cuda_v13")
    ]

    assert [[device["pci_id"] for device in answer.devices] for answer in answers] == [["0000:02:00.0"]] * 2


def test_an_install_without_a_driver_says_so_in_both_cuda_builds(tmp_path: Path) -> None:
    top = ggml_world.ollama(tmp_path)

    answers = [ggml_world.variant(top, name, "CUDA").talk({"FAKE_CUDA": ""}) for name in ("cuda_v12", "cuda_v13")]

    assert [answer.failed["status"] for answer in answers if answer.failed] == ["init_failed"] * 2


def test_the_cuda_build_starts_on_the_wanted_card() -> None:
    answer = ggml_world.cuda().talk({"FAKE_CUDA": H100}, purpose="validate", device={"pci_id": "0000:02:00.0", "number": 0})

    assert answer.all("passed") == [{"depth": "context"}]
    assert (answer.facts["free_memory"], answer.facts["total_memory"]) == (79 * GiB, 80 * GiB)


@pytest.mark.parametrize(("code", "status"), [(2, "busy"), (46, "busy"), (999, "unsupported")])
def test_a_card_that_gives_the_cuda_build_no_context_is_told_from_one_that_does(code: int, status: str) -> None:
    """The build itself goes on: it says in its log that it reports no memory, and starts its backend."""
    no_context = {"FAKE_CUDA": H100, "FAKE_CUDART": f"error cudaMemGetInfo {code}"}

    answer = ggml_world.cuda().talk(no_context, purpose="validate", device={"number": 1})

    assert answer.failed is not None
    assert answer.failed["status"] == status
    assert "the build finds no memory on the device: " in answer.failed["message"]
    assert "cudaMemGetInfo failed" in answer.failed["message"]


def test_the_cuda_build_makes_contexts_on_all_cards_while_it_lists(tmp_path: Path) -> None:
    """So builds are asked one after another, and not beside anything that measures memory."""
    ggml_world.cuda().talk({"FAKE_CUDA": H100, "FAKE_LOG": str(tmp_path / "log")})

    assert (tmp_path / "log").read_text().count("retain") >= 2


def test_a_product_that_no_kernel_computed_is_wrong() -> None:
    answer = ggml_world.cuda().talk({"FAKE_CUDA": H100}, purpose="prove", device={"pci_id": "0000:02:00.0", "number": 0})

    assert answer.failed is not None
    assert answer.failed["status"] == "wrong_result"
    assert answer.failed["wrong"]["compared"] == 512
    assert answer.all("stage")[-1] == "product"


def test_the_cuda_build_says_why_it_has_no_devices() -> None:
    answer = ggml_world.cuda().talk({"FAKE_CUDA": script(H100, "error cuInit 100")})

    assert answer.failed is not None
    assert answer.failed["status"] == "init_failed"
    assert "failed to initialize CUDA: no CUDA-capable device is detected" in answer.failed["message"]


def test_the_cuda_build_names_the_library_that_it_lacks() -> None:
    answer = ggml_world.cuda()._replace(directories=()).talk()

    assert answer.failed is not None
    assert answer.failed["status"] == "not_loadable"
    assert re.search(r"lib(cudart|cublas|cuda)\.so\.\d+: cannot open shared object file", answer.failed["message"])


def test_the_hip_build_lists_two_gfx1100_cards_over_the_double() -> None:
    answer = ggml_world.rocm().talk({"FAKE_HIP": XTX})

    assert answer.is_done
    assert known(answer) == [("AMD Radeon RX 7900 XTX", "unknown", f"0000:0{n}:00.0", 24 * GiB, 23 * GiB) for n in (3, 4)]
    assert [device["gfx_target"] for device in answer.devices] == ["gfx1100"] * 2
    assert [device["description"] for device in answer.devices] == ["ROCm0", "ROCm1"]
    assert answer.facts["ggml_version"] == "0.12.0"
    assert b"no version information" not in answer.stderr


def test_the_hip_build_starts_on_the_wanted_card() -> None:
    answer = ggml_world.rocm().talk({"FAKE_HIP": XTX}, purpose="validate", device={"pci_id": "0000:04:00.0", "number": 0})

    assert answer.all("passed") == [{"depth": "context"}]


def test_an_integrated_card_is_known_to_the_newer_build_and_its_free_memory_not_to_the_older() -> None:
    orin = described(name="Orin", cc="8.7", memory=8 * GiB, free=7 * GiB, integrated=1, a102=0)
    radeon = described(name="AMD Radeon 890M", gfx="gfx1150", pci="0000:c5:00.0", memory=1 * GiB, integrated=1)

    newer, older = ggml_world.cuda().talk({"FAKE_CUDA": orin}), ggml_world.rocm().talk({"FAKE_HIP": radeon})

    assert [device["type"] for device in newer.devices] == ["integrated"]
    assert known(older) == [("AMD Radeon 890M", "unknown", "0000:c5:00.0", GiB, None)]


def test_the_hip_build_obeys_rocrs_list() -> None:
    answer = ggml_world.rocm().talk({"FAKE_HIP": XTX, "ROCR_VISIBLE_DEVICES": "1"})

    assert [device["pci_id"] for device in answer.devices] == ["0000:04:00.0"]


def test_a_hip_build_without_a_card_says_why() -> None:
    answer = ggml_world.rocm().talk({"FAKE_HIP": ""})

    assert answer.failed is not None
    assert answer.failed["status"] == "init_failed"
    assert "no ROCm-capable device is detected" in answer.failed["message"]
