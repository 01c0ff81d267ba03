"""The doubles of NVIDIA's libraries as the benchmark uses them: tests/doubles.py without pytest around it."""

from __future__ import annotations

import pytest

from tests import doubles
from tests.benchmark.table import Unmeasured

GiB = 1 << 30


def nvidia(*lines: str, cards: int = 1, **doing: object) -> dict[str, str]:
    """Variables under which these cards are here; `lines` as in tests/drivers/fake.h, for libcuda; `doing`: fake_nvml.c."""
    try:
        path = f"{doubles.cuda_driver().parent}:{doubles.nvml_driver().parent}"
    except (pytest.skip.Exception, pytest.fail.Exception) as reason:
        raise Unmeasured(str(reason)) from reason
    return {
        "LD_LIBRARY_PATH": path,
        "FAKE_CUDA": doubles.script(*(_card(number, **doing) for number in range(1, cards + 1)), *lines),
    }


def _card(number: int, **doing: object) -> str:
    return doubles.described(
        name="NVIDIA GeForce RTX 4090",
        uuid=f"GPU-00000000-0000-0000-0000-{number:012x}",
        pci=f"0000:{number:02x}:00.0",
        memory=24 * GiB,
        **doing,
    )
