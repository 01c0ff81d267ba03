"""What only a machine with an NVIDIA GPU shows: gpuprobe beside `nvidia-smi`, beside a program under its map, and beside torch.

Run on such a machine with `pytest -m gpu`; elsewhere these tests are skipped. They change nothing of the card's settings.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from tests.cli.documents import checked
from tests.cli.terminal import Ran, piped

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(shutil.which("nvidia-smi") is None, reason="no NVIDIA driver here: `nvidia-smi` is not on the path"),
]

MiB, GiB = 1 << 20, 1 << 30
FIELDS = ("uuid", "pci.bus_id", "name", "memory.total", "memory.used", "driver_version")
SELECTS = ("CUDA_VISIBLE_DEVICES", "LD_LIBRARY_PATH")

# The device's memory through the driver alone: argv[1] bytes, or with "-N" all that is free but N.
HOLDS = """
import ctypes, sys
cuda, asked = ctypes.CDLL("libcuda.so.1"), int(sys.argv[1])
context, memory, free, total = ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_size_t(), ctypes.c_size_t()
def call(name, *given):
    code = getattr(cuda, name)(*given)
    if code: sys.exit(f"{name} answered {code}")
call("cuInit", 0)
call("cuDevicePrimaryCtxRetain", ctypes.byref(context), 0)
call("cuCtxSetCurrent", context)
call("cuMemGetInfo_v2", ctypes.byref(free), ctypes.byref(total))
call("cuMemAlloc_v2", ctypes.byref(memory), ctypes.c_size_t(asked if asked > 0 else free.value + asked))
print("held", flush=True)
sys.stdin.read()
"""
COUNTS = """
import ctypes
cuda, count, raw = ctypes.CDLL("libcuda.so.1"), ctypes.c_int(), (ctypes.c_ubyte * 16)()
cuda.cuInit(0)
cuda.cuDeviceGetCount(ctypes.byref(count))
cuda.cuDeviceGetUuid_v2(ctypes.byref(raw), 0)
print(count.value, bytes(raw).hex())
"""
COPIES = """
import time, torch
host, card = torch.empty(64 << 20, dtype=torch.uint8, pin_memory=True), torch.empty(64 << 20, dtype=torch.uint8, device="cuda")
def rate(to, of):
    times = []
    for _ in range(20):
        torch.cuda.synchronize(); begun = time.perf_counter()
        to.copy_(of, non_blocking=True); torch.cuda.synchronize()
        times.append(time.perf_counter() - begun)
    return (64 << 20) / sorted(times)[10]
print(rate(card, host), rate(host, card))
"""


class Smi(NamedTuple):
    """One GPU as `nvidia-smi` tells it; memory in bytes."""

    uuid: str
    pci_id: str
    name: str
    total: int
    used: int
    driver: str


def own(**more: str) -> dict[str, str]:
    return {**{name: os.environ[name] for name in SELECTS if name in os.environ}, **more}


def gpuprobe(*arguments: str, **variables: str) -> Ran:
    return piped(*arguments, **own(**variables))


def smi() -> list[Smi]:
    asked = ("nvidia-smi", f"--query-gpu={','.join(FIELDS)}", "--format=csv,noheader,nounits")
    said = subprocess.run(asked, capture_output=True, text=True, check=True, timeout=60).stdout
    rows = [[cell.strip() for cell in line.split(",")] for line in said.splitlines()]
    return [
        Smi(uuid, f"{bus.lower()[-12:]}", name, int(total) * MiB, int(used) * MiB, driver)
        for uuid, bus, name, total, used, driver in rows
    ]


def listed(*arguments: str, **variables: str) -> dict[str, Any]:
    return checked("list", gpuprobe("list", "--json", *arguments, **variables).out)


@contextlib.contextmanager
def held(size: int) -> Iterator[int]:
    """Another process that holds so much of the first GPU's memory; its number."""
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDS, str(size)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ}
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        try:
            yield holder.pid
        finally:
            assert holder.stdin is not None
            holder.stdin.close()


def test_list_tells_what_nvidia_smi_tells() -> None:
    cards = {card.uuid: card for card in smi()}

    devices = {device["id"]: device for device in listed("--library", "cuda")["devices"]}

    assert devices.keys() == cards.keys()
    for uuid, device in devices.items():
        card = cards[uuid]
        assert (device["pci_id"], device["name"], device["driver"]["kernel_version"]) == (card.pci_id, card.name, card.driver)
        assert device["total_memory_bytes"] == pytest.approx(card.total, rel=0.05)
        assert device["used_memory_bytes"] == pytest.approx(card.used, abs=700 * MiB)


def test_a_vulkan_view_of_a_card_is_known_as_that_card() -> None:
    document = listed()
    views = [drop["view"] for drop in document["dropped"] if drop["view"]["library"] == "Vulkan"]
    mine = {device["pci_id"] for device in document["devices"] if device["library"] == "CUDA"}
    if not views:
        pytest.skip("no Vulkan driver of NVIDIA's is installed here")

    assert {view["pci_id"] for view in views if view["type"] == "discrete"} <= mine


def test_every_card_climbs_to_the_last_rung_and_no_copy_is_faster_than_its_link() -> None:
    ran = gpuprobe("validate", "--library", "cuda", "--json")

    document = checked("validate", ran.out)
    assert ran.code == 0, ran.out
    for view in document["views"]:
        assert (view["verdict"], view["depth"]) == ("supported", "bandwidth")
        figures = next(rung["figures"] for rung in view["rungs"] if rung["name"] == "bandwidth")
        fastest = view["link"]["bytes_per_second"]
        assert 0 < figures["to_device_bytes_per_second"] <= fastest * 1.05
        assert 0 < figures["from_device_bytes_per_second"] <= fastest * 1.05


def test_a_program_under_the_map_sees_just_the_device_that_was_chosen() -> None:
    for card in smi():
        ran = gpuprobe("env", card.uuid, "--", sys.executable, "-c", COUNTS)

        assert ran.out.split() == ["1", card.uuid.removeprefix("GPU-").replace("-", "")]
        assert gpuprobe("env", card.uuid, "--check").code == 0


def test_refresh_sees_memory_come_and_go(tmp_path: Any) -> None:
    home = {"XDG_CACHE_HOME": str(tmp_path)}
    gpuprobe("list", **home)

    def free() -> int:
        document = checked("refresh", gpuprobe("refresh", "--json", **home).out)
        return int(document["devices"][0]["free_memory_bytes"])

    before = free()
    with held(1 * GiB):
        during = free()

    assert before - during >= 1 * GiB
    assert free() == pytest.approx(before, abs=200 * MiB)


def test_a_card_that_another_process_fills_is_not_called_broken_and_the_process_is_named() -> None:
    with held(-200 * MiB) as process:
        ran = gpuprobe("validate", smi()[0].uuid, "--library", "cuda")

    assert ran.code == 6
    assert f"process {process}" in ran.out


def test_a_capture_answers_as_the_machine_did(tmp_path: Any) -> None:
    kept = str(tmp_path / "machine.json")
    live = listed()

    assert gpuprobe("capture", kept).code == 0

    replayed = json.loads(gpuprobe("list", "--json", "--from", kept).out)
    assert [device["id"] for device in replayed["devices"]] == [device["id"] for device in live["devices"]]
    assert replayed["summary"] == live["summary"]


def test_copies_are_as_fast_as_torch_makes_them() -> None:
    if subprocess.run([sys.executable, "-c", "import torch"], capture_output=True, check=False).returncode:
        pytest.skip("torch is not installed")
    said = subprocess.run([sys.executable, "-c", COPIES], capture_output=True, text=True, check=True, timeout=300).stdout
    to_device, from_device = map(float, said.split())

    document = checked("validate", gpuprobe("validate", smi()[0].uuid, "--library", "cuda", "--json").out)

    figures = next(rung["figures"] for rung in document["views"][0]["rungs"] if rung["name"] == "bandwidth")
    assert figures["to_device_bytes_per_second"] == pytest.approx(to_device, rel=0.1)
    assert figures["from_device_bytes_per_second"] == pytest.approx(from_device, rel=0.1)
