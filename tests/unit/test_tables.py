"""What the cells of the tables say, and how they are fitted into a width."""

from __future__ import annotations

from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from gpuprobe.model import Depth, Device, DeviceType, GiB, MiB, Validation, Verdict
from gpuprobe.render import tables, wording
from gpuprobe.render.screen import Screen
from tests.records import a_device


def drawn(devices: list[Device], width: int) -> list[str]:
    out = StringIO()
    Screen(out, StringIO(), {"COLUMNS": str(width)}).show(tables.device_table(devices, width))
    return out.getvalue().splitlines()


@pytest.mark.parametrize(
    ("used", "total", "text"),
    [
        (3 * GiB, 24 * GiB, "3.0 of 24.0 GiB"),
        (300 * MiB, 24 * GiB, "300 MiB of 24.0 GiB"),
        (0, 24 * GiB, "0 bytes of 24.0 GiB"),
        (None, 24 * GiB, "? of 24.0 GiB"),
        (None, None, "? of ?"),
        (3 * GiB, None, "3.0 GiB of ?"),
    ],
)
def test_memory_is_used_of_total_and_unknown_is_no_number(used: int | None, total: int | None, text: str) -> None:
    assert wording.memory_of(a_device(used_memory=used, total_memory=total, free_memory=None)) == text


def test_of_memory_shared_with_the_system_what_is_not_available_is_used() -> None:
    orin = a_device(used_memory=None, free_memory=20 * GiB, total_memory=30 * GiB, sources=(("free_memory", "system"),))

    assert wording.memory_of(orin) == "10.0 of 30.0 GiB"


def test_that_a_library_says_how_much_is_free_says_nothing_of_what_is_used() -> None:
    metal = a_device("Metal", used_memory=None, free_memory=30 * GiB, total_memory=30 * GiB)

    assert wording.memory_of(metal) == "? of 30.0 GiB"


@pytest.mark.parametrize(
    ("used", "total", "bar"),
    [
        (0, 10, "░░░░░░░░░░"),
        (5, 10, "█████░░░░░"),
        (10, 10, "██████████"),
        (11, 10, "██████████"),
        (None, 10, ""),
        (5, None, ""),
        (5, 0, ""),
    ],
)
def test_the_bar_shows_how_full_the_memory_is_and_stays_away_where_that_is_unknown(
    used: int | None, total: int | None, bar: str
) -> None:
    assert wording.bar_of(a_device(used_memory=used, total_memory=total)) == bar


def test_a_device_that_was_only_listed_is_marked() -> None:
    listed = a_device(type=DeviceType.DISCRETE)
    proved = listed._replace(validation=Validation(Verdict.SUPPORTED, Depth.CONTEXT, "it works"))

    assert wording.type_of(listed) == "discrete, not initialised"
    assert wording.type_of(proved) == "discrete"


def test_the_driver_is_the_kernel_driver_where_it_is_known() -> None:
    assert wording.driver_of(a_device(kernel_version="580.95.05")) == "580.95.05"
    assert wording.driver_of(a_device(kernel_version=None, runtime_version=None, api_version="13.0")) == "13.0"
    assert wording.driver_of(a_device(kernel_version=None, runtime_version=None, api_version=None)) == "?"


NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=120)


@given(NAMES, st.sampled_from(list(DeviceType)), st.integers(30, 220), st.text(max_size=40))
def test_no_row_is_wider_than_the_screen_whatever_the_names_are(name: str, kind: DeviceType, width: int, driver: str) -> None:
    device = a_device(name=name, type=kind, kernel_version=driver, pci_id="0000:01:00.0", ordinal=0, used_memory=GiB)

    assert all(cell_len(line) <= width for line in drawn([device], width))


@given(st.text(max_size=80), st.integers(2, 60))
def test_a_shortened_text_fits_and_says_that_it_was_cut(text: str, cells: int) -> None:
    shown = tables.shortened(text, cells)

    assert cell_len(shown) <= cells
    assert shown == text or shown.endswith("…")


def test_no_devices_are_no_table() -> None:
    assert drawn([], 80) == []


def test_memory_that_is_shared_and_large_still_fits_a_table_of_80_columns() -> None:
    board = a_device(
        type=DeviceType.INTEGRATED, pci_id="000f:01:00.0", kernel_version="580.95.05", ordinal=0,
        used_memory=None, free_memory=12 * GiB, total_memory=119 * GiB, compute_major=12, compute_minor=1,
        validation=Validation(Verdict.SUPPORTED, Depth.CONTEXT, "it works"),
    )  # fmt: skip

    header, *_ = drawn([board], 80)

    assert header.split() == ["DEVICE", "NAME", "COMPUTE", "DRIVER", "USED"]
