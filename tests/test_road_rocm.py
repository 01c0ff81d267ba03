"""The road through ROCm, as installed: doubles of AMD's runtime and of rocBLAS below, the command's own output above."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.documents import checked
from tests.cli.terminal import piped
from tests.doubles import described, rocm_install, script

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the doubles are Linux shared libraries")

A, B = "8b5ac29c9e8f1a2b", "51e2a7f00d15ea5e"
FIRST, SECOND = "0000:03:00.0", "0000:0e:00.0"
TWO = (
    described(name="AMD Radeon RX 7900 XTX", uuid=A, gfx="gfx1100", pci=FIRST, memory=24 << 30, free=20 << 30),
    described(name="AMD Radeon RX 6700 XT", uuid=B, gfx="gfx1031", pci=SECOND, memory=12 << 30, free=11 << 30),
)
UNNAMED = tuple(described(name=f"card {number}", gfx="gfx1100", pci=place) for number, place in enumerate((FIRST, SECOND)))


def machine(*lines: str, rocblas: str = "", **environ: str) -> dict[str, str]:
    doubles = {"LD_LIBRARY_PATH": str(rocm_install().parent), "FAKE_HIP": script(*lines), "FAKE_ROCBLAS": rocblas}
    return {**doubles, "VK_DRIVER_FILES": "/none", **environ}


def answered(**variables: str) -> dict[str, Any]:
    ran = piped("list", "--json", **variables)
    assert ran.code == 0, ran.err
    return checked("list", ran.out)


def kept(document: dict[str, Any]) -> list[tuple[str, str]]:
    return [(device["id"], device["pci_id"]) for device in document["devices"]]


def contexts(log: Path) -> list[str]:
    return sorted(log.read_text().split()[1::2])


def test_two_cards_of_rocm_are_validated_each_alone(tmp_path: Path) -> None:
    document = answered(**machine(*TWO, FAKE_LOG=str(tmp_path / "log")))

    assert kept(document) == [(f"GPU-{A}", FIRST), (f"GPU-{B}", SECOND)]
    assert [device["validation"]["depth"] for device in document["devices"]] == ["rocBLAS", "rocBLAS"]
    assert [device["free_memory_bytes"] for device in document["devices"]] == [20 << 30, 11 << 30]
    assert [device["compute"] for device in document["devices"]] == ["gfx1100", "gfx1031"]
    assert contexts(tmp_path / "log") == [FIRST, SECOND]


def test_a_card_that_rocblas_aborts_on_does_not_take_the_other_along() -> None:
    document = answered(**machine(*TWO, rocblas="targets gfx1030 gfx1100"))

    assert kept(document) == [(f"GPU-{A}", FIRST)]
    (drop,) = document["dropped"]
    assert (drop["reason"], drop["view"]["pci_id"]) == ("failed_validation", SECOND)
    assert "crashed in `rocblas_initialize` (signal 6)" in drop["because"]


@pytest.mark.parametrize("cards", [TWO, UNNAMED])
@pytest.mark.parametrize(
    "variables",
    [
        {"ROCR_VISIBLE_DEVICES": "1"},
        {"HIP_VISIBLE_DEVICES": "1"},
        {"CUDA_VISIBLE_DEVICES": "1"},
        {"ROCR_VISIBLE_DEVICES": "1,0", "HIP_VISIBLE_DEVICES": "0"},
    ],
)
def test_under_the_users_own_list_the_right_card_is_validated(
    tmp_path: Path, cards: tuple[str, ...], variables: dict[str, str]
) -> None:
    document = answered(**machine(*cards, FAKE_LOG=str(tmp_path / "log"), **variables))

    assert [place for _, place in kept(document)] == [SECOND]
    assert contexts(tmp_path / "log") == [SECOND]
    assert any("hides 1 of 2 devices from ROCm" in line for line in document["warnings"])


@pytest.mark.parametrize("cards", [TWO, UNNAMED])
@pytest.mark.parametrize("variables", [{}, {"HIP_VISIBLE_DEVICES": "1,0"}, {"CUDA_VISIBLE_DEVICES": "0,1"}])
def test_a_program_under_the_exported_variables_sees_the_chosen_card(cards: tuple[str, ...], variables: dict[str, str]) -> None:
    for chosen, place in (("ROCm:0", FIRST), ("ROCm:1", SECOND)):
        answer = checked("env", piped("env", chosen, "--json", **machine(*cards, **variables)).out)
        exported = {each["name"]: each["value"] for each in answer["variables"]}
        there = {name: value for name, value in {**variables, **exported}.items() if value is not None}

        document = answered(**machine(*cards, **there))

        assert [where for _, where in kept(document)] == [place]


def test_partitions_of_one_card_are_devices_of_their_own(tmp_path: Path) -> None:
    parts = [described(name="MI300X", uuid=A, gfx="gfx942:sramecc+:xnack-", pci=f"0000:05:00.{n}") for n in range(3)]

    document = answered(**machine(*parts, FAKE_LOG=str(tmp_path / "log")))

    assert [device["id"] for device in document["devices"]] == [f"GPU-{A}", f"GPU-{A}#1", f"GPU-{A}#2"]
    assert [device["filter_id"] for device in document["devices"]] == ["0", "1", "2"]
    assert {device["partition"]["kind"] for device in document["devices"]} == {"cpx"}
    assert contexts(tmp_path / "log") == ["0000:05:00.0", "0000:05:00.1", "0000:05:00.2"]
