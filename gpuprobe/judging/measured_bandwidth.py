"""What timed copies say of a card's link: measured beside what the link gives in theory, and what holds it back."""

from __future__ import annotations

from collections.abc import Iterator

from gpuprobe.judging import theoretical_bandwidth
from gpuprobe.model import Device, Json, Outcome, StageName
from gpuprobe.record_classes import NamedTuple

# Copies reach 75 to 85 % of what the lanes carry, the rest is protocol; below half of it something else is slow.
_POOR = 0.5


class Speeds(NamedTuple):
    """Bytes per second as measured, and in theory; None: unknown."""

    to_device: int | None
    from_device: int | None
    on_device: int | None  # copied; the memory moves each byte twice
    link: int | None  # in theory, as it was while copies ran
    memory: int | None  # in theory
    generation: int | None
    width: int | None
    width_at_most: int | None
    generation_at_most: int | None
    slowed_by: str | None


def speeds_of(device: Device, outcome: Outcome | None) -> Speeds | None:
    """What was measured in the last stage; None where nothing was."""
    stage = next((stage for stage in outcome.stages if stage.name is StageName.BANDWIDTH), None) if outcome else None
    if stage is None or "to_device_bytes_per_second" not in stage.figures:
        return None
    figures = stage.figures
    generation, width = _whole(figures, "link_generation"), _whole(figures, "link_width")
    slowed = figures.get("slowed_by")
    return Speeds(
        to_device=_whole(figures, "to_device_bytes_per_second"),
        from_device=_whole(figures, "from_device_bytes_per_second"),
        on_device=_whole(figures, "on_device_bytes_per_second"),
        link=theoretical_bandwidth.of_generation(generation, width),
        memory=theoretical_bandwidth.of_memory(device.capabilities),
        generation=generation,
        width=width,
        width_at_most=_whole(figures, "link_width_max"),
        generation_at_most=_whole(figures, "link_generation_max"),
        slowed_by=slowed if isinstance(slowed, str) and slowed else None,
    )


def remarks(speeds: Speeds) -> Iterator[str]:
    """Sentences about what is slower than it should be, each with its reason where one is known."""
    if speeds.width is not None and speeds.width < (speeds.width_at_most or 0):
        yield (
            f"its link has {speeds.width} of {speeds.width_at_most} lanes: possible causes are a slot with fewer lanes, a "
            "badly seated card, a riser, or lanes shared in the BIOS"
        )
    if speeds.generation is not None and speeds.generation < (speeds.generation_at_most or 0):
        yield (
            f"its link runs at PCIe generation {speeds.generation} of {speeds.generation_at_most} while copies run: "
            "possible causes are a riser, the slot, or a setting in the BIOS"
        )
    measured = min((rate for rate in (speeds.to_device, speeds.from_device) if rate), default=None)
    if speeds.link is not None and measured is not None and measured < _POOR * speeds.link:
        yield (
            f"copies reach {rate_text(measured)} of the {rate_text(speeds.link)} that its link can carry: "
            "possible causes are slow system memory, another device on the same bridge, or a virtual machine"
        )
    if speeds.slowed_by is not None:
        look = "look at its temperature, fans and power (`nvidia-smi -q -d PERFORMANCE`)"
        yield f"its clocks are slowed down ({speeds.slowed_by}): {look}"


def rate_text(rate: int | None) -> str:
    """ "24.6 GB/s", in powers of ten as links are sold; "?" where it is unknown."""
    return "?" if rate is None else f"{rate / 1e9:.1f} GB/s"


def _whole(figures: Json, name: str) -> int | None:
    value = figures.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else None
