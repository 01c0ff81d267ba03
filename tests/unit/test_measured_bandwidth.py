"""What timed copies say of a link, and which of them deserve a remark."""

from __future__ import annotations

import pytest

from gpuprobe.judging.measured_bandwidth import rate_text, remarks, speeds_of
from gpuprobe.model import Outcome, Probe, Purpose, Stage, StageName, StageResult, Status
from tests.records import a_device

HEALTHY = {
    "to_device_bytes_per_second": 24_600_000_000,
    "from_device_bytes_per_second": 25_100_000_000,
    "on_device_bytes_per_second": 400_000_000_000,
    "link_generation": 4,
    "link_generation_max": 4,
    "link_width": 16,
    "link_width_max": 16,
    "slowed_by": "",
}


def said(**changed: object) -> list[str]:
    stage = Stage(StageName.BANDWIDTH, StageResult.PASSED, 0.5, None, {**HEALTHY, **changed})
    found = speeds_of(a_device(), Outcome(Probe("CUDA", Purpose.PROVE), Status.OK, stages=(stage,)))
    assert found is not None
    return list(remarks(found))


def test_a_healthy_card_gets_no_remark() -> None:
    assert said() == []


def test_a_link_that_only_sleeps_gets_no_remark() -> None:
    assert said(link_generation_idle=1) == []


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"link_width": 4, "to_device_bytes_per_second": 6_000_000_000}, "4 of 16 lanes"),
        ({"link_generation": 1, "to_device_bytes_per_second": 3_000_000_000}, "PCIe generation 1 of 4 while copies run"),
        ({"from_device_bytes_per_second": 5_000_000_000}, "copies reach 5.0 GB/s of the 31.5 GB/s that its link can carry"),
        ({"slowed_by": "hardware_thermal"}, "its clocks are slowed down (hardware_thermal)"),
    ],
)
def test_what_is_slower_than_it_should_be_is_remarked_on_with_the_reason(changed: dict[str, object], words: str) -> None:
    (sentence,) = said(**changed)

    assert words in sentence


@pytest.mark.parametrize("missing", ["link_width", "link_width_max", "link_generation", "slowed_by", "link_generation_max"])
def test_what_is_not_known_is_not_remarked_on(missing: str) -> None:
    assert said(**{missing: None}) == []


def test_without_a_measurement_nothing_is_known() -> None:
    assert speeds_of(a_device(), None) is None
    assert (
        speeds_of(
            a_device(), Outcome(Probe("CUDA", Purpose.PROVE), Status.OK, stages=(Stage(StageName.COPY, StageResult.PASSED),))
        )
        is None
    )


def test_figures_that_are_no_numbers_are_unknown() -> None:
    stage = Stage(
        StageName.BANDWIDTH, StageResult.PASSED, 0.5, None, {"to_device_bytes_per_second": "fast", "link_width": True}
    )

    found = speeds_of(a_device(), Outcome(Probe("CUDA", Purpose.PROVE), Status.OK, stages=(stage,)))

    assert found is not None
    assert (found.to_device, found.width, found.link) == (None, None, None)


def test_rates_are_written_as_links_are_sold() -> None:
    assert [rate_text(rate) for rate in (31_507_692_308, 0, None)] == ["31.5 GB/s", "0.0 GB/s", "?"]


def test_what_is_slow_is_told_in_whole_sentences() -> None:
    slow = {"to_device_bytes_per_second": 6_000_000_000, "from_device_bytes_per_second": 3_000_000_000}

    assert said(link_width=8, link_generation=3, slowed_by="power", **slow) == [
        "its link has 8 of 16 lanes: possible causes are a slot with fewer lanes, a badly seated card, a riser, or lanes "
        "shared in the BIOS",
        "its link runs at PCIe generation 3 of 4 while copies run: possible causes are a riser, the slot, or a setting in the "
        "BIOS",
        "copies reach 3.0 GB/s of the 7.9 GB/s that its link can carry: possible causes are slow system memory, another "
        "device on the same bridge, or a virtual machine",
        "its clocks are slowed down (power): look at its temperature, fans and power (`nvidia-smi -q -d PERFORMANCE`)",
    ]


@pytest.mark.parametrize(
    ("changed", "count"),
    [
        ({"to_device_bytes_per_second": 15_753_846_154}, 0),
        ({"to_device_bytes_per_second": 15_753_846_153}, 1),
        ({"to_device_bytes_per_second": 0}, 0),
        ({"from_device_bytes_per_second": None, "to_device_bytes_per_second": 1}, 1),
        ({"from_device_bytes_per_second": None, "to_device_bytes_per_second": None}, 0),
        ({"link_width": 16, "link_width_max": 8}, 0),
        ({"link_generation": 4, "link_generation_max": 3}, 0),
        ({"slowed_by": 5}, 0),
    ],
)
def test_below_half_of_what_a_link_carries_something_is_slow(changed: dict[str, object], count: int) -> None:
    assert len(said(**changed)) == count


def test_each_figure_is_what_its_name_says() -> None:
    stage = Stage(
        StageName.BANDWIDTH, StageResult.PASSED, 0.5, None, {**HEALTHY, "link_generation_max": 5, "link_width_max": 32}
    )
    other = Stage(StageName.COPY, StageResult.PASSED, 0.5, None, {"to_device_bytes_per_second": 1})
    device = a_device(capabilities={"memory_clock_khz": 1000, "memory_bus_width_bits": 8})

    found = speeds_of(device, Outcome(Probe("CUDA", Purpose.PROVE), Status.OK, stages=(other, stage)))

    assert found == (
        *(24_600_000_000, 25_100_000_000, 400_000_000_000, 31_507_692_308, 2_000_000),
        *(4, 16, 32, 5, None),
    )
