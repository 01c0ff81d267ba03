"""Builds of Ollama and llama.cpp against cards: observed beats read, and read beats known."""

from __future__ import annotations

from typing import Any

import pytest

from gpuprobe.facts import CodeFile, FoundBuild, FoundSoftware, Host
from gpuprobe.judging.architecture import COMPATIBLE, NATIVE, UNKNOWN, UNSUPPORTED, Fit
from gpuprobe.judging.build_fit import of_build, row_of
from gpuprobe.judging.rules import judge
from gpuprobe.model import Depth, Device, Reason, Request, Stage, StageName, StageResult, Validation, Verdict
from gpuprobe.strings import gfx_of_name
from tests.records import a_device, a_host, evidence_of

OLLAMA = "/usr/lib/ollama"
DRIVER = "580.95.05"


def a_geforce(compute: tuple[int, int] = (8, 9), driver: str | None = DRIVER, **fields: Any) -> Device:
    known = {"compute_major": compute[0], "compute_minor": compute[1], "kernel_version": driver, "api_version": None}
    return a_device("CUDA", **{**known, **fields})


def a_build(name: str, library: str = "CUDA", kind: str = "cuda", product: str = "ollama") -> FoundBuild:
    return FoundBuild(name, library, f"{OLLAMA}/{name}/libggml-{kind}.so", (), (), "Ollama", product=product)


def with_files(build: FoundBuild, *architectures: str, release: str | None = None, **file: Any) -> Host:
    """A host with the build and what the survey read of its files."""
    code = CodeFile(build.path, architectures, **file)
    files = FoundSoftware(build.name, build.path, "build", build.library, None, release, files=(code,) if architectures else ())
    return a_host(builds=(build,), software=(files,))


def seen_to_compute(device: Device, *, passed: bool = True) -> Device:
    result = StageResult.PASSED if passed else StageResult.FAILED
    stages = (Stage(StageName.CONTEXT, StageResult.PASSED), Stage(StageName.PRODUCT, result))
    return device._replace(validation=Validation(Verdict.SUPPORTED, Depth.PRODUCT, "it passed", stages=stages))


def fit(device: Device, build: FoundBuild, host: Host, *said: str) -> Fit:
    return of_build(device._replace(build=build.name), build.name, said, host)


V12, V13 = a_build("cuda_v12"), a_build("cuda_v13")


def test_a_product_that_ran_beats_whatever_stands_in_the_files() -> None:
    host = with_files(V12, "sm_90")

    assert fit(seen_to_compute(a_geforce()), V12, host).answer == NATIVE
    assert fit(seen_to_compute(a_geforce(), passed=False), V12, host).answer == UNSUPPORTED
    assert fit(a_geforce(), V12, host).answer == UNSUPPORTED


def test_the_code_in_the_library_beats_the_list_that_the_build_names() -> None:
    """`ARCHS` of a build for 7.5 alone reads 750, which says nothing of PTX; its entry headers do."""
    host = with_files(V12, "sm_75", "compute_75")

    assert fit(a_geforce(), V12, host, "750").answer == COMPATIBLE
    assert fit(a_geforce(), V12, a_host(builds=(V12,)), "750").answer == UNKNOWN


def test_a_file_that_was_not_read_to_its_end_never_counts_against_a_card() -> None:
    host = with_files(V12, "sm_90", unread="it ends in the middle")

    assert fit(a_geforce(), V12, host).answer == UNKNOWN
    assert fit(a_geforce(), V12, host, "890").answer == NATIVE


@pytest.mark.parametrize(
    ("release", "driver", "compute", "expected"),
    [
        ("12.8", "535.247.01", (8, 9), "550"),
        ("12.2", "535.247.01", (8, 9), "native"),
        ("12.8", "550.54.14", (8, 9), "compatible"),  # machine code alone
        ("12.8", "560.28.03", (6, 1), "570"),
        ("12.8", "570.26", (6, 1), "native"),
        ("13.0", "570.26", (8, 9), "580.65.06"),
        ("13.0", "580.65.06", (8, 9), "native"),
        (None, "535.247.01", (8, 9), "native"),
    ],
)
def test_the_toolkit_that_lies_beside_a_build_decides_which_driver_it_needs(
    release: str | None, driver: str, compute: tuple[int, int], expected: str
) -> None:
    host = with_files(V12, "sm_61", "sm_89", release=release, packed=("zstd",))

    answer = fit(a_geforce(compute, driver), V12, host)

    needs = expected[0].isdigit()
    assert answer.answer == ("unsupported" if needs else expected)
    assert (f"it needs {expected}" in answer.because) == needs


def test_a_build_whose_code_is_not_packed_needs_no_driver_that_unpacks_it() -> None:
    plain, packed = with_files(V12, "sm_89", release="12.8"), with_files(V12, "sm_89", release="12.8", packed=("LZ4",))

    assert fit(a_geforce(driver="535.247.01"), V12, plain).answer == COMPATIBLE
    assert fit(a_geforce(driver="535.247.01"), V12, packed).answer == UNSUPPORTED


def test_rows_of_ollama_say_nothing_of_another_programs_build() -> None:
    own = a_build("cuda_v12", product="llama.cpp")

    host = with_files(own, "sm_89", release="12.8", packed=("LZ4",))

    assert fit(a_geforce(driver="535.247.01"), own, host).answer == COMPATIBLE


@pytest.mark.parametrize(
    ("build", "compute", "doubtful"),
    [
        ("cuda_v12", (6, 1), False),
        ("cuda_v12", (3, 5), True),
        ("cuda_v13", (6, 1), True),
        ("cuda_v13", (8, 9), False),
        ("cuda_jetpack6", (7, 2), True),
        ("cuda_v14", (8, 9), False),
    ],
)
def test_a_row_that_goes_by_a_name_makes_a_doubt_at_most(build: str, compute: tuple[int, int], doubtful: bool) -> None:
    answer = of_build(a_geforce(compute, "595.45.04"), build, (), a_host())

    assert (answer.answer, answer.doubtful) == (UNKNOWN, doubtful)


def test_a_row_speaks_of_the_version_that_it_names() -> None:
    same, other = with_files(V13, release="13.0"), with_files(V13, release="13.5")

    assert fit(a_geforce((6, 1)), V13, same).answer == UNSUPPORTED
    assert fit(a_geforce((6, 1)), V13, other).answer == UNKNOWN


def test_the_rocblas_beside_a_build_has_to_have_the_card_too() -> None:
    rocm = a_build("rocm", "ROCm", "hip")
    host = with_files(rocm, "gfx906", "gfx1100")
    kernels = FoundSoftware("rocBLAS", f"{OLLAMA}/rocm/librocblas.so.4", "build", "ROCm", architectures=("gfx1030", "gfx1100"))
    host = host._replace(software=(*(host.software or ()), kernels))

    assert fit(a_device("ROCm"), rocm, host).answer == NATIVE
    answer = fit(a_device("ROCm", gfx_target="gfx906"), rocm, host)
    assert answer.answer == UNSUPPORTED
    assert answer.because.startswith("of the rocBLAS beside it: ")


def test_a_rocm_build_goes_by_the_row_without_its_version() -> None:
    row = row_of("rocm_v7_2", "linux")

    assert row is not None
    assert {gfx_of_name(text) for text in row.architectures} != {None}
    assert of_build(a_device("ROCm", gfx_target="gfx906"), "rocm_v7_2", (), a_host()).doubtful


def test_the_old_build_that_holds_the_card_is_kept_and_said_to_be_in_doubt() -> None:
    """The machine of `works-in-a-build-of-an-old-name`: no version of a folder called `rocm` is known."""
    rocm = a_build("rocm", "ROCm", "hip")
    view = a_device("ROCm", build="rocm", gfx_target="gfx906:sramecc+:xnack-", name="AMD Radeon VII")

    inventory = judge(evidence_of(view, host=a_host(builds=(rocm,))), Request())

    assert [device.build for device in inventory.kept] == ["rocm"]


def test_what_makes_a_build_unsupported_drops_its_view_everywhere() -> None:
    """The machine of `driver-too-old-for-the-build`, with the toolkit that its files name."""
    view = a_geforce(driver="535.247.01", build="cuda_v12", uuid="GPU-1")
    host = with_files(V12, "sm_89", release="12.8", packed=("zstd",))

    inventory = judge(evidence_of(view, host=host), Request())

    assert inventory.kept == ()
    (drop,) = inventory.drops
    assert drop.reason is Reason.NO_CODE
    assert "it needs 550" in drop.because


def test_a_list_of_architectures_does_not_tell_whether_the_driver_can_unpack_the_code() -> None:
    """The machine of `driver-too-old-for-the-build` as it was captured: ARCHS, and no file of the build."""
    named = fit(a_geforce(driver="535.247.01"), V12, a_host(builds=(V12,)), "890")
    newer = fit(a_geforce(driver="550.54.14"), V12, a_host(builds=(V12,)), "890")
    read = fit(a_geforce(driver="535.247.01"), V12, with_files(V12, "sm_89"), "890")

    assert (named.answer, named.doubtful) == (UNKNOWN, True)
    assert "it needs 550" in named.because
    assert (newer.answer, newer.doubtful) == (NATIVE, False)
    assert (read.answer, read.doubtful) == (NATIVE, False)


@pytest.mark.parametrize("release", [None, "the row's"])
def test_the_row_behind_a_guess_is_named_where_nothing_nearer_is(release: str | None) -> None:
    """Of the driver nothing is known, so that no source speaks of it."""
    row = row_of("cuda_v13", "linux")
    assert row is not None
    host = with_files(V13, release=row.toolkit if release else None)

    found = fit(a_geforce(driver=None), V13, host)

    assert (found.answer, found.source) == (UNKNOWN, f"{row.source} ({row.checked})")
    assert found.because.startswith("`cuda_v13` does not say what it was compiled for") is (release is None)
    assert not found.doubtful


@pytest.mark.parametrize(
    ("path", "library", "counts"),
    [
        (f"{OLLAMA}/rocm_v7/rocblas/library", "ROCm", True),
        (f"{OLLAMA}/rocm_v7", "ROCm", False),
        (f"{OLLAMA}/rocm_v7_2/rocblas", "ROCm", False),
        ("/opt/rocm/lib/rocblas", "ROCm", False),
        (f"{OLLAMA}/rocm_v7/rocblas/library", "CUDA", False),
    ],
)
def test_the_rocblas_that_counts_lies_beside_the_build(path: str, library: str, counts: bool) -> None:
    build = a_build("rocm_v7", "ROCm", "hip")
    host = with_files(build, "gfx1100")
    beside = FoundSoftware("rocBLAS", path, "build", library, architectures=("gfx90a",))
    device = a_device("ROCm")

    found = fit(device, build, host._replace(software=(*(host.software or ()), beside)))

    assert (found.answer, found.because) == (
        (UNSUPPORTED, "of the rocBLAS beside it: it has code for gfx90a, and none for gfx1100")
        if counts
        else (NATIVE, "it has code for gfx1100")
    )
    empty = host._replace(software=(*(host.software or ()), beside._replace(architectures=())))
    assert fit(device, build, empty).answer == NATIVE


def test_a_build_of_which_nothing_is_known_says_so() -> None:
    strange = a_build("strange")

    assert fit(a_geforce(), strange, a_host(builds=(strange,))) == Fit(
        UNKNOWN, "`strange` does not say what it was compiled for, and gpuprobe knows no release of it"
    )
    assert of_build(a_geforce(), "no such build", (), a_host()).because.startswith("`no such build` does not say")
