"""A build's child as gpuprobe's parent starts, reads and ends it: what becomes of a listing, a validation and a proof."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from gpuprobe.model import DeviceType, Outcome, Probe, Purpose, Status
from gpuprobe.probing.children import Children
from tests import ggml_world
from tests.backends.vulkan_talk import RADEON, RTX
from tests.doubles import described
from tests.ggml_world import Build, double
from tests.vulkan_world import world

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the doubles are Linux shared libraries")

CARD = described(name="NVIDIA GeForce RTX 4090", pci="0000:01:00.0", memory=24 << 30, free=20 << 30)
WANTED = {"pci_id": "0000:01:00.0", "number": 0}


def outcome(
    build: Build,
    environ: Mapping[str, str] = {},
    purpose: Purpose = Purpose.LIST,
    *,
    device: Mapping[str, Any] = WANTED,
    seconds: float = 30,
) -> Outcome:
    is_list = purpose is Purpose.LIST
    probe = Probe(build.library, purpose, build=build.path.parent.name, device=None if is_list else str(device))
    children = Children({"PATH": os.defpath, **build.environment(), **environ})
    children.start(probe, build.asked(purpose=purpose.value, device=None if is_list else dict(device)), seconds)
    try:
        answered = children.next()
    finally:
        children.close()
    assert answered is not None
    return answered


def test_a_listing_becomes_devices_of_the_builds_library(tmp_path: Path) -> None:
    listed = outcome(double(tmp_path / "cuda_v12", "archs 610,700", CARD))

    (device,) = listed.devices
    assert listed.status is Status.OK
    assert (device.library, device.build, device.pci_id) == ("CUDA", "cuda_v12", "0000:01:00.0")
    assert (device.total_memory, device.free_memory) == (24 << 30, 20 << 30)
    assert device.capabilities["architectures"] == ["610", "700"]
    assert listed.facts["ggml_version"] == "0.25.1"
    assert listed.library_path == str(tmp_path / "cuda_v12" / "libggml-cuda.so")


def test_a_validation_reaches_a_context(tmp_path: Path) -> None:
    validated = outcome(double(tmp_path, CARD), purpose=Purpose.VALIDATE)

    assert (validated.status, validated.depth) == (Status.OK, "context")


def test_a_proof_reaches_the_product(tmp_path: Path) -> None:
    proved = outcome(double(tmp_path, CARD), purpose=Purpose.PROVE)

    assert (proved.status, proved.depth) == (Status.OK, "product")
    assert [rung.result for rung in proved.stages] == ["passed"] * 7


def test_a_wrong_product_is_a_kind_of_failure_of_its_own(tmp_path: Path) -> None:
    build = double(tmp_path, CARD)
    Path(f"{build.before[0]}.script").write_text("spoil 7")

    proved = outcome(build, purpose=Purpose.PROVE)

    assert (proved.status, proved.failure) == (Status.CALL_FAILED, "wrong_result")
    assert "1 of 512 elements are wrong" in (proved.message or "")


@pytest.mark.parametrize(
    ("line", "status", "step"),
    [
        ("crash ggml_backend_init", Status.CRASHED, "ggml_backend_init"),
        ("abort ggml_backend_dev_get_props", Status.CRASHED, "ggml_backend_dev_get_props"),
        ("exit ggml_backend_init 7", Status.EXITED, "ggml_backend_init"),
        ("hang ggml_backend_dev_memory", Status.TIMED_OUT, "ggml_backend_dev_memory"),
        ("hang load", Status.TIMED_OUT, "load "),
    ],
)
def test_a_build_that_never_answers_is_ended_and_its_step_named(line: str, status: Status, step: str, tmp_path: Path) -> None:
    listed = outcome(double(tmp_path, CARD, line), seconds=1)

    assert listed.status is status
    assert (listed.last_call or "").startswith(step)


@pytest.mark.parametrize("broken", ["no base library", "another base library", "empty directory", "rubbish", "no functions"])
def test_every_broken_build_ends_with_a_status_and_a_sentence(broken: str, tmp_path: Path) -> None:
    build = double(tmp_path, CARD, defines=("NEEDS=ggml_of_tomorrow",) if broken == "another base library" else ())
    if broken == "no base library":
        build.before[0].unlink()
    if broken == "empty directory":
        build.path.unlink()
    if broken == "rubbish":
        build.path.write_text("not a library")
    if broken == "no functions":
        build.path.write_bytes(build.before[0].read_bytes())

    listed = outcome(build)

    assert listed.status is Status.NOT_LOADABLE
    assert listed.message
    assert listed.devices == ()
    assert listed.facts == {}


def test_both_cards_of_a_real_vulkan_build_are_listed_and_one_computes(tmp_path: Path) -> None:
    build, cards = ggml_world.vulkan(), world(tmp_path).lavapipe().second_lavapipe().identity(RTX, RADEON).environment()

    listed, proved = outcome(build, cards), outcome(build, cards, Purpose.PROVE)

    assert [device.type for device in listed.devices] == [DeviceType.DISCRETE, DeviceType.INTEGRATED]
    assert [device.key for device in listed.devices] == ["0000:01:00.0", "0000:c5:00.0"]
    assert (proved.status, proved.depth) == (Status.OK, "product")


def test_the_abort_of_a_build_whose_device_has_no_memory_is_named_with_its_last_words(tmp_path: Path) -> None:
    """As ggml-vulkan does: it lists such a device, and gives up where a backend is started on it."""
    call = "ggml_backend_dev_init"
    build = double(tmp_path, described(name="Null hardware", memory=0), f"say {call} no memory type fits", f"abort {call}")

    listed = outcome(build)
    validated = outcome(build, purpose=Purpose.VALIDATE, device={"number": 0})

    assert [device.total_memory for device in listed.devices] == [None]
    assert (validated.status, validated.signal) == (Status.CRASHED, signal.SIGABRT)
    assert validated.last_call == call
    assert "no memory type fits" in validated.stderr
