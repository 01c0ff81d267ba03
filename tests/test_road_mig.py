"""The road for cut NVIDIA cards: doubles of CUDA and NVML that behave as documented, the command's own output above."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.terminal import piped
from tests.doubles import cuda_driver, described, nvml_driver, script
from tests.test_road import answered, kept

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the doubles are Linux shared libraries")

GiB = 1 << 30
A100 = "GPU-00000000-0000-0000-0000-00000000000a"
ADDRESS = "0000:01:00.0"
SLICES = tuple(f"MIG-{letter * 8}-0000-5000-8000-{letter * 12}" for letter in "abc")
WHOLE = described(name="NVIDIA A100-SXM4-40GB", uuid=A100, pci=ADDRESS, cc="8.0", mig=1, memory=40 * GiB)
PARTS = tuple(
    described("slice", name="NVIDIA A100-SXM4-40GB MIG 2g.10gb", uuid=uuid, memory=10 * GiB, free=(9 - place) * GiB)
    for place, uuid in enumerate(SLICES)
)


def cut(*lines: str, nvml: tuple[str, ...] = (), **environ: str) -> dict[str, str]:
    libraries = f"{cuda_driver().parent}:{nvml_driver().parent}"
    doubles = {"LD_LIBRARY_PATH": libraries, "FAKE_CUDA": script(*lines), "FAKE_NVML": script(*(nvml or lines))}
    return {**doubles, "VK_DRIVER_FILES": "/none", **environ}


def warnings(document: dict[str, Any]) -> str:
    return " ".join(document["warnings"])


def test_each_slice_is_a_device_of_its_own_with_a_context_made_on_it(tmp_path: Path) -> None:
    document = answered("list", **cut(WHOLE, *PARTS, FAKE_LOG=str(tmp_path / "log")))

    assert kept(document) == [("CUDA", uuid) for uuid in SLICES]
    assert {each["filter_id"] for each in document["devices"]} == set(SLICES)
    assert [each["partition"] for each in document["devices"]] == [{"kind": "mig", "parent": A100}] * 3
    assert [each["free_memory_bytes"] for each in document["devices"]] == [9 * GiB, 8 * GiB, 7 * GiB]
    assert {each["validation"]["depth"] for each in document["devices"]} == {"context"}
    retained = [line.split()[1] for line in (tmp_path / "log").read_text().splitlines() if line.startswith("retain")]
    assert sorted(retained) == sorted(SLICES)
    assert document["summary"]["text"] == "1 of 1 GPU usable"
    assert "slice" not in warnings(document)


def test_each_slice_carries_the_variable_that_selects_it_alone() -> None:
    document = answered("list", **cut(WHOLE, *PARTS))

    assert [each["visible"] for each in document["devices"]] == [{"CUDA_VISIBLE_DEVICES": uuid} for uuid in SLICES]


def test_a_slice_that_is_named_is_selected_and_a_child_under_the_map_sees_it() -> None:
    document = answered("env", SLICES[1], "--check", **cut(WHOLE, *PARTS))

    assert {"name": "CUDA_VISIBLE_DEVICES", "value": SLICES[1], "action": "set"} in document["variables"]
    assert [check["answer"] for check in document["check"]] == [True]


def test_of_several_slices_a_process_uses_the_first_and_that_is_said() -> None:
    ran = piped("env", "--check", **cut(WHOLE, *PARTS))

    assert ran.code == 0
    assert f"CUDA_VISIBLE_DEVICES='{','.join(SLICES)}'" in ran.out
    assert f"uses the first of several slices; choose {SLICES[1]} for another process" in ran.err


def test_what_the_user_did_not_choose_is_not_asked_for() -> None:
    document = answered("list", **cut(WHOLE, *PARTS, CUDA_VISIBLE_DEVICES=SLICES[1]))

    assert kept(document) == [("CUDA", SLICES[1])]
    assert not [probe for probe in document["probes"] if probe["purpose"] == "alone"]
    assert f"the others are {SLICES[0]}, {SLICES[2]}: choose one by its id" in warnings(document)


def test_a_slice_that_cuda_does_not_show_even_alone_is_named() -> None:
    """As in a container that was given one slice, where NVML may name more."""
    document = answered("list", **cut(WHOLE, PARTS[0], nvml=(WHOLE, *PARTS[:2])))

    assert kept(document) == [("CUDA", SLICES[0])]
    assert f"CUDA does not show the slice {SLICES[1]} where it alone is visible: " in warnings(document)


def test_without_nvml_the_one_slice_that_cuda_shows_is_kept() -> None:
    document = answered("list", **cut(WHOLE, *PARTS, nvml=("error nvmlInitWithFlags 9",)))

    assert kept(document) == [("CUDA", SLICES[0])]


def test_a_card_in_mig_mode_without_a_slice_says_what_to_do() -> None:
    document = answered("list", **cut(WHOLE))

    (card,) = document["cards"]
    assert card["why"]["reason"] == "mig_without_slices"
    assert "MIG is on without an instance" in document["summary"]["text"]
    assert "`sudo nvidia-smi mig -i 0000:01:00.0 -cgi 0 -C`" in str(card["why"])


def test_a_whole_card_beside_a_cut_one_is_kept_with_the_slices() -> None:
    other = described(name="NVIDIA A100-SXM4-40GB", uuid=A100[:-1] + "b", pci="0000:02:00.0", cc="8.0", memory=40 * GiB)

    document = answered("list", **cut(WHOLE, *PARTS[:2], other))

    assert kept(document) == [("CUDA", SLICES[0]), ("CUDA", SLICES[1]), ("CUDA", A100[:-1] + "b")]
    assert document["summary"]["text"] == "2 of 2 GPUs usable"


def test_a_capture_of_a_cut_card_gives_the_same_devices(tmp_path: Path) -> None:
    file = tmp_path / "cut.json"
    captured = piped("capture", str(file), **cut(WHOLE, *PARTS))

    document = answered("list", "--from", str(file))

    assert captured.code == 0
    assert len(document["devices"]) == 3
    assert {each["validation"]["verdict"] for each in document["devices"]} == {"supported"}


def test_each_slice_is_proved_by_itself() -> None:
    document = answered("validate", **cut(WHOLE, *PARTS))

    assert [view["id"] for view in document["views"]] == list(SLICES)
    assert {(view["verdict"], view["depth"]) for view in document["views"]} == {("supported", "bandwidth")}
    assert document["summary"]["text"] == "3 of 3 views passed; all 3 slices work"
