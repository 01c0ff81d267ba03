"""Software and builds against a card where something of it is not told: what is known of the one fills in the other."""

from __future__ import annotations

from typing import Any

import pytest

from gpuprobe import knowledge
from gpuprobe.facts import CodeFile, CodeSet, FoundBuild, FoundSoftware
from gpuprobe.judging import file_fit, where_to_get
from gpuprobe.judging.architecture import COMPATIBLE, NATIVE, UNKNOWN, UNSUPPORTED, Fit, compiled, of_compute, of_gfx
from gpuprobe.judging.build_fit import row_of, with_driver
from gpuprobe.judging.compatibility import Compatibility, of_device
from gpuprobe.model import Device, Outcome, Probe, Purpose, Status
from gpuprobe.strings import gfx_of_override
from tests.records import a_device, a_host, an_outcome, evidence_of

AT = "0000:01:00.0"
CARD = a_device("CUDA", pci_id=AT, kernel_version="580.95.05", api_version="13.0")
NOTHING_TOLD = {"compute_major": None, "compute_minor": None, "api_version": None, "kernel_version": None}


def judged(device: Device, *outcomes: Outcome, **host: Any) -> tuple[Compatibility, ...] | None:
    return of_device(device, evidence_of(host=a_host(**host), outcomes=outcomes))


def of_build(device: Device, *architectures: str, view: Device | None = None, **fields: Any) -> Outcome:
    views = () if view is None else (view._replace(build="cuda_v13"),)
    probe = Probe("CUDA", Purpose.LIST, build="cuda_v13")
    return an_outcome(*views, library="CUDA", probe=probe, facts={"architectures": [*architectures, 5]}, **fields)


@pytest.mark.parametrize(
    ("told", "answer"),
    [
        ({}, NATIVE),
        (NOTHING_TOLD, NATIVE),
        ({"compute_major": None}, NATIVE),
        ({"compute_minor": None}, NATIVE),
        ({"compute_major": 9}, UNSUPPORTED),
        ({"compute_minor": 6}, UNSUPPORTED),
    ],
)
def test_what_a_build_does_not_tell_of_a_card_its_library_does(told: dict[str, Any], answer: str) -> None:
    (only,) = judged(CARD, of_build(CARD, "89-real", view=CARD._replace(**told))) or ()

    assert only.fit.answer == answer
    assert only.software == FoundSoftware("cuda_v13", "cuda_v13", "build", "CUDA", architectures=("89-real",))


@pytest.mark.parametrize(
    ("driver", "answer"),
    [
        ({"api_version": "13.0", "kernel_version": None}, COMPATIBLE),
        ({"api_version": None, "kernel_version": "580.95.05"}, COMPATIBLE),
        ({"api_version": "12.0", "kernel_version": "525.60.13"}, UNSUPPORTED),
    ],
)
def test_the_driver_that_a_build_does_not_tell_is_the_card_s(driver: dict[str, Any], answer: str) -> None:
    build = FoundBuild("cuda_v13", "CUDA", "/o/cuda_v13/libggml-cuda.so", (), (), "Ollama")
    code = CodeFile(build.path, ("compute_80",))
    files = FoundSoftware("cuda_v13", build.path, "build", "CUDA", None, "13.0", files=(code,))
    view = CARD._replace(api_version=None, kernel_version=None)

    found = judged(CARD._replace(**driver), of_build(CARD, view=view), builds=(build,), software=(files,)) or ()

    assert [each.fit.answer for each in found] == [answer]


@pytest.mark.parametrize(
    ("outcome", "asked"),
    [
        (of_build(CARD, "89-real"), True),
        (Outcome(Probe("CUDA", Purpose.VALIDATE, build="cuda_v13"), Status.OK), False),
        (Outcome(Probe("ROCm", Purpose.LIST, build="rocm"), Status.OK), False),
        (Outcome(Probe("CUDA", Purpose.LIST), Status.OK), False),
    ],
)
def test_a_build_counts_where_it_was_asked_to_list(outcome: Outcome, asked: bool) -> None:
    assert bool(judged(CARD, outcome)) is asked
    assert len(judged(CARD, outcome, outcome) or ()) == int(asked)


def test_a_build_that_does_not_list_the_card_is_judged_by_the_card_itself() -> None:
    elsewhere = CARD._replace(pci_id="0000:02:00.0", compute_major=7, compute_minor=5)

    (only,) = judged(CARD, of_build(CARD, "89-real", view=elsewhere, library_path="/o/libggml-cuda.so")) or ()

    assert (only.fit.answer, only.software.path) == (NATIVE, "/o/libggml-cuda.so")


def test_where_nothing_was_looked_for_nothing_is_known() -> None:
    assert judged(CARD, software=None) is None
    assert judged(CARD, software=()) == ()
    assert judged(a_device("Vulkan"), software=()) is None


def a_wheel(name: str = "torch", library: str | None = "CUDA", **fields: Any) -> FoundSoftware:
    return FoundSoftware(name, f"/venv/{name}", "wheel", library, **fields)


def fit_of(found: FoundSoftware, device: Device = CARD) -> Fit:
    (only,) = judged(device, software=(found,)) or ()
    return only.fit


def test_software_for_the_cpu_is_told_to_be_so_with_what_to_install() -> None:
    said = "it was built for the CPU alone"

    assert fit_of(a_wheel("other", None)).because == f"{said}; install the build of it for this card's library"
    assert fit_of(a_wheel("other", None, damage="two packages wrote it")) == Fit(UNKNOWN, "two packages wrote it")
    assert fit_of(a_wheel(library=None)).because == (
        f"{said}; `pip install torch --index-url https://download.pytorch.org/whl/cu128` installs one with code for Ada"
    )
    assert judged(CARD, software=(a_wheel(library="ROCm"),)) == ()


def a_file(*architectures: str, **fields: Any) -> CodeFile:
    return CodeFile("/venv/x/libx.so", architectures, **fields)


def test_what_does_not_run_says_why_or_what_to_install_instead() -> None:
    lacks = "it has code for 9.0, none of which runs on 8.9"

    assert fit_of(a_wheel("x", files=(a_file("sm_90"),))).because == lacks
    assert fit_of(a_wheel("x", files=(a_file("sm_90"),), problem="another is chosen")).because == f"{lacks}; another is chosen"
    assert fit_of(a_wheel("x", architectures=("sm_90",), problem="unread")).because == lacks
    assert "; `pip install" in fit_of(a_wheel(files=(a_file("sm_90"),))).because


def test_software_that_compiles_for_the_card_is_never_without_code_for_it() -> None:
    known = fit_of(a_wheel("x", files=(a_file("sm_90"),), compiles=True))

    assert known.answer == UNKNOWN
    assert known.because.startswith(
        "it compiles kernels for the card when it runs, and of those that it brings: it has code for"
    )
    assert fit_of(a_wheel("x", compiles=True)).because == (
        "it compiles its kernels when it runs, and its files do not tell for which cards"
    )
    assert fit_of(a_wheel("x", files=(a_file("sm_89"),), compiles=True)).answer == NATIVE


def test_where_one_file_of_several_is_loaded_the_answer_is_certain_only_where_they_agree() -> None:
    fits, not_fits = a_file("sm_89"), a_file("sm_90")

    assert file_fit.of_one(CARD, (fits, not_fits)) == Fit(
        UNKNOWN, "which of its files it loads depends on the torch beside it, and none was found"
    )
    assert file_fit.of_one(CARD, (fits, fits)).answer == NATIVE  # type: ignore[union-attr]
    assert file_fit.of_one(CARD, (not_fits,)).answer == UNSUPPORTED  # type: ignore[union-attr]
    assert file_fit.of_one(CARD, ()) is None
    assert file_fit.of_one(CARD, (fits, not_fits._replace(main=False))).answer == NATIVE  # type: ignore[union-attr]
    assert fit_of(a_wheel("x", files=(fits, not_fits), loads_one=True)).answer == UNKNOWN
    assert fit_of(a_wheel("x", files=(fits, not_fits))).answer == NATIVE


def test_a_file_says_why_it_is_not_known_what_it_was_compiled_for() -> None:
    assert file_fit.of_file(CARD, a_file()).because == (
        "what `libx.so` was compiled for is not known: no section of it holds code"
    )
    assert file_fit.of_file(CARD, a_file(unread="it is cut off")).because.endswith("is not known: it is cut off")
    assert file_fit.of_file(CARD, a_file("sm_90", unread="it is cut off")) == Fit(
        UNKNOWN, "the code that could be read in `libx.so` does not run on it, and not all could be: it is cut off"
    )
    assert file_fit.of_file(CARD, a_file("sm_89", unread="it is cut off")).answer == NATIVE


@pytest.mark.parametrize(
    ("names", "alone"),
    [(("sm_90a",), True), (("sm_90a", "sm_120a"), True), (("sm_90a", "sm_90"), False), ((), False), (("x",), False)],
)
def test_kernels_for_one_card_alone_are_known_by_their_suffix(names: tuple[str, ...], alone: bool) -> None:
    assert file_fit.for_one_alone(names) is alone


@pytest.mark.parametrize(
    ("text", "name", "kind"),
    [
        ("sm_89", "8.9", "machine code"),
        (" SM_90A ", "9.0a", "machine code"),
        ("compute_120f", "12.0f", "PTX"),
        ("75-real", "7.5", "machine code"),
        ("75-virtual", "7.5", "PTX"),
        ("8.6", "8.6", "code"),
        ("10.0", "10.0", "code"),
        ("860", "8.6", "code"),
        ("1210", "12.1", "code"),
        ("300", "3.0", "code"),
        ("299", "29.9", "code"),
        ("86", "8.6", "code"),
        ("861", None, None),
        ("sm_300", "30.0", "machine code"),
        ("sm_06", None, None),
        ("9999", None, None),
        ("gfx90a", None, None),
    ],
)
def test_architectures_are_read_in_every_spelling(text: str, name: str | None, kind: str | None) -> None:
    found = compiled(text)

    assert (found and (found.name, found.kind.value)) == (None if name is None else (name, kind))


@pytest.mark.parametrize(
    ("compute", "architectures", "answer", "because"),
    [
        ((8, 9), ("sm_89",), NATIVE, "it has machine code for 8.9"),
        ((8, 9), ("sm_86",), COMPATIBLE, "it has machine code for 8.6, which runs on 8.9 too"),
        ((8, 6), ("sm_89",), UNSUPPORTED, "it has code for 8.9, none of which runs on 8.6"),
        ((8, 9), ("sm_75",), UNSUPPORTED, "it has code for 7.5, none of which runs on 8.9, and no PTX"),
        ((8, 9), ("compute_75",), COMPATIBLE, "it has PTX for 7.5, which the driver compiles for 8.9"),
        ((8, 9), ("compute_90",), UNSUPPORTED, "it has code for 9.0, none of which runs on 8.9"),
        ((8, 9), ("7.5+PTX",), COMPATIBLE, "it has PTX for 7.5, which the driver compiles for 8.9"),
        ((8, 9), ("750",), UNKNOWN, "it has code for 7.5, which runs on 8.9 only if it is PTX, and the file does not say so"),
        ((8, 9), ("750", "890"), NATIVE, "it has code for 8.9"),
        ((9, 0), ("sm_90a",), NATIVE, "it has machine code for 9.0a"),
        ((10, 0), ("sm_90a",), UNSUPPORTED, "it has code for 9.0a, none of which runs on 10.0, and no PTX"),
        ((12, 1), ("sm_120f",), COMPATIBLE, "it has machine code for 12.0f, which runs on 12.1 too"),
        ((12, 1), ("sm_120a",), UNSUPPORTED, "it has code for 12.0a, none of which runs on 12.1, and no PTX"),
        ((8, 7), ("sm_86",), UNSUPPORTED, "it has code for 8.6, none of which runs on 8.7, and no PTX"),
        ((8, 9), ("sm_87",), UNSUPPORTED, "it has code for 8.7, none of which runs on 8.9, and no PTX"),
        ((8, 9), ("sm_80", "sm_86", "compute_86"), COMPATIBLE, "it has machine code for 8.6, which runs on 8.9 too"),
        ((8, 9), ("sm_90", "compute_90a", "sm_90"), UNSUPPORTED, "it has code for 9.0, 9.0a, none of which runs on 8.9"),
        (None, ("sm_89",), UNKNOWN, "the card's compute capability is not known"),
        ((8, 9), ("x",), UNKNOWN, "what it was compiled for is not known"),
    ],
)
def test_code_fits_a_capability_as_nvidia_says(
    compute: tuple[int, int] | None, architectures: tuple[str, ...], answer: str, because: str
) -> None:
    fit = of_compute(compute, architectures, "a row")

    assert (fit.answer, fit.because, fit.source) == (answer, because, "a row")
    assert fit.by_compiler is ("PTX for" in because)


@pytest.mark.parametrize(
    ("card", "targets", "answer", "because"),
    [
        ("gfx1100", ("gfx1100",), NATIVE, "it has code for gfx1100"),
        ("gfx1100", ("gfx11-generic",), COMPATIBLE, "it has code for gfx11-generic, which gfx1100 takes too"),
        ("gfx942:xnack-", ("gfx942:xnack-",), NATIVE, "it has code for gfx942:xnack-"),
        ("gfx942:xnack+", ("gfx942:xnack-",), UNSUPPORTED, "it has code for gfx942:xnack-, and none for gfx942"),
        ("gfx942", ("gfx942:xnack-",), UNKNOWN, "it has code for gfx942:xnack-, and whether gfx942 takes that is not known"),
        ("gfx1990", ("gfx19-generic",), UNKNOWN, "it has code for gfx19-generic, and whether gfx1990 takes that is not known"),
        (
            "gfx1990",
            ("gfx19-9-generic",),
            UNKNOWN,
            "it has code for gfx19-9-generic, and whether gfx1990 takes that is not known",
        ),
        ("gfx1990", ("gfx19-8-generic",), UNSUPPORTED, "it has code for gfx19-8-generic, and none for gfx1990"),
        ("gfx1990", ("gfx18-generic",), UNSUPPORTED, "it has code for gfx18-generic, and none for gfx1990"),
        ("gfx1100", ("gfx90a", "GFX90A ", "x"), UNSUPPORTED, "it has code for gfx90a, and none for gfx1100"),
        ("", ("gfx90a",), UNKNOWN, "the card's architecture is not known"),
        ("gfx1100", ("x",), UNKNOWN, "what it was compiled for is not known"),
    ],
)
def test_code_fits_amd_s_architectures_by_name_and_switches(
    card: str, targets: tuple[str, ...], answer: str, because: str
) -> None:
    fit = of_gfx(card, targets, "a row")

    assert (fit.answer, fit.because, fit.source) == (answer, because, "a row")


def test_the_override_that_is_known_to_work_is_named_where_its_code_is_there() -> None:
    known = of_gfx("gfx1031", ("gfx1030",)).because

    assert known.startswith(
        "it has code for gfx1030, and none for gfx1031; on Linux `HSA_OVERRIDE_GFX_VERSION=10.3.0` makes it"
    )
    assert "HSA_OVERRIDE" not in of_gfx("gfx1031", ("gfx90a",)).because
    cautious = next(row for row in knowledge.targets() if row.caution and row.override)
    taken = gfx_of_override(cautious.override or "")
    assert taken is not None
    assert of_gfx(cautious.gfx, (taken.name,)).because.endswith(f"for {taken.name}, known to work ({cautious.caution})")
    plain = next(row for row in knowledge.targets() if row.override and not row.caution)
    taken = gfx_of_override(plain.override or "")
    assert taken is not None
    assert of_gfx(plain.gfx, (taken.name,)).because.endswith(f"for {taken.name}, known to work")


@pytest.mark.parametrize(
    ("fitting", "others", "said"),
    [
        (1, 4, "it has machine code for 8.9; only 1 of its 5 modules have"),
        (1, 3, "it has machine code for 8.9"),
        (0, 4, "it has code for 9.0, none of which runs on 8.9"),
    ],
)
def test_a_file_of_which_few_kernels_are_for_the_card_says_so(fitting: int, others: int, said: str) -> None:
    names = ("sm_89", "sm_90") if fitting else ("sm_90",)
    sets = (*((CodeSet(("sm_89",), fitting),) if fitting else ()), CodeSet(("sm_90",), others))

    assert file_fit.of_file(CARD, a_file(*names, sets=sets)).because == said


@pytest.mark.parametrize(
    ("code", "driver", "answer", "because"),
    [
        (Fit(NATIVE, "c"), Fit(NATIVE, "d"), NATIVE, "c"),
        (Fit(UNSUPPORTED, "c"), Fit(UNSUPPORTED, "d"), UNSUPPORTED, "c"),
        (Fit(NATIVE, "c"), Fit(UNSUPPORTED, "d"), UNSUPPORTED, "d"),
        (Fit(NATIVE, "c"), Fit(COMPATIBLE, "d"), COMPATIBLE, "c; d"),
        (Fit(COMPATIBLE, "c"), Fit(UNKNOWN, "d"), UNKNOWN, "c; d"),
        (Fit(UNKNOWN, "c"), Fit(COMPATIBLE, "d"), UNKNOWN, "c; d"),
        (
            Fit(COMPATIBLE, "c", by_compiler=True),
            Fit(COMPATIBLE, "d"),
            UNSUPPORTED,
            "its PTX alone would run, and the driver is too old to compile it: d",
        ),
        (Fit(COMPATIBLE, "c", by_compiler=True), Fit(UNKNOWN, "d"), UNKNOWN, "c; d"),
    ],
)
def test_code_that_needs_a_driver_runs_as_well_as_the_worse_of_both(code: Fit, driver: Fit, answer: str, because: str) -> None:
    found = with_driver(code, driver._replace(source="a row"))

    assert (found.answer, found.because) == (answer, because)
    assert found.source == (None if because == "c" else "a row")


def test_a_build_without_a_row_of_its_own_has_that_of_its_kind() -> None:
    assert row_of("cuda_v13", "linux") == row_of("cuda_v13", "linux")
    assert row_of("rocm_v99", "linux") == row_of("rocm", "linux")
    assert row_of("rocm", "linux") is not None
    assert row_of("nothing", "linux") is None
    assert row_of("rocm", "no such system") is None


def test_the_last_release_of_rocm_that_had_kernels_for_a_card_is_named() -> None:
    rocblas, host = a_wheel("rocBLAS", "ROCm"), a_host()

    assert where_to_get.advice(a_device("ROCm", gfx_target="gfx906"), rocblas, host) == (
        "; that of ROCm 6.3 was the last that had"
    )
    for target in ("gfx1100", None):
        assert where_to_get.advice(a_device("ROCm", gfx_target=target), rocblas, host) == ""


def test_what_is_installed_already_is_not_advised() -> None:
    index = "https://download.pytorch.org/whl/cu128"
    device, host = CARD, a_host()

    assert where_to_get.advice(device, a_wheel(version="2.9+cu130"), host) == (
        f"; `pip install torch --index-url {index}` installs one with code for Ada"
    )
    assert where_to_get.advice(device, a_wheel(version="2.9+cu128"), host) == ""
    assert where_to_get.advice(device, a_wheel(version="2.9"), host) != ""
    assert where_to_get.advice(device._replace(compute_major=3, compute_minor=5), a_wheel(), host) == ""
    assert where_to_get.row_for("torch", "CUDA", "sparc") is None
    assert where_to_get.family_of(device) == "Ada"
    assert where_to_get.family_of(a_device("ROCm", gfx_target=None)) is None
    assert [where_to_get.is_tegra(device._replace(compute_minor=minor)) for minor in (7, 6)] == [True, False]
