"""What NVML says of a card that changes all the time: how busy, hot, fast and held back it is, and who uses it."""

from __future__ import annotations

from gpuprobe.backends.throttling import HELD_BACK_BY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Json = dict[str, Any]

_GRAPHICS, _MEMORY = 0, 2  # nvmlClockType_t
_ON_THE_CHIP = 0  # nvmlTemperatureSensors_t
_UNKNOWN_SIZE = 2**64 - 1  # NVML_VALUE_NOT_AVAILABLE: as for every process under Windows' own memory manager


def activity(card: Any) -> Json:
    """`card`: as in nvml.py. What it does not tell is None; "not supported" is normal for much of it."""
    nvml, told = card.nvml, card.told
    card.announce("nvmlDeviceGetUtilizationRates")
    busy = told("utilization", nvml.nvmlDeviceGetUtilizationRates, card.handle)
    card.announce("nvmlDeviceGetTemperature")
    heat = told("temperature", nvml.nvmlDeviceGetTemperature, card.handle, _ON_THE_CHIP)
    return {
        "utilization_percent": _percent(busy.gpu) if busy is not None else None,
        "memory_utilization_percent": _percent(busy.memory) if busy is not None else None,
        "temperature_celsius": heat if heat is not None and heat < 1000 else None,
        **_power(card),
        **_clocks(card),
        "throttle_reasons": _reasons(card),
        "processes": _processes(card),
    }


def activity_of_slice(card: Any, of_the_card: Json) -> Json:
    """Who uses a MIG instance. To whom NVML does not tell the processes of the card (it wants a right for that), a slice that
    names none may have some."""
    named = _processes(card)
    return {"processes": named if named or of_the_card.get("processes") is not None else None}


def _percent(value: int) -> int | None:
    return value if 0 <= value <= 100 else None


def _power(card: Any) -> Json:
    """Watts; NVML counts in thousandths."""
    card.announce("nvmlDeviceGetPowerUsage")
    draw = card.told("power", card.nvml.nvmlDeviceGetPowerUsage, card.handle)
    card.announce("nvmlDeviceGetEnforcedPowerLimit")
    limit = card.told("power_limit", card.nvml.nvmlDeviceGetEnforcedPowerLimit, card.handle)
    return {
        "power_watts": None if draw is None else draw / 1000,
        "power_limit_watts": None if limit is None else limit / 1000,
    }


def _clocks(card: Any) -> Json:
    card.announce("nvmlDeviceGetClockInfo")
    graphics = card.told("clock", card.nvml.nvmlDeviceGetClockInfo, card.handle, _GRAPHICS)
    memory = card.told("memory_clock", card.nvml.nvmlDeviceGetClockInfo, card.handle, _MEMORY)
    return {"clock_mhz": graphics, "memory_clock_mhz": memory}


def _reasons(card: Any) -> list[str] | None:
    # Renamed in the driver's release 535; the older name is in every release so far.
    card.announce("nvmlDeviceGetCurrentClocksThrottleReasons")
    bits = card.told("throttle_reasons", card.nvml.nvmlDeviceGetCurrentClocksThrottleReasons, card.handle)
    return None if bits is None else [name for bit, name in HELD_BACK_BY.items() if bits & bit]


def _processes(card: Any) -> list[Json] | None:
    """By number, each once, the most that is known of its memory (bytes). None: the card tells of none at all."""
    card.announce("nvmlDeviceGetComputeRunningProcesses")
    computing = card.told("processes", card.nvml.nvmlDeviceGetComputeRunningProcesses, card.handle)
    card.announce("nvmlDeviceGetGraphicsRunningProcesses")
    drawing = card.told("processes", card.nvml.nvmlDeviceGetGraphicsRunningProcesses, card.handle)
    if computing is None and drawing is None:
        return None
    held: dict[int, int | None] = {}
    for each in (*(computing or ()), *(drawing or ())):
        size = each.usedGpuMemory
        known = size if size is not None and size != _UNKNOWN_SIZE else None
        held[each.pid] = max(filter(None, (held.get(each.pid), known)), default=None)
    return [{"pid": pid, "used_memory_bytes": size} for pid, size in sorted(held.items())]
