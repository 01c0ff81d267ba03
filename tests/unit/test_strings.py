"""Versions, architectures, sizes and names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpuprobe import strings
from gpuprobe.model import Device, GiB, MiB
from tests.records import a_device

ARCHITECTURES = {  # name: (major, minor, stepping), as HIP's own targets are numbered
    "gfx803": (8, 0, 3),
    "gfx900": (9, 0, 0),
    "gfx906": (9, 0, 6),
    "gfx90a": (9, 0, 10),
    "gfx90c": (9, 0, 12),
    "gfx942": (9, 4, 2),
    "gfx950": (9, 5, 0),
    "gfx1030": (10, 3, 0),
    "gfx1036": (10, 3, 6),
    "gfx1100": (11, 0, 0),
    "gfx1151": (11, 5, 1),
    "gfx1201": (12, 0, 1),
}


@pytest.mark.parametrize(("name", "numbers"), ARCHITECTURES.items())
def test_an_architecture_is_read_from_its_name_and_written_back(name: str, numbers: tuple[int, int, int]) -> None:
    gfx = strings.gfx_of_name(name)

    assert gfx == strings.Gfx(*numbers)
    assert gfx.name == name


def test_feature_switches_behind_an_architecture_are_kept_apart_from_its_name() -> None:
    gfx = strings.gfx_of_name("gfx942:sramecc+:xnack-")

    assert gfx == strings.Gfx(9, 4, 2, ("sramecc+", "xnack-"))
    assert gfx.name == "gfx942"


@pytest.mark.parametrize(
    "text", ["", "gfx", "gfx000", "gfx-1-1", "gfx9", "gfx11-generic", "gfx1100:", "gfx12345", "sm_90", "gfx90g"]
)
def test_a_text_that_is_no_architecture_is_unknown(text: str) -> None:
    assert strings.gfx_of_name(text) is None


@pytest.mark.parametrize(("number", "name"), [(90010, "gfx90a"), (110000, "gfx1100"), (100306, "gfx1036"), (120001, "gfx1201")])
def test_kfd_writes_architectures_in_decimal(number: int, name: str) -> None:
    gfx = strings.gfx_of_kfd(number)

    assert gfx is not None
    assert gfx.name == name


@pytest.mark.parametrize("number", [0, -1, 99, 91600, 90016])
def test_a_kfd_number_that_no_card_has_is_unknown(number: int) -> None:
    """0 is a CPU node; minor and stepping are one hexadecimal digit each."""
    assert strings.gfx_of_kfd(number) is None


@pytest.mark.parametrize(
    ("text", "name"), [("10.3.0", "gfx1030"), (" 11.0.0 ", "gfx1100"), ("9.0.10", "gfx90a"), ("gfx1030", "gfx1030")]
)
def test_an_override_is_a_version_or_a_name(text: str, name: str) -> None:
    gfx = strings.gfx_of_override(text)

    assert gfx is not None
    assert gfx.name == name


@pytest.mark.parametrize("text", ["10.3", "10.3.16", "10.16.0", '"10.3.0"', "a.b.c", "0.0.0", "10.3.0.0", ""])
def test_an_override_that_is_neither_is_unknown(text: str) -> None:
    assert strings.gfx_of_override(text) is None


@given(st.integers(1, 99), st.integers(0, 15), st.integers(0, 15))
def test_every_way_of_writing_an_architecture_means_the_same(major: int, minor: int, stepping: int) -> None:
    gfx = strings.Gfx(major, minor, stepping)

    assert strings.gfx_of_name(gfx.name) == gfx
    assert strings.gfx_of_kfd(major * 10000 + minor * 100 + stepping) == gfx
    assert strings.gfx_of_override(f"{major}.{minor}.{stepping}") == gfx


@given(st.text())
def test_no_text_breaks_the_parsers(text: str) -> None:
    for parser in (strings.gfx_of_name, strings.gfx_of_override):
        gfx = parser(text)
        assert gfx is None or strings.gfx_of_name(gfx.name) == strings.Gfx(*gfx[:3])
    assert isinstance(strings.build_key(text)[1], str)


def test_a_rocm_device_is_named_by_its_architecture() -> None:
    device = a_device("ROCm", gfx_target="gfx90a:sramecc+:xnack-", compute_major=9, compute_minor=0)

    assert strings.compute_string(device) == "gfx90a"


def test_other_devices_are_named_by_major_and_minor() -> None:
    assert strings.compute_string(a_device("CUDA", compute_major=8, compute_minor=9)) == "8.9"
    assert strings.compute_string(a_device("CUDA", compute_major=12, compute_minor=0)) == "12.0"


@pytest.mark.parametrize(
    "device",
    [
        a_device("CUDA", compute_major=None, compute_minor=None),
        a_device("CUDA", compute_major=8, compute_minor=None),
        a_device("CUDA", compute_major=None, compute_minor=9),
        a_device("CUDA", compute_major=8, compute_minor=-1),
        a_device("CUDA", compute_major=0, compute_minor=0),
        a_device("CUDA", compute_major=-1, compute_minor=-1),
        a_device("ROCm", gfx_target=None),
        a_device("ROCm", gfx_target="gfx000"),
        a_device("ROCm", gfx_target="rubbish\x1b[31m"),
        a_device("Vulkan"),
    ],
)
def test_an_unknown_compute_generation_is_never_written_as_zeros(device: Device) -> None:
    """Unknown is None, and neither "0.0" nor "gfx000" nor "gfx-1-1"."""
    assert strings.compute_string(device) is None


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("cuda_v9", "cuda_v13"),
        ("cuda_v12", "cuda_v13"),
        ("rocm_v7_2", "rocm_v7_10"),
        ("rocm", "rocm_v6"),
        ("cuda_jetpack5", "cuda_jetpack6"),
        ("/opt/x86_64/lib/cuda_v12", "/opt/lib/cuda_v13"),
        ("/usr/lib99/ollama/cuda_v12", "/usr/lib/ollama/cuda_v13/"),
        (r"C:\ollama86_64\cuda_v12", r"C:\ollama\cuda_v13"),
    ],
)
def test_builds_compare_by_the_numbers_of_their_last_element(older: str, newer: str) -> None:
    """As text, `cuda_v9` beat `cuda_v13`, and a parent like `x86_64` took part."""
    assert strings.build_key(older) < strings.build_key(newer)


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 bytes"),
        (12, "12 bytes"),
        (2048, "2 KiB"),
        (457 * MiB, "457 MiB"),
        (983, "1 KiB"),
        (962, "962 bytes"),
        (int(0.996 * GiB), "1.0 GiB"),
        (int(0.994 * GiB), "1018 MiB"),
        (int(0.996 * 1024 * GiB), "1.0 TiB"),
        (int(0.994 * 1024 * GiB), "1017.9 GiB"),
        (GiB, "1.0 GiB"),
        (GiB - 1, "1.0 GiB"),
        (983 * MiB, "983 MiB"),
        (MiB - 1, "1 MiB"),
        (25_342_574_592, "23.6 GiB"),
        (80 * GiB, "80.0 GiB"),
        (1536 * GiB, "1.5 TiB"),
    ],
)
def test_sizes_are_written_for_people(size: int, text: str) -> None:
    assert strings.size_text(size) == text


@given(st.integers(0, 2**60))
def test_a_size_never_shows_a_thousand_of_a_unit_that_has_a_larger_one(size: int) -> None:
    number, unit = strings.size_text(size).split()

    assert unit == "TiB" or float(number) < 1024


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("NVIDIA GeForce RTX 4090", "NVIDIA GeForce RTX 4090"),
        ("Intel® Arc™ A770", "Intel® Arc™ A770"),
        ("華碩 グラフィックス", "華碩 グラフィックス"),
        ("RTX\x1b[2J\x1b]0;owned\x07", r"RTX\x1b[2J\x1b]0;owned\x07"),
        ("two\nlines\ttab\r", r"two\x0alines\x09tab\x0d"),
        ("csi\x9b31m", r"csi\x9b31m"),
        ("evil\u202egnp.exe", r"evil\u202egnp.exe"),
        ("isolate\u2066x\u2069", r"isolate\u2066x\u2069"),
        ("zero\u200bwidth\ufeff", r"zero\u200bwidth\ufeff"),
        ("line\u2028separator", r"line\u2028separator"),
        ("bytes\udcff", r"bytes\udcff"),
        ("tag\U000e0041", r"tag\U000e0041"),
        ("soft\xadhyphen", r"soft\xadhyphen"),
        ("none\uffff\U0001ffff", r"none\uffff\U0001ffff"),
        ("", ""),
    ],
)
def test_names_are_shown_without_what_a_terminal_would_obey(name: str, shown: str) -> None:
    assert strings.printable(name) == shown


@given(st.text(st.characters()))  # lone surrogates included
def test_whatever_a_driver_calls_its_card_is_one_printable_line(name: str) -> None:
    shown = strings.printable(name)

    assert shown.isprintable()
    assert shown.encode("utf-8").decode("utf-8") == shown
    assert strings.printable(shown) == shown
    assert not name.isprintable() or shown == name


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 seconds"),
        (1, "1 second"),
        (59.9, "59 seconds"),
        (60, "1 minute"),
        (7200, "2 hours"),
        (200000, "2 days"),
        (3599, "59 minutes"),
        (3600, "1 hour"),
        (86399, "23 hours"),
        (86400, "1 day"),
        (-5, "0 seconds"),
    ],
)
def test_an_age_is_told_in_its_largest_unit(seconds: float, text: str) -> None:
    assert strings.age_text(seconds) == text


@pytest.mark.parametrize(
    ("earlier", "later", "seconds"),
    [
        ("2026-11-21T09:00:00Z", "2026-11-21T10:00:01Z", 3601),
        ("2026-11-21T10:00:00Z", "2026-11-21T09:00:00Z", -3600),
        ("2026-11-21T09:00:00Z", "2026-11-21T09:00:00", None),
        ("yesterday", "2026-11-21T09:00:00Z", None),
        ("", "", None),
    ],
)
def test_the_time_to_what_is_no_moment_is_unknown(earlier: str, later: str, seconds: float | None) -> None:
    assert strings.seconds_between(earlier, later) == seconds


@pytest.mark.parametrize(
    ("earlier", "later", "seconds"),
    [
        ("2026-11-21T09:00:00Z", "2026-11-21T09:00:01Z", 1),
        ("2026-11-21T09:00:00Z", "2026-11-21T09:00:00Z", 0),
        ("2026-11-21T09:00:01Z", "2026-11-21T09:00:00Z", None),
        ("yesterday", "2026-11-21T09:00:00Z", None),
    ],
)
def test_how_long_ago_something_was_is_unknown_where_the_clock_was_set_back(
    earlier: str, later: str, seconds: float | None
) -> None:
    assert strings.age_between(earlier, later) == seconds


@pytest.mark.parametrize(
    ("text", "lone"), [("plain", False), ("ü\ud7ff\ue000", False), ("ü\ud800", True), ("\udfff", True), ("\udc80x", True)]
)
def test_a_byte_of_a_path_that_is_no_text_is_noticed(text: str, lone: bool) -> None:
    assert strings.is_lone(text) is lone


def test_a_name_of_a_build_is_looked_at_as_far_as_a_file_may_be_called() -> None:
    assert strings.build_key("cuda_v13//") == ((13,), "cuda_v13")
    assert strings.build_key("a" * 254 + "12") == ((1,), "a" * 254 + "1")
