"""The stages of Vulkan, Level Zero and ROCm on the whole road, as installed: what `validate` says above."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from tests.backends.level_zero_talk import ARC, UHD
from tests.cli.documents import checked
from tests.cli.terminal import Ran, piped
from tests.doubles import described, rocm_install, rocm_with_a_compiler, script
from tests.vulkan_world import World, world
from tests.ze_world import ZeWorld

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the drivers and the doubles are Linux shared libraries")

A, B = "8b5ac29c9e8f1a2b", "51e2a7f00d15ea5e"
GiB = 1 << 30
TWO = (
    described(name="AMD Radeon RX 7900 XTX", uuid=A, gfx="gfx1100", pci="0000:03:00.0", memory=24 * GiB, free=GiB),
    described(name="AMD Radeon RX 6700 XT", uuid=B, gfx="gfx1031", pci="0000:0e:00.0", memory=12 * GiB, free=GiB),
)
ELEMENTS = 1 << 20


@pytest.fixture
def vulkan(tmp_path: Path) -> World:
    return world(tmp_path)


def proved(library: str, *arguments: str, **variables: str) -> tuple[list[dict[str, Any]], Ran]:
    """The views that `validate` gives, each checked against the schema."""
    ran = piped("validate", "--library", library, "--json", *arguments, **variables)
    return checked("validate", ran.out)["views"], ran


def amd(hip: Path, *lines: str, rocblas: str = "") -> dict[str, str]:
    return {"LD_LIBRARY_PATH": str(hip.parent), "FAKE_HIP": script(*lines), "FAKE_ROCBLAS": rocblas, "VK_DRIVER_FILES": "/none"}


def results(view: dict[str, Any]) -> dict[str, str]:
    return {rung["name"]: rung["result"] for rung in view["rungs"]}


@pytest.mark.parametrize("driver", ["lavapipe", "swiftshader"])
def test_a_software_renderer_is_proved_to_the_last_rung(driver: str, vulkan: World) -> None:
    (view,), ran = proved("vulkan", "--allow-software", **getattr(vulkan, driver)().environment())

    assert (ran.code, view["verdict"], view["depth"]) == (0, "supported", "bandwidth")
    assert set(results(view).values()) == {"passed"}
    assert "blas" not in results(view)
    assert all(rung["seconds"] >= 0 for rung in view["rungs"])


def test_the_mock_driver_lists_a_card_that_fails_with_its_wrong_elements(vulkan: World) -> None:
    (view,), ran = proved("vulkan", "--allow-software", **vulkan.mock().environment())

    assert (ran.code, view["verdict"], view["wrong"]["compared"]) == (4, "unsupported", ELEMENTS)
    assert view["wrong"]["different"] > ELEMENTS - 10
    assert results(view)["copy"] == "failed"


def test_one_spoiled_element_of_a_vulkan_card_is_shown_by_its_number(vulkan: World) -> None:
    driver = vulkan.wrapped("spoil dispatch 777777").environment()

    (view,), ran = proved("vulkan", "--allow-software", **driver)

    assert (ran.code, view["verdict"]) == (4, "unsupported")
    assert (view["wrong"]["different"], view["wrong"]["first"][0]["index"]) == (1, 777_777)
    assert "what the kernel computed: 1 of 1048576 elements are wrong" in view["because"]


def test_level_zero_s_cards_are_proved_side_by_side(tmp_path: Path) -> None:
    views, ran = proved("level-zero", **ZeWorld(tmp_path).driver(UHD, ARC).installed("libze_intel_gpu.so.1"))

    assert (ran.code, [view["depth"] for view in views]) == (0, ["bandwidth", "bandwidth"])


def test_a_level_zero_driver_without_a_compiler_is_supported_and_it_is_said(tmp_path: Path) -> None:
    driver = ZeWorld(tmp_path).driver(ARC, "error zeModuleCreate 0x70020000").installed("libze_intel_gpu.so.1")

    (view,), ran = proved("level-zero", **driver)

    assert (ran.code, view["verdict"], results(view)["kernel"]) == (0, "supported", "not_possible")
    assert "ZE_RESULT_ERROR_DEPENDENCY_UNAVAILABLE" in next(rung["because"] for rung in view["rungs"] if rung["because"])


def test_two_cards_of_rocm_are_proved_each_alone() -> None:
    views, ran = proved("rocm", **amd(rocm_with_a_compiler(), *TWO))

    assert (ran.code, [view["depth"] for view in views]) == (0, ["bandwidth", "bandwidth"])
    assert {result for view in views for result in results(view).values()} == {"passed"}


def test_a_card_that_rocblas_aborts_on_fails_at_its_rung_and_leaves_the_other_alone() -> None:
    views, ran = proved("rocm", **amd(rocm_with_a_compiler(), *TWO, rocblas="targets gfx1100"))

    good, bad = sorted(views, key=lambda view: str(view["pci_id"]))
    assert (ran.code, good["verdict"], bad["verdict"]) == (4, "supported", "unsupported")
    assert (bad["depth"], results(bad)["kernel"], results(bad)["blas"]) == (None, "passed", "failed")
    assert "rocblas_initialize" in bad["because"]


def test_rocm_without_a_compiler_rests_on_the_other_stages_and_says_so() -> None:
    (view, _), ran = proved("rocm", **amd(rocm_install(), *TWO))

    assert (ran.code, view["verdict"], results(view)["kernel"]) == (0, "supported", "not_possible")
    assert "the card filled 4 MiB correctly" in next(stage["because"] for stage in view["rungs"] if stage["name"] == "kernel")
    said = piped("validate", "--library", "rocm", **amd(rocm_install(), *TWO)).out
    assert "the card filled 4 MiB correctly" in " ".join(said.split())
