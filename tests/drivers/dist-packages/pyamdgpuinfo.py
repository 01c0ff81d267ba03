"""The module `pyamdgpuinfo` as far as gpuprobe calls it. Acts by the script in FAKE_AMDGPU, one thing a line:

device name="…" pci=0000:03:00.0 path=/dev/dri/renderD128 vram=… used=… gtt=… shared=…    one card; sizes in bytes
raise FUNCTION EXCEPTION WORDS    the call raises that, by the name of a built-in exception
chaos FUNCTION WORD               one of the faults of fake_chaos.h, by the library that FAKE_CHAOS names; `load`: the import
"""

from __future__ import annotations

import builtins
import ctypes
import os
import shlex
from typing import Any


def _lines() -> list[list[str]]:
    return [shlex.split(line) for line in os.environ.get("FAKE_AMDGPU", "").splitlines()]


def _act(function: str) -> None:
    for line in _lines():
        if line[:2] == ["raise", function]:
            raise getattr(builtins, line[2])(" ".join(line[3:]))
        if line[:2] == ["chaos", function]:
            ctypes.CDLL(os.environ["FAKE_CHAOS"]).only_chaos(line[2].encode())


def _cards() -> list[dict[str, str]]:
    return [dict(pair.split("=", 1) for pair in line[1:]) for line in _lines() if line[0] == "device"]


def detect_gpus() -> int:
    _act("detect_gpus")
    return len(_cards())


class GPUInfo:
    def __init__(self, known: dict[str, str], number: int) -> None:
        self._known = known
        self.gpu_id = number
        self.name = known.get("name")
        self.path = known.get("path", "/dev/dri/renderD128")
        self.pci_slot = known.get("pci")
        self.memory_info = {key: self._size(ours) for key, ours in (("vram_size", "vram"), ("gtt_size", "gtt"))}

    def _size(self, key: str) -> Any:
        return int(self._known[key]) if key in self._known else None

    def query_vram_usage(self) -> Any:
        _act("query_vram_usage")
        return self._size("used")

    def query_gtt_usage(self) -> Any:
        _act("query_gtt_usage")
        return self._size("shared")


def get_gpu(number: int) -> GPUInfo:
    _act(f"get_gpu@{number}")
    return GPUInfo(_cards()[number], number)


_act("load")
