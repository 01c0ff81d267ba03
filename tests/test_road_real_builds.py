"""The road through real builds of ggml, as installed: an install laid out as Ollama's below, the command's own output above."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from tests import ggml_world
from tests.backends.vulkan_talk import RADEON, RTX
from tests.cli.documents import checked
from tests.cli.terminal import piped
from tests.doubles import cuda_driver, described, script
from tests.vulkan_world import world

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="these are Linux shared libraries")


def card(number: int, name: str, compute: str) -> str:
    uuid = f"GPU-0000000{number}-0000-0000-0000-000000000000"
    place = f"0000:0{number}:00.0"
    return described(name=name, cc=compute, pci=place, uuid=uuid, memory=24 << 30, free=20 << 30, a102=0)


ADA, HOPPER, PASCAL = card(1, "NVIDIA RTX", "8.9"), card(2, "NVIDIA H100", "9.0"), card(3, "NVIDIA GTX 1080", "6.1")


@pytest.fixture
def install(tmp_path: Path) -> Path:
    """`lib/ollama` with `cuda_v12` (a double), `cuda_v13` and `vulkan` (both real)."""
    return ggml_world.ollama(tmp_path)


def on(*cards: str, **environ: str) -> dict[str, str]:
    return {"LD_LIBRARY_PATH": str(cuda_driver().parent), "FAKE_CUDA": script(*cards), "VK_DRIVER_FILES": "/none", **environ}


def listed(directory: Path, variables: dict[str, str], *words: str) -> dict[str, Any]:
    ran = piped("list", "--json", "--lib-dir", str(directory), *words, **variables)
    assert ran.code == 0, ran.err
    return checked("list", ran.out)


def kept(document: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [(device["library"], device["build"], device["pci_id"]) for device in document["devices"]]


def test_two_cards_that_the_newest_build_covers_are_kept_once_each_in_it(install: Path) -> None:
    document = listed(install, on(ADA, HOPPER))

    assert kept(document) == [("CUDA", "cuda_v13", "0000:01:00.0"), ("CUDA", "cuda_v13", "0000:02:00.0")]
    assert [device["validation"]["depth"] for device in document["devices"]] == ["context"] * 2
    assert document["summary"]["usable"] == 2


def test_the_older_build_serves_all_cards_where_only_it_has_code_for_one(install: Path) -> None:
    document = listed(install, on(ADA, PASCAL))

    assert kept(document) == [("CUDA", "cuda_v12", "0000:01:00.0"), ("CUDA", "cuda_v12", "0000:03:00.0")]
    without_code = [drop["view"] for drop in document["dropped"] if drop["reason"] == "no_code"]
    assert [(view["build"], view["pci_id"]) for view in without_code] == [("cuda_v13", "0000:03:00.0")]


def test_a_card_that_the_older_build_does_not_start_on_is_kept_in_the_newer_one(install: Path) -> None:
    """The card for which the newer one has no code is then left to the library of the system."""
    with (install / "cuda_v12" / "libggml-cuda.so.script").open("a") as lines:
        lines.write("\nerror ggml_backend_dev_init 1\n")

    document = listed(install, on(ADA, PASCAL))

    assert sorted(kept(document)) == [("CUDA", "cuda_v13", "0000:01:00.0"), ("CUDA", "system", "0000:03:00.0")]


def test_a_build_that_is_too_new_for_the_driver_leaves_the_cards_to_the_older_and_says_so(install: Path) -> None:
    document = listed(install, on(ADA, HOPPER, "driver 12040"))

    assert kept(document) == [("CUDA", "cuda_v12", "0000:01:00.0"), ("CUDA", "cuda_v12", "0000:02:00.0")]
    (told,) = (line for line in document["warnings"] if "cuda_v13" in line)
    assert told.startswith("CUDA (cuda_v13) does not start: ")
    assert "CUDA driver version is insufficient for CUDA runtime version" in told


def test_the_vulkan_build_serves_an_rtx_4090_and_a_radeon_780m(install: Path, tmp_path: Path) -> None:
    drivers = world(tmp_path).lavapipe().second_lavapipe().identity(RTX, RADEON).environment()

    document = listed(install, drivers)

    assert kept(document) == [("Vulkan", "vulkan", "0000:01:00.0"), ("Vulkan", "vulkan", "0000:c5:00.0")]
    assert [device["name"] for device in document["devices"]] == ["NVIDIA GeForce RTX 4090", "AMD Radeon 780M (RADV PHOENIX)"]
    assert [device["type"] for device in document["devices"]] == ["discrete", "integrated"]
    assert [device["validation"]["verdict"] for device in document["devices"]] == ["supported"] * 2


def test_validate_computes_a_product_in_the_vulkan_build(install: Path, tmp_path: Path) -> None:
    drivers = world(tmp_path).lavapipe().identity(RTX).environment()

    ran = piped("validate", "--json", "--lib-dir", str(install), "--build", "vulkan", **drivers)

    assert ran.code == 0, ran.err
    (view,) = [view for view in checked("validate", ran.out)["views"] if view["build"] == "vulkan"]
    assert (view["verdict"], view["depth"]) == ("supported", "product")


def test_a_broken_build_is_told_and_the_others_serve(install: Path) -> None:
    (install / "cuda_v13" / "libggml-cuda.so").unlink()
    (install / "cuda_v13" / "libggml-cuda.so").write_text("no library")

    document = listed(install, on(ADA))

    assert kept(document) == [("CUDA", "cuda_v12", "0000:01:00.0")]
    (broken,) = [probe for probe in document["probes"] if probe["build"] == "cuda_v13"]
    assert broken["status"] == "not_loadable"
    assert "did not load" in broken["message"]


def test_a_build_without_its_base_library_is_told(install: Path) -> None:
    (install / "libggml-base.so").unlink()

    document = listed(install, on(ADA))

    assert {probe["status"] for probe in document["probes"] if probe["build"] == "cuda_v12"} == {"not_loadable"}
    assert kept(document)[0][1] == "system"


def test_the_real_hip_build_serves_two_cards_of_gfx1100() -> None:
    build = ggml_world.rocm()
    cards = [
        described(
            name="AMD Radeon RX 7900 XTX", gfx="gfx1100", pci=f"0000:0{n}:00.0", uuid=f"000000000000000{n}", memory=24 << 30
        )
        for n in (3, 4)
    ]
    variables = {"LD_LIBRARY_PATH": str(build.directories[0]), "FAKE_HIP": script(*cards), "VK_DRIVER_FILES": "/none"}

    document = listed(build.path.parent, variables)

    assert [(device["library"], device["gfx_target"], device["pci_id"]) for device in document["devices"]] == [
        ("ROCm", "gfx1100", "0000:03:00.0"),
        ("ROCm", "gfx1100", "0000:04:00.0"),
    ]
    assert {device["build"] for device in document["devices"]} == {build.path.parent.name}
