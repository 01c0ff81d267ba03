"""The sensors of an AMD card: files as `amdgpu` shows them, and whatever else may lie in their place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpuprobe.backends.amdgpu.activity import activity
from tests.file_trees import machine

CARD = "/sys/bus/pci/devices/0000:03:00.0"
FILES = {
    "gpu_busy_percent": "87\n",
    "mem_busy_percent": "12\n",
    "hwmon/hwmon3/temp1_input": "61000\n",
    "hwmon/hwmon3/power1_average": "215000000\n",
    "hwmon/hwmon3/power1_cap": "355000000\n",
    "hwmon/hwmon3/freq1_input": "2482000000\n",
    "hwmon/hwmon3/freq2_input": "1249000000\n",
}
TOLD = {
    "utilization_percent": 87,
    "memory_utilization_percent": 12,
    "temperature_celsius": 61,
    "power_watts": 215.0,
    "power_limit_watts": 355.0,
    "clock_mhz": 2482,
    "memory_clock_mhz": 1249,
}


def told(place: Path, **files: str | bytes) -> dict[str, Any]:
    return activity(machine(place, {f"{CARD}/{name}": content for name, content in files.items()}) + CARD)


def test_every_figure_comes_from_its_file_in_its_unit(tmp_path: Path) -> None:
    assert told(tmp_path, **FILES) == TOLD


def test_newer_cards_tell_what_they_draw_now_in_another_file(tmp_path: Path) -> None:
    newer = {("hwmon/hwmon3/power1_input" if "average" in name else name): text for name, text in FILES.items()}

    assert told(tmp_path, **newer) == TOLD


def test_a_card_without_sensors_and_one_that_sleeps_tell_nothing(tmp_path: Path) -> None:
    assert set(told(tmp_path).values()) == {None}
    assert set(activity("/nowhere").values()) == {None}


@given(st.sampled_from(sorted(FILES)), st.binary(max_size=40))
def test_rubbish_in_a_file_is_an_unknown_figure_or_a_plausible_one(
    tmp_path_factory: pytest.TempPathFactory, name: str, content: bytes
) -> None:
    found = told(tmp_path_factory.mktemp("card"), **dict[str, str | bytes](FILES, **{name: content}))

    assert sum(found[key] != value for key, value in TOLD.items()) <= 1
    assert all(value is None or (isinstance(value, int | float) and value >= 0) for value in found.values())
    assert (found["utilization_percent"] or 0) <= 100
