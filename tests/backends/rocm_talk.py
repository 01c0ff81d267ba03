"""Conversations with a child that proves a card of ROCm, on doubles of HIP, hiprtc and rocBLAS."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.backends.talk import Talk, request, talk
from tests.doubles import described, rocm_with_a_compiler, script

CARD = "8b5ac29c9e8f1a2b"
FIRST = described(name="Radeon", uuid=CARD, gfx="gfx1100", pci="0000:03:00.0", memory=24 << 30, free=20 << 30)
ALONE = {"uuid": f"GPU-{CARD}", "number": 0, "copy": 0, "alone": True}


def proved(
    *lines: str,
    library: Path | None = None,
    device: dict[str, Any] = ALONE,
    until: str | None = None,
    toolkits: tuple[str, ...] = (),
    rocblas: str = "",
    compiler: str = "",
    **environ: str,
) -> Talk:
    more = {"purpose": "prove", "device": device, "until": until, "toolkits": list(toolkits)}
    asked = request(library or rocm_with_a_compiler(), "rocm", **more)
    scripts = {"FAKE_HIP": script(*(lines or (FIRST,))), "FAKE_ROCBLAS": rocblas, "FAKE_HIPRTC": compiler}
    return talk(asked, {**scripts, **environ})


def failure(answer: Talk) -> dict[str, Any]:
    assert answer.failed is not None
    assert "failed" in answer.lines[-1]
    return answer.failed


def figures(answer: Talk) -> dict[str, Any]:
    return {name: value for each in answer.all("figures") for name, value in each.items()}
