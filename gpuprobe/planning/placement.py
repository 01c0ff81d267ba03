"""Where a model goes on given devices under given settings: every figure with its source."""

from __future__ import annotations

from gpuprobe.planning.records import Device, Model, Placement, Settings


def place(model: Model, devices: tuple[Device, ...], settings: Settings) -> Placement:
    """The memory of every device and the host, as llama.cpp would allocate it.

    Raises `gpuprobe.planning.records.Unplannable` where the settings cannot be had.
    """
    raise NotImplementedError
