"""What the sensors of an AMD card tell, through the files of `amdgpu` and its hwmon: how busy, hot and fast it is.

They are read in a child: a card that hangs can keep a reader in the kernel. Units are those of the kernel's documentation
(Documentation/hwmon/sysfs-interface.rst, gpu/amdgpu/thermal.rst): millidegrees, microwatts, hertz.
"""

# pathlib would cost every child a fifth of its start.
# ruff: noqa: PTH123, PTH208

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Json = dict[str, Any]


def activity(place: str) -> Json:
    """`place`: the card's folder in sysfs. What no file tells is None."""
    sensors = _sensors(place)
    power = _number(f"{sensors}/power1_average")
    return {
        "utilization_percent": _percent(_number(f"{place}/gpu_busy_percent")),
        "memory_utilization_percent": _percent(_number(f"{place}/mem_busy_percent")),
        "temperature_celsius": _in(1000, _number(f"{sensors}/temp1_input")),
        "power_watts": _watts(power if power is not None else _number(f"{sensors}/power1_input")),
        "power_limit_watts": _watts(_number(f"{sensors}/power1_cap")),
        "clock_mhz": _in(1_000_000, _number(f"{sensors}/freq1_input")),
        "memory_clock_mhz": _in(1_000_000, _number(f"{sensors}/freq2_input")),
    }


def _sensors(place: str) -> str:
    """The card's own hwmon folder, whose number is the order of discovery."""
    try:
        names = sorted(os.listdir(f"{place}/hwmon"))
    except OSError:
        names = []
    return f"{place}/hwmon/{names[0]}" if names else place


def _number(path: str) -> int | None:
    try:
        with open(path, "rb") as file:
            text = file.read(32).strip()
    except OSError:  # no such sensor, a sleeping card, or not for this user
        return None
    return int(text) if text.isdigit() and len(text) < 19 else None


def _percent(value: int | None) -> int | None:
    return value if value is not None and value <= 100 else None


def _in(unit: int, value: int | None) -> int | None:
    return None if value is None else value // unit


def _watts(value: int | None) -> float | None:
    return None if value is None else value / 1e6
