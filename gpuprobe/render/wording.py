"""Short texts about devices and outcomes that tables and lines share; names in them are safe for a terminal."""

from __future__ import annotations

from gpuprobe.judging.completion import FROM_SYSTEM
from gpuprobe.libraries import library_named
from gpuprobe.model import SYSTEM, Device, Outcome, Status
from gpuprobe.strings import compute_string, printable, size_text

UNKNOWN = "?"
BAR_CELLS = 10


def numbered(device: Device) -> str:
    """`CUDA:0`; the library's own number where gpuprobe gave none."""
    return f"{device.library}:{device.ordinal}" if device.ordinal is not None else f"{device.library} number {device.number}"


def name_of(device: Device) -> str:
    return printable(device.name or "unnamed device")


def compute_of(device: Device) -> str:
    """`-` where the library speaks of no such thing: Vulkan has features instead of a generation."""
    return compute_string(device) or (UNKNOWN if library_named(device.library).vendors else "-")


def driver_of(device: Device) -> str:
    told = device.kernel_version or device.runtime_version or device.api_version
    return printable(told) if told else UNKNOWN


def memory_of(device: Device) -> str:
    """Used and total: `3.2 of 24.0 GiB`. Of memory shared with the system, what is not available is used."""
    size, whole = used_of(device), device.total_memory
    used, total = UNKNOWN if size is None else size_text(size), UNKNOWN if whole is None else size_text(whole)
    number, _, unit = used.partition(" ")
    return f"{number if unit and total.endswith(f' {unit}') else used} of {total}"


def used_of(device: Device) -> int | None:
    """None: unknown. That a library says how much is free is not enough: some say all of it where they do not know."""
    if device.used_memory is not None or device.free_memory is None or device.total_memory is None:
        return device.used_memory
    if dict(device.sources).get("free_memory") != FROM_SYSTEM:
        return None
    return max(0, device.total_memory - device.free_memory)


def bar_of(device: Device) -> str:
    """How full the memory is, in `BAR_CELLS` cells; empty where that is not known."""
    used = used_of(device)
    if used is None or not device.total_memory:
        return ""
    share = min(max(used / device.total_memory, 0.0), 1.0)
    full = round(share * BAR_CELLS)
    return "█" * full + "░" * (BAR_CELLS - full)


def type_of(device: Device) -> str:
    """`MIG slice`, where it is one: that it is cut from a discrete card tells nobody which."""
    kind = f"{device.partition.kind.upper()} slice" if device.partition else device.type.value
    return kind if device.validation is not None else f"{kind}, not initialised"


def place_of(device: Device) -> str:
    return printable(device.pci_id) if device.pci_id else "no PCI address"


def seconds_of(seconds: float | None) -> str:
    return UNKNOWN if seconds is None else f"{seconds:.3f} s"


def outcome_of(outcome: Outcome) -> str:
    """How far one child got: `crashed, 1 device, last step cuInit, 0.120 s, signal 11`."""
    words = [outcome.status.value.replace("_", " ")]
    if outcome.devices:
        words.append(f"{len(outcome.devices)} device{'s' if len(outcome.devices) != 1 else ''}")
    if outcome.last_call:
        words.append(f"last step {printable(outcome.last_call)}")
    if outcome.seconds is not None:
        words.append(seconds_of(outcome.seconds))
    if outcome.signal is not None and outcome.status is Status.CRASHED:  # the others were ended by gpuprobe's own signal
        words.append(f"signal {outcome.signal}")
    if outcome.exit_code:
        words.append(f"exit code {outcome.exit_code}")
    if outcome.library_path:
        words.append(printable(outcome.library_path))
    return ", ".join(words)


def asked_of(outcome: Outcome) -> str:
    """What a child was asked: `CUDA (cuda_v13) validate GPU-…`."""
    probe = outcome.probe
    parts = [probe.library, probe.purpose.value]
    if probe.build != SYSTEM:
        parts.insert(1, f"({printable(probe.build)})")
    parts += [printable(part) for part in (probe.device, probe.manifest) if part]
    return " ".join(parts)
