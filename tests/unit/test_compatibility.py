"""Software that was found, against cards and their drivers."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpuprobe import knowledge
from gpuprobe.facts import FoundSoftware, Host
from gpuprobe.judging import theoretical_bandwidth
from gpuprobe.judging.architecture import Answer
from gpuprobe.judging.capabilities import capabilities
from gpuprobe.judging.compatibility import of_device
from gpuprobe.judging.drivers import floor, of_driver, unreadable, version
from gpuprobe.model import Device, Outcome, Probe, Purpose, Status
from tests.records import a_device, a_host, an_outcome, evidence_of

CARD = "0000:01:00.0"
TORCH = FoundSoftware("torch", "/venv/torch", "wheel", "CUDA", "2.15.0+cu132", "13.2", ("sm_75", "sm_80", "sm_86", "sm_120"))
WSL = "6.6.87.2-microsoft-standard-WSL2"

BRANCH = "; branch 580 has it (long-term support, until 2028-06)"


def a_geforce(driver: str | None = "580.95.05", compute: tuple[int, int] = (8, 9), **fields: Any) -> Device:
    known = {"kernel_version": driver, "compute_major": compute[0], "compute_minor": compute[1], "api_version": None}
    return a_device("CUDA", **{**known, **fields})


def runtime(release: str | None, name: str = "libcudart", toolkit: str = "cuda") -> FoundSoftware:
    return FoundSoftware(name, f"/usr/local/{toolkit}/lib64/{name}.so", "toolkit", "CUDA", None, release)


def answer(device: Device, *software: FoundSoftware, host: Host | None = None) -> list[str]:
    machine = (host or a_host())._replace(software=software)
    return [each.fit.answer for each in of_device(device, evidence_of(device, host=machine)) or ()]


def because(device: Device, software: FoundSoftware) -> str:
    (only,) = of_device(device, evidence_of(device, host=a_host(software=(software,)))) or ()
    return only.fit.because


@pytest.mark.parametrize(
    ("driver", "release", "expected"),
    [
        ("580.95.05", "13.0", "native"),
        ("580.65.06", "13.0", "native"),
        ("580.65.05", "13.0", "unsupported"),
        ("580.95.05", "13.1", "compatible"),  # minor-version compatibility
        ("470.223.02", "13.0", "unsupported"),
        ("470.223.02", "11.8", "compatible"),
        ("525.60.13", "12.9", "compatible"),
        ("535.54.03", "12.2", "native"),
        ("535.54.03", "12.7", "compatible"),  # no row for that release
        ("580.95.05", "13", "compatible"),  # of which release is not known
        ("580.95.05", "14.0", "unknown"),
        ("580.95.05", None, "unknown"),
        ("580.95.05", "13.2; rm -rf ~", "unknown"),
        (None, "13.0", "unknown"),
        ("an odd one", "13.0", "unknown"),
    ],
)
def test_a_driver_fits_a_release_or_not(driver: str | None, release: str | None, expected: str) -> None:
    assert of_driver(a_geforce(driver), release, a_host()).answer == expected


def test_the_sentence_says_which_driver_is_needed() -> None:
    fit = of_driver(a_geforce("470.223.02"), "13.0", a_host())

    assert fit.because == "driver 470.223.02 is too old for CUDA 13.0: it needs 580.65.06" + BRANCH
    assert "NVIDIA" in (fit.source or "")


@pytest.mark.parametrize(
    ("offered", "release", "expected"),
    [("13.0", "13.0", "native"), ("13.0", "12.8", "native"), ("12.4", "12.8", "compatible"), ("12.8", "13", "unsupported")],
)
def test_what_the_driver_offers_itself_counts_where_its_version_is_not_known(offered: str, release: str, expected: str) -> None:
    assert of_driver(a_geforce(None, api_version=offered), release, a_host()).answer == expected


def test_a_compatibility_package_makes_an_old_driver_offer_more() -> None:
    assert of_driver(a_geforce("470.223.02", api_version="13.0"), "13.0", a_host()).answer == "native"


def test_wsl_counts_as_windows_does() -> None:
    driver = a_geforce("560.76")

    assert of_driver(driver, "12.6", a_host(kernel=WSL)).answer == "native"
    assert of_driver(driver, "12.6", a_host()).answer == "native"
    assert of_driver(a_geforce("528.00"), "12.0", a_host(kernel=WSL)).answer == "native"
    assert of_driver(a_geforce("526.00"), "12.0", a_host(kernel=WSL)).answer == "unsupported"


def test_no_driver_has_everything_of_a_release_whose_lowest_driver_is_not_known() -> None:
    on_windows = of_driver(a_geforce("999.99"), "13.0", a_host(kernel=WSL))  # since 13.0 no table says it for Windows
    on_linux = of_driver(a_geforce("999.99"), "13.3", a_host())

    for fit in (on_windows, on_linux):
        assert fit.answer == "compatible"
        assert "which driver compiles its PTX is not known" in fit.because


numbers = st.lists(st.integers(0, 999), min_size=1, max_size=3).map(lambda parts: ".".join(map(str, parts)))
RANK = ["unsupported", "compatible", "native"]


@given(numbers, numbers, st.sampled_from([row.toolkit for row in knowledge.releases()]))
def test_a_newer_driver_never_does_less(one: str, other: str, release: str) -> None:
    older, newer = sorted((one, other), key=lambda text: [int(part) for part in text.split(".")])

    answers = [RANK.index(of_driver(a_geforce(driver), release, a_host()).answer) for driver in (older, newer)]

    assert answers == sorted(answers)


@given(st.text(max_size=20), st.text(max_size=20))
def test_any_text_in_place_of_a_version_is_answered(driver: str, release: str) -> None:
    assert of_driver(a_geforce(driver), release, a_host()).answer in (*RANK, "unknown")


@pytest.mark.parametrize(
    ("release", "compute", "driver", "needed"),
    [
        ("12.3", (6, 1), "525.60.13", None),
        ("12.4", (6, 1), "549.99", "550"),
        ("12.4", (6, 1), "550", None),
        ("12.7", (6, 1), "550.54.14", None),
        ("12.8", (6, 1), "569.99", "570"),
        ("12.8", (6, 1), "570", None),
        ("12.9", (6, 1), "550.54.14", "570"),
        ("12.8", (7, 0), "550.54.14", None),  # only lower capabilities need the later driver
        ("12.8", (7, 0), "549.99", "550"),
        ("12.8", (None, None), "550.54.14", None),
        ("13.0", (6, 1), "525.60.13", None),  # no row speaks of that generation
        (None, (6, 1), "525.60.13", None),
        ("12.8", (6, 1), None, None),
    ],
)
def test_a_driver_reads_the_packed_code_of_ollamas_builds_or_needs_another(
    release: str | None, compute: tuple[int | None, int | None], driver: str | None, needed: str | None
) -> None:
    card = a_geforce(driver)._replace(compute_major=compute[0], compute_minor=compute[1])
    fit = unreadable(card, release)

    assert fit is None if needed is None else fit is not None and fit.because.endswith(f"it needs {needed}")


def test_a_runtime_library_holds_no_code_below_the_lowest_capability_of_its_release() -> None:
    pascal = a_geforce("580.95.05", (6, 1))

    assert answer(pascal, runtime("13", "libcublas"), runtime("12.8")) == ["unsupported", "native"]
    assert because(pascal, runtime("13", "libcublas")) == "CUDA 13 has no code for 6.1: 7.5 is the lowest"


def test_a_framework_needs_both_its_architecture_and_its_driver() -> None:
    assert answer(a_geforce("595.45.04", (12, 0)), TORCH) == ["native"]
    assert answer(a_geforce("595.45.04"), TORCH) == ["compatible"]
    assert answer(a_geforce("580.95.05", (12, 0)), TORCH) == ["compatible"]  # its machine code alone
    assert answer(a_geforce("470.223.02", (12, 0)), TORCH) == ["unsupported"]
    assert answer(a_geforce("595.45.04", (6, 1)), TORCH) == ["unsupported"]
    assert answer(a_geforce(None, (12, 0)), TORCH) == ["unknown"]
    assert because(a_geforce("595.45.04", (6, 1)), TORCH) == (
        "it has code for 7.5, 8.0, 8.6, 12.0, none of which runs on 6.1; "
        "`pip install torch --index-url https://download.pytorch.org/whl/cu126` installs one with code for Pascal"
    )


def test_ptx_is_of_no_use_where_the_driver_is_older_than_it() -> None:
    """Error 222: minor-version compatibility is for machine code."""
    ptx = TORCH._replace(architectures=("compute_80",))

    assert answer(a_geforce("595.45.04"), ptx) == ["compatible"]
    assert answer(a_geforce("580.95.05"), ptx) == ["unsupported"]
    assert "PTX of CUDA 13.2 needs 595.45.04" in because(a_geforce("580.95.05"), ptx)


def test_no_other_wheel_is_named_where_the_row_names_the_one_that_is_there() -> None:
    own = TORCH._replace(version="2.9.0+cu126", release="12.6")

    assert "wheels" not in because(a_geforce("595.45.04", (6, 1)), own)
    assert "wheels" not in because(a_geforce("595.45.04", (6, 1)), TORCH._replace(name="another"))
    assert "wheels" not in because(a_geforce("595.45.04", (7, 2)), TORCH)  # Xavier: the wheels are for desktops


def test_a_build_for_the_cpu_is_unsupported_on_every_card() -> None:
    plain = TORCH._replace(library=None, version="2.9.0+cpu", release=None, architectures=())

    assert answer(a_geforce(), plain) == ["unsupported"]
    assert answer(a_device("ROCm"), plain) == ["unsupported"]
    assert "CPU alone" in because(a_geforce(), plain)


def test_rocblas_is_compared_with_the_cards_target() -> None:
    rocblas = FoundSoftware("rocBLAS", "/opt/rocm/lib/rocblas/library", "ROCm", "ROCm", architectures=("gfx1030", "gfx1100"))

    assert answer(a_device("ROCm"), rocblas) == ["native"]
    assert answer(a_device("ROCm", gfx_target="gfx1031"), rocblas) == ["unsupported"]
    assert answer(a_device("ROCm", gfx_target=None), rocblas) == ["unknown"]
    assert answer(a_geforce(), rocblas) == []


def test_nothing_is_said_where_nothing_was_looked_for() -> None:
    assert of_device(a_geforce(), evidence_of(a_geforce())) is None
    assert of_device(a_device("Vulkan"), evidence_of(host=a_host(software=(TORCH,)))) is None


def test_the_builds_of_programs_are_compared_by_what_they_say_and_a_folders_name_is_no_proof() -> None:
    device = a_geforce(compute=(6, 1))
    telling = Outcome(Probe("CUDA", Purpose.LIST, "cuda_v13"), Status.OK, facts={"architectures": ["750", "860", 7]})
    silent = Outcome(Probe("CUDA", Purpose.LIST, "cuda_v12"), Status.SKIPPED)

    answers = of_device(device, evidence_of(device, outcomes=(telling, silent))) or ()

    assert [(each.software.name, each.fit.answer) for each in answers] == [("cuda_v13", "unsupported"), ("cuda_v12", "unknown")]
    assert [each.fit.source is None for each in answers] == [True, False]


@pytest.mark.parametrize(
    ("speed", "width", "generation", "bytes_per_second"),
    [
        ("2.5 GT/s PCIe", 16, 1, 4_000_000_000),
        ("5.0 GT/s PCIe", 8, 2, 4_000_000_000),
        ("8.0 GT/s PCIe", 16, 3, 15_753_846_154),
        ("16.0 GT/s PCIe", 16, 4, 31_507_692_308),
        ("32.0 GT/s PCIe", 16, 5, 63_015_384_615),
        ("64.0 GT/s PCIe", 16, 6, None),
        ("8 GT/s", 1, 3, 984_615_385),
        ("Unknown", 16, None, None),
        ("8.0 GT/s PCIe", None, 3, None),
        ("8.0 GT/s PCIe", 0, 3, None),
        ("99.0 GT/s PCIe", 16, None, None),
        (None, None, None, None),
    ],
)
def test_a_link_moves_what_its_generation_and_lanes_allow(
    speed: str | None, width: int | None, generation: int | None, bytes_per_second: int | None
) -> None:
    assert theoretical_bandwidth.of_link(speed, width) == (generation, bytes_per_second)


@pytest.mark.parametrize(
    ("clock", "width", "expected"),
    [(10_501_000, 384, 1_008_096_000_000), (None, 384, None), (10_501_000, None, None), (0, 384, None), (1, 0, None)],
)
def test_memory_moves_data_twice_in_each_period(clock: int | None, width: int | None, expected: int | None) -> None:
    assert theoretical_bandwidth.of_memory({"memory_clock_khz": clock, "memory_bus_width_bits": width}) == expected


@pytest.mark.parametrize(
    ("device", "architecture"),
    [
        (a_geforce(), "Ada"),
        (a_geforce(compute=(9, 9)), None),
        (a_device("ROCm"), "RDNA3"),
        (a_device("ROCm", capabilities={"real_gfx_target": "gfx1031"}), "RDNA2"),
        (a_device("ROCm", gfx_target=None), None),
    ],
)
def test_the_architecture_of_a_card_comes_with_its_row(device: Device, architecture: str | None) -> None:
    known = capabilities(device)

    assert known["architecture"] == architecture
    assert (known["architecture_source"] is None) == (architecture is None)


@pytest.mark.parametrize(
    ("compute", "has", "lacks"),
    [
        ((7, 5), {"fp64", "fp16", "int8"}, {"tf32", "bf16", "fp8", "fp6", "fp4"}),
        ((8, 6), {"fp64", "tf32", "fp16", "bf16", "int8"}, {"fp8", "fp6", "fp4"}),
        ((8, 9), {"fp64", "tf32", "fp16", "bf16", "fp8", "int8"}, {"fp6", "fp4"}),
        ((12, 0), {"fp64", "tf32", "fp16", "bf16", "fp8", "fp6", "fp4", "int8"}, set()),
    ],
)
def test_the_types_of_numbers_follow_from_the_capability(compute: tuple[int, int], has: set[str], lacks: set[str]) -> None:
    known = capabilities(a_geforce(compute=compute))

    assert known["data_types"] == {**dict.fromkeys(has, True), **dict.fromkeys(lacks, False)}
    assert "ptxas 13.0" in known["data_types_source"]


@pytest.mark.parametrize("device", [a_geforce(compute=(6, 1)), a_geforce(compute=(13, 0)), a_device("ROCm")])
def test_types_that_no_row_speaks_of_are_unknown(device: Device) -> None:
    known = capabilities(device)

    assert (known["data_types"], known["data_types_source"]) == (None, None)


def test_a_library_that_compiles_on_the_card_is_left_as_it_said() -> None:
    said = {"subgroup_size": 32}

    assert capabilities(a_device("Vulkan", capabilities=said)) == said


def test_an_outcome_without_facts_is_no_build() -> None:
    device = a_geforce()

    assert of_device(device, evidence_of(host=a_host(software=()), outcomes=(an_outcome(device),))) == ()


@pytest.mark.parametrize(
    ("compute", "host", "named"),
    [
        ((8, 9), {}, True),
        ((6, 1), {}, True),
        ((3, 5), {}, False),  # no branch that is mended serves Kepler
        ((8, 7), {}, False),  # Jetson Orin's driver comes with its system
        ((8, 9), {"platform": "win32"}, False),
    ],
)
def test_a_driver_too_old_is_told_with_a_branch_that_serves_the_card(
    compute: tuple[int, int], host: dict[str, Any], named: bool
) -> None:
    device = a_geforce("390.10", compute, api_version="9.1")

    fit = of_driver(device, "12.4", a_host(**host))

    assert fit.answer is Answer.UNSUPPORTED
    assert ("branch 580 has it" in fit.because) == named
    assert ("branch" in fit.because) == named


@pytest.mark.parametrize(
    ("generation", "lanes", "rate"),
    [
        (1, 1, 250_000_000),
        (2, 1, 500_000_000),
        (3, 1, 984_615_385),
        (4, 1, 1_969_230_769),
        (5, 1, 3_938_461_538),
        (5, 16, 63_015_384_615),
        (6, 16, None),
        (0, 16, None),
        (None, 16, None),
        (4, 0, None),
        (4, None, None),
    ],
)
def test_each_generation_carries_what_its_specification_says(
    generation: int | None, lanes: int | None, rate: int | None
) -> None:
    assert theoretical_bandwidth.of_generation(generation, lanes) == rate


@pytest.mark.parametrize(
    ("said", "generation"),
    [
        *((f"{speed} GT/s PCIe", number) for number, speed in enumerate(("2.5", "5.0", "8.0", "16.0", "32.0", "64.0"), 1)),
        *((f"{speed} GT/s", number) for number, speed in enumerate(("5", "8", "16", "32", "64"), 2)),
        ("Unknown", None),
    ],
)
def test_the_kernel_writes_a_generation_by_its_transfers(said: str, generation: int | None) -> None:
    assert theoretical_bandwidth.of_link(said, None) == (generation, None)


@pytest.mark.parametrize(("clock", "width"), [(1, 1), (-1, 8), (8, -1), (True, 384), ("8", 8), (8, "8"), (8, 0)])
def test_memory_s_rate_needs_both_of_its_figures(clock: object, width: object) -> None:
    found = theoretical_bandwidth.of_memory({"memory_clock_khz": clock, "memory_bus_width_bits": width})

    rates: dict[object, int] = {(1, 1): 250, (True, 384): 96_000}
    assert found == rates.get((clock, width))


@pytest.mark.parametrize(
    ("device", "release", "answer", "because"),
    [
        (a_geforce(), None, "unknown", "which CUDA it belongs to is not known"),
        (a_geforce(api_version="13.0"), "13.0", "native", "the driver offers CUDA 13.0, and CUDA 13.0 is enough"),
        (a_geforce(), "99.0", "unknown", "which driver CUDA 99.0 needs is not known"),
        (a_geforce(None), "13.0", "unknown", "the version of the card's driver is not known"),
        (
            a_geforce(None, api_version="13.0"),
            "13.1",
            "compatible",
            "the driver offers CUDA 13.0, and this is CUDA 13.1: its machine code runs, its PTX is not compiled",
        ),
        (
            a_geforce(None, api_version="12.8"),
            "13.1",
            "unsupported",
            "the driver offers CUDA 12.8, and this is CUDA 13.1, which needs driver 580.65.06",
        ),
        (
            a_geforce("580.95.05"),
            "13.1",
            "compatible",
            "driver 580.95.05 runs machine code of every CUDA 13; PTX of CUDA 13.1 needs 590.44.01",
        ),
        (a_geforce("580.95.05"), "13.0", "native", "driver 580.95.05 has everything of CUDA 13.0"),
    ],
)
def test_how_a_driver_fits_is_told_in_one_clause(device: Device, release: str | None, answer: str, because: str) -> None:
    fit = of_driver(device, release, a_host())

    assert (fit.answer, fit.because) == (answer, because)
    assert (fit.source is None) == (answer == "unknown" or "is enough" in because)


@pytest.mark.parametrize(
    ("compute", "release", "because"),
    [
        ((7, 5), "13.0", None),
        ((7, 0), "13.0", "CUDA 13 has no code for 7.0: 7.5 is the lowest"),
        ((7, None), "13.0", None),
        ((None, 0), "13.0", None),
        ((7, 0), "99.0", None),
        ((7, 0), None, None),
    ],
)
def test_a_runtime_has_no_code_below_what_its_release_compiles_for(
    compute: tuple[int | None, int | None], release: str | None, because: str | None
) -> None:
    found = floor(a_geforce(compute_major=compute[0], compute_minor=compute[1]), release)

    assert (found and found.because) == because


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("13", (13,)),
        ("580.95.05", (580, 95, 5)),
        ("1.2.3.4.5", (1, 2, 3, 4, 5)),
        ("1.2.3.4.5.6", None),
        ("1234567890", None),
        ("123456789", (123456789,)),
        ("13.", None),
        ("", None),
        (None, None),
    ],
)
def test_a_version_is_numbers_and_points(text: str | None, numbers: tuple[int, ...] | None) -> None:
    assert version(text) == numbers
