"""Devices and machines for the rules of engines that `plan` knows, and a model that is read once."""

from __future__ import annotations

from pathlib import Path

from gpuprobe.model import Device, DeviceType, GiB
from gpuprobe.modelfile import gguf
from gpuprobe.planning.engines.engine_records import HostMemory, Machine, Subject
from gpuprobe.planning.placement import Planner
from tests.made_up_models import MODELS

HOST = HostMemory(total=64 * GiB, available=48 * GiB)


def card(
    number: int = 0,
    total: float | None = 24,
    free: float | None = None,
    library: str = "CUDA",
    type_: DeviceType = DeviceType.DISCRETE,
) -> Device:
    left = total if free is None else free
    return Device(
        library,
        number,
        ordinal=number,
        total_memory=None if total is None else int(total * GiB),
        free_memory=None if left is None else int(left * GiB),
        type=type_,
        compute_major=8,
        compute_minor=9,
    )


def integrated(number: int = 0, total: float = 16, library: str = "CUDA") -> Device:
    return card(number, total, library=library, type_=DeviceType.INTEGRATED)


def on(*devices: Device, host: HostMemory = HOST, **environ: str) -> Machine:
    return Machine(devices, host, environ)


def prepared(name: str, folder: Path) -> Subject:
    path = str(MODELS[name]().write(folder / "m.gguf"))
    model = gguf.read(path)
    return Subject(model, path, path, prepared=Planner(model))
