"""Code that was compiled for some architectures, against cards."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpuprobe import knowledge
from gpuprobe.judging.architecture import (
    CODE,
    COMPATIBLE,
    NATIVE,
    PTX,
    UNKNOWN,
    UNSAID,
    UNSUPPORTED,
    Compiled,
    compiled,
    of_compute,
    of_device,
    of_gfx,
)
from tests.records import a_device

ADA, BLACKWELL, ORIN, PASCAL = (8, 9), (12, 0), (8, 7), (6, 1)
TORCH = ("sm_75", "sm_80", "sm_86", "sm_90", "sm_100", "sm_120")  # torch 2.15.0+cu132 of PyPI, from its files
GGML = ("750", "800", "860", "890", "900", "1200", "1210")  # ARCHS of a real libggml-cuda.so


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("sm_90", Compiled((9, 0), CODE)),
        ("sm_90a", Compiled((9, 0), CODE, "a")),
        ("sm_103", Compiled((10, 3), CODE)),
        ("compute_100f", Compiled((10, 0), PTX, "f")),
        ("86-real", Compiled((8, 6), CODE)),
        ("75-virtual", Compiled((7, 5), PTX)),
        ("90a-real", Compiled((9, 0), CODE, "a")),
        ("103-virtual", Compiled((10, 3), PTX)),
        ("90a-virtual", Compiled((9, 0), PTX, "a")),
        ("86", Compiled((8, 6), UNSAID)),
        ("121", Compiled((12, 1), UNSAID)),
        ("860", Compiled((8, 6), UNSAID)),
        ("860a", Compiled((8, 6), UNSAID, "a")),
        ("1210", Compiled((12, 1), UNSAID)),
        ("8.9", Compiled((8, 9), UNSAID)),
        (" SM_90A ", Compiled((9, 0), CODE, "a")),
    ],
)
def test_an_architecture_is_read_in_every_spelling_that_builds_use(text: str, read: Compiled) -> None:
    assert compiled(text) == read


@pytest.mark.parametrize("text", ["", "sm_", "sm_9", "90b", "gfx1100", "865", "1", "lto_90", "sm_90;rm", "12000", "-75"])
def test_what_is_no_architecture_of_cuda_is_none(text: str) -> None:
    assert compiled(text) is None


@pytest.mark.parametrize(
    ("card", "architectures", "answer"),
    [
        (ADA, ["sm_89"], NATIVE),
        (ADA, ["sm_80", "sm_86"], COMPATIBLE),  # machine code of an earlier minor
        (ADA, ["sm_90"], UNSUPPORTED),  # of a later major
        (ADA, ["sm_75"], UNSUPPORTED),  # of an earlier major
        (ADA, ["compute_75"], COMPATIBLE),  # PTX, which the driver compiles
        (ADA, ["compute_89"], COMPATIBLE),
        (ADA, ["compute_90"], UNSUPPORTED),  # PTX for something newer
        (BLACKWELL, TORCH, NATIVE),
        (ADA, TORCH, COMPATIBLE),
        (PASCAL, TORCH, UNSUPPORTED),
        (ADA, GGML, NATIVE),
        ((10, 3), GGML, UNKNOWN),  # only PTX would do, and the list does not say
        (PASCAL, GGML, UNSUPPORTED),
        ((9, 0), ["90a-real"], NATIVE),
        ((10, 0), ["compute_90a"], UNSUPPORTED),  # `a` is for exactly one
        ((10, 3), ["sm_100f"], COMPATIBLE),  # `f` is for its family
        ((12, 0), ["compute_100f"], UNSUPPORTED),
        ((10, 0), ["sm_103f"], UNSUPPORTED),
        (ORIN, ["sm_80", "sm_86"], UNSUPPORTED),  # Tegra takes the machine code of no other
        (ORIN, ["sm_87"], NATIVE),
        (ORIN, ["compute_80"], COMPATIBLE),
        (ORIN, ["860"], UNKNOWN),
        (ADA, ["sm_87"], UNSUPPORTED),  # and no other takes Tegra's
        (ADA, ["8.6+PTX"], COMPATIBLE),
        (BLACKWELL, ["8.6+PTX"], COMPATIBLE),
        (BLACKWELL, ["8.6"], UNKNOWN),
        (None, ["sm_89"], UNKNOWN),
        (ADA, [], UNKNOWN),
        (ADA, ["rubbish", ""], UNKNOWN),
        (ADA, ["rubbish", "sm_89"], NATIVE),
    ],
)
def test_code_of_cuda_fits_a_card_or_not(card: tuple[int, int] | None, architectures: list[str], answer: str) -> None:
    fit = of_compute(card, architectures)

    assert fit.answer == answer
    assert fit.because


def test_the_sentence_names_the_code_that_will_run() -> None:
    assert of_compute(ADA, ["sm_80", "sm_86", "compute_90"]).because == "it has machine code for 8.6, which runs on 8.9 too"
    assert of_compute(ADA, ["compute_50", "compute_80"]).because == "it has PTX for 8.0, which the driver compiles for 8.9"
    assert of_compute(ADA, ["compute_89", "sm_86"]).because == "it has PTX for 8.9, which the driver compiles for 8.9"
    assert of_compute((9, 0), ["sm_90a", "sm_90"]).because == "it has machine code for 9.0"
    assert of_compute(PASCAL, ["sm_90a", "sm_75"]).because == "it has code for 7.5, 9.0a, none of which runs on 6.1"


capability = st.tuples(st.integers(5, 13), st.integers(0, 9))


@given(capability, st.sets(capability, min_size=1, max_size=6), st.sampled_from(["sm_", "compute_"]))
def test_more_architectures_never_take_support_away(card: tuple[int, int], known: set[tuple[int, int]], form: str) -> None:
    names = [f"{form}{major}{minor}" for major, minor in sorted(known)]
    rank = [UNSUPPORTED, COMPATIBLE, NATIVE]

    answers = [rank.index(of_compute(card, names[: count + 1]).answer) for count in range(len(names))]

    assert answers == sorted(answers)


@given(capability, capability)
def test_ptx_runs_on_everything_that_is_not_older(card: tuple[int, int], code: tuple[int, int]) -> None:
    fit = of_compute(card, [f"compute_{code[0]}{code[1]}"])

    assert fit.answer == (COMPATIBLE if code <= card else UNSUPPORTED)


@given(capability, capability)
def test_machine_code_never_crosses_a_major_version(card: tuple[int, int], code: tuple[int, int]) -> None:
    fit = of_compute(card, [f"sm_{code[0]}{code[1]}"])

    assert (fit.answer == NATIVE) == (card == code)
    assert card[0] == code[0] or fit.answer == UNSUPPORTED


@given(capability, capability, st.sampled_from(["sm_", "compute_"]))
def test_code_for_exactly_one_capability_runs_on_no_other(card: tuple[int, int], code: tuple[int, int], form: str) -> None:
    fit = of_compute(card, [f"{form}{code[0]}{code[1]}a"])

    assert (fit.answer == UNSUPPORTED) == (card != code)


@given(st.lists(st.text(max_size=12), max_size=8), st.text(max_size=20))
def test_any_text_in_place_of_architectures_is_answered(names: list[str], card: str) -> None:
    assert of_compute(ADA, names).answer in (NATIVE, COMPATIBLE, UNSUPPORTED, UNKNOWN)
    assert of_gfx(card, names).answer in (NATIVE, COMPATIBLE, UNSUPPORTED, UNKNOWN)


@pytest.mark.parametrize(
    ("card", "targets", "answer"),
    [
        ("gfx1100", ["gfx1030", "gfx1100"], NATIVE),
        ("gfx1101", ["gfx1030", "gfx1100"], UNSUPPORTED),  # the next stepping is another target
        ("gfx90a", ["gfx90a"], NATIVE),
        ("gfx942:sramecc+:xnack-", ["gfx942"], NATIVE),  # not said: for both positions
        ("gfx942:sramecc+:xnack-", ["gfx942:xnack-"], NATIVE),
        ("gfx942:sramecc+:xnack-", ["gfx942:xnack+"], UNSUPPORTED),
        ("gfx942", ["gfx942:xnack+"], UNKNOWN),  # the kernel's files do not tell the position
        ("gfx942", ["gfx942:xnack+", "gfx942"], NATIVE),
        ("gfx1103", ["gfx11-generic"], COMPATIBLE),
        ("gfx1031", ["gfx10-3-generic"], COMPATIBLE),
        ("gfx942", ["gfx9-4-generic"], COMPATIBLE),
        ("gfx950", ["gfx9-4-generic"], COMPATIBLE),
        ("gfx950", ["gfx9-4-generic", "gfx950"], NATIVE),
        ("gfx950", ["gfx9-generic"], UNSUPPORTED),
        ("gfx906", ["gfx9-generic"], COMPATIBLE),
        ("gfx90a", ["gfx9-generic", "gfx9-4-generic"], UNSUPPORTED),  # the compiler's map leaves gfx908 and gfx90a out
        ("gfx1151", ["gfx11-generic"], COMPATIBLE),
        ("gfx942:sramecc+:xnack-", ["gfx9-4-generic:xnack-"], COMPATIBLE),
        ("gfx942:sramecc+:xnack-", ["gfx9-4-generic:xnack+"], UNSUPPORTED),
        ("gfx1310", ["gfx13-generic"], UNKNOWN),  # newer than the map
        ("gfx1012", ["gfx10-3-generic"], UNSUPPORTED),
        ("gfx1201", ["gfx11-generic"], UNSUPPORTED),
        ("gfx1201", [], UNKNOWN),
        ("gfx1201", ["sm_90"], UNKNOWN),
        ("", ["gfx1201"], UNKNOWN),
        ("a Radeon", ["gfx1201"], UNKNOWN),
    ],
)
def test_code_of_amd_fits_a_card_or_not(card: str, targets: list[str], answer: str) -> None:
    fit = of_gfx(card, targets)

    assert fit.answer == answer
    assert fit.because


def test_an_override_is_named_where_it_is_known_to_work_and_the_build_has_the_code() -> None:
    with_it = of_gfx("gfx1031", ["gfx1030", "gfx1100"]).because
    without = of_gfx("gfx1031", ["gfx1100"]).because

    assert "HSA_OVERRIDE_GFX_VERSION=10.3.0" in with_it
    assert "HSA_OVERRIDE" not in without


amd_target = st.sampled_from([row.gfx for row in knowledge.targets()])


@given(amd_target, st.sets(amd_target))
def test_a_card_of_amd_runs_exactly_the_code_for_its_own_name(card: str, targets: set[str]) -> None:
    answer = of_gfx(card, sorted(targets)).answer

    assert (answer == NATIVE) == (card in targets)
    assert (answer == UNKNOWN) == (not targets)


def test_a_device_is_compared_in_the_terms_of_its_library() -> None:
    assert of_device(a_device("CUDA"), ["sm_89"]).answer == NATIVE
    assert of_device(a_device("ROCm"), ["gfx1100"]).answer == NATIVE
    switched_off = a_device("ROCm", capabilities={"gcn_arch_name": "gfx1100:xnack-"})
    assert of_device(switched_off, ["gfx1100:xnack+"]).answer == UNSUPPORTED
    assert of_device(a_device("Vulkan"), ["sm_89"]).answer == UNKNOWN
    assert of_device(a_device("CUDA", compute_minor=None), ["sm_89"]).answer == UNKNOWN
