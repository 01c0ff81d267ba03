"""May these devices use flash attention, and what do the user's settings make of it."""

from __future__ import annotations

import pytest

from gpuprobe.facts import FoundBuild
from gpuprobe.judging.flash_attention import FlashAnswer, apart, effective, of_device, of_set
from gpuprobe.model import Device
from tests.records import a_device, a_host


def cuda(major: int | None, minor: int | None, **fields: object) -> Device:
    return a_device("CUDA", compute_major=major, compute_minor=minor, **fields)


@pytest.mark.parametrize(
    ("capability", "supported", "rule"),
    [
        ((5, 2), False, "capability_below_6"),
        ((6, 0), False, "capability_6"),
        ((6, 1), False, "capability_6"),
        ((7, 0), True, "capability_7_0"),
        ((7, 2), False, "capability_7_2"),
        ((7, 5), True, "capability_7_0"),
        ((8, 9), True, "capability_7_0"),
        ((12, 0), True, "capability_7_0"),
        ((None, None), None, "capability_unknown"),
        ((7, None), None, "capability_unknown"),
        ((9, None), True, "capability_7_0"),
        ((6, None), False, "capability_6"),
    ],
)
def test_with_cuda_the_compute_capability_decides(
    capability: tuple[int | None, int | None], supported: bool | None, rule: str
) -> None:
    answer = of_device(cuda(*capability))

    assert (answer.supported, answer.rule) == (supported, rule)


@pytest.mark.parametrize("api_version", ["5.5", "7.0", "13.0", None])
def test_the_version_of_the_driver_plays_no_role(api_version: str | None) -> None:
    """Judged by CUDA's API version, a card of capability 5.0 passed."""
    assert of_device(cuda(5, 0, api_version=api_version)).supported is False
    assert of_device(cuda(8, 0, api_version=api_version)).supported is True


def test_a_card_of_6_x_is_told_that_newer_ollama_allows_it() -> None:
    answer = of_device(cuda(6, 1, name="NVIDIA GeForce GTX 1080"))

    assert answer.because == "NVIDIA GeForce GTX 1080 has compute capability 6.1 (7.0 is needed; newer Ollama allows it)"


@pytest.mark.parametrize("library", ["ROCm", "Metal", "Vulkan"])
def test_rocm_metal_and_vulkan_support_it(library: str) -> None:
    assert of_device(a_device(library)).supported is True


def test_with_level_zero_it_is_unknown() -> None:
    answer = of_device(a_device("Level Zero"))

    assert (answer.supported, answer.rule) == (None, "library_unknown")


def test_nothing_on_the_gpu_supports_it() -> None:
    answer = of_set([])

    assert (answer.supported, answer.rule, answer.device) == (True, "cpu", None)


def test_one_device_that_may_not_decides_for_all_and_is_named() -> None:
    turing, pascal, unknown = cuda(7, 5), cuda(6, 1, name="Tesla P40"), a_device("Level Zero")

    answer = of_set([turing, unknown, pascal])

    assert (answer.supported, answer.rule, answer.device) == (False, "capability_6", pascal)
    assert "Tesla P40" in answer.because


def test_one_unknown_device_leaves_the_set_undecided() -> None:
    unknown = a_device("Level Zero")

    answer = of_set([cuda(8, 9), unknown])

    assert (answer.supported, answer.device) == (None, unknown)


def test_a_set_of_devices_that_all_may_is_a_yes() -> None:
    answer = of_set([cuda(8, 9), a_device("ROCm")])

    assert answer.supported is True
    assert answer.because.startswith("both devices support it")


def test_a_device_s_name_cannot_reach_the_terminal_unescaped() -> None:
    assert r"evil\x1b[2J" in of_device(cuda(6, 0, name="evil\x1b[2J")).because


YES, NO, UNKNOWN = (FlashAnswer(supported, "rule", "reasons") for supported in (True, False, None))


@pytest.mark.parametrize(
    ("setting", "answer", "state"),
    [
        (None, YES, "auto"),
        (None, NO, "off"),
        (None, UNKNOWN, "unknown"),
        ("", YES, "auto"),
        ("1", NO, "on"),
        ("true", UNKNOWN, "on"),
        ("0", YES, "off"),
        ("false", YES, "off"),
        ("'0'", YES, "off"),
        ("off", YES, "on"),
        ("no", NO, "on"),
    ],
)
def test_the_setting_forces_it_and_unparsable_text_counts_as_on(setting: str | None, answer: FlashAnswer, state: str) -> None:
    """`off` and `no` are no booleans and switch it on."""
    environ = {} if setting is None else {"OLLAMA_FLASH_ATTENTION": setting}

    assert effective(environ, answer).flash_attention == state


def test_forcing_it_on_against_the_hardware_is_said() -> None:
    (sentence,) = effective({"OLLAMA_FLASH_ATTENTION": "1"}, of_device(cuda(7, 2, name="Xavier"))).because

    assert sentence.startswith("`OLLAMA_FLASH_ATTENTION=1` forces it on, although Xavier has compute capability 7.2")


@pytest.mark.parametrize(
    ("setting", "flash", "cache"),
    [
        (None, "1", "f16"),
        ("f16", "0", "f16"),
        ("q8_0", "1", "q8_0"),
        ("q4_0", "1", "q4_0"),
        (" 'Q8_0' ", "1", "q8_0"),
        ("q8_0", "0", "f16"),
        ("q4_0", "0", "f16"),
        ("q5_1", "1", "f16"),
    ],
)
def test_a_quantised_cache_needs_flash_attention(setting: str | None, flash: str, cache: str) -> None:
    environ = {"OLLAMA_FLASH_ATTENTION": flash} | ({} if setting is None else {"OLLAMA_KV_CACHE_TYPE": setting})

    assert effective(environ, YES).cache_type == cache


def test_a_quantised_cache_on_hardware_without_flash_attention_falls_back_and_says_so() -> None:
    answer = effective({"OLLAMA_KV_CACHE_TYPE": "q8_0"}, NO)

    assert answer == (
        "off",
        "f16",
        ("`OLLAMA_KV_CACHE_TYPE=q8_0` needs flash attention, which is off, so the cache is f16",),
    )


def test_a_quantised_cache_is_uncertain_while_flash_attention_is() -> None:
    for answer in (YES, UNKNOWN):
        (sentence,) = effective({"OLLAMA_KV_CACHE_TYPE": "q8_0"}, answer).because
        assert sentence == "`OLLAMA_KV_CACHE_TYPE=q8_0` is used only if flash attention turns out to be on"


def test_two_devices_are_both() -> None:
    assert of_set([cuda(8, 9), a_device("ROCm")]).because.startswith("both devices support it; ")
    assert of_set([cuda(8, 9)] * 3).because.startswith("all 3 devices support it; ")


def a_build(name: str, folder: str, library: str = "CUDA", kind: str = "cuda") -> FoundBuild:
    return FoundBuild(name, library, f"{folder}/libggml-{kind}.so", (), (), "Ollama", product="ollama")


def test_devices_of_two_builds_cannot_share_one_model() -> None:
    host = a_host(builds=tuple(a_build(name, f"/usr/lib/ollama/{name}") for name in ("cuda_v12", "cuda_v13")))
    old, new = cuda(7, 0, build="cuda_v12", ordinal=0), cuda(8, 9, build="cuda_v13", ordinal=1, number=1)

    assert apart([old, new], host) == (
        "they cannot share one model: a program loads the builds of one directory, and this takes the build cuda_v12 for "
        "CUDA:0 and the build cuda_v13 for CUDA:1"
    )
    assert apart([old, old], host) is None
    assert apart([old, cuda(8, 9)], host) is None


def test_two_backends_of_one_directory_can() -> None:
    here = "/opt/llama.cpp"
    builds = (a_build("llama.cpp-cuda", here), a_build("llama.cpp-hip", here, "ROCm", "hip"))
    devices = [cuda(8, 9, build="llama.cpp-cuda"), a_device("ROCm", build="llama.cpp-hip")]

    assert apart(devices, a_host(builds=builds)) is None


SUPPORTED, REFUSED, UNKNOWN = (FlashAnswer(answer, "rule", "the reason") for answer in (True, False, None))


@pytest.mark.parametrize(
    ("setting", "answer", "state", "because"),
    [
        (None, SUPPORTED, "auto", ()),
        (None, REFUSED, "off", ()),
        (None, UNKNOWN, "unknown", ()),
        ("", REFUSED, "off", ()),
        ("1", SUPPORTED, "on", ("`OLLAMA_FLASH_ATTENTION=1` forces it on",)),
        ("1", REFUSED, "on", ("`OLLAMA_FLASH_ATTENTION=1` forces it on, although the reason",)),
        ("1", UNKNOWN, "on", ("`OLLAMA_FLASH_ATTENTION=1` forces it on, although the reason",)),
        ("0", REFUSED, "off", ("`OLLAMA_FLASH_ATTENTION=0` forces it off",)),
        ("0", SUPPORTED, "off", ("`OLLAMA_FLASH_ATTENTION=0` forces it off",)),
    ],
)
def test_a_setting_forces_it_and_says_against_what(
    setting: str | None, answer: FlashAnswer, state: str, because: tuple[str, ...]
) -> None:
    environ = {} if setting is None else {"OLLAMA_FLASH_ATTENTION": setting}

    assert effective(environ, answer) == (state, "f16", because)


@pytest.mark.parametrize(
    ("setting", "flash", "cache", "said"),
    [
        ("", "1", "f16", None),
        ("F16", "1", "f16", None),
        ("q8_0", "1", "q8_0", "is used: flash attention is on"),
        ("Q4_0", "1", "q4_0", "is used: flash attention is on"),
        ("q8_0", "0", "f16", "needs flash attention, which is off, so the cache is f16"),
        ("q8_0", "", "q8_0", "is used only if flash attention turns out to be on"),
        ("q5", "1", "f16", "is not a type that Ollama knows (f16, q8_0, q4_0), so the cache is f16"),
    ],
)
def test_a_type_of_the_cache_counts_where_flash_attention_is_on(setting: str, flash: str, cache: str, said: str | None) -> None:
    found = effective({"OLLAMA_KV_CACHE_TYPE": setting, "OLLAMA_FLASH_ATTENTION": flash}, SUPPORTED)

    assert found.cache_type == cache
    assert found.because[len(flash) :] == (() if said is None else (f"`OLLAMA_KV_CACHE_TYPE={setting}` {said}",))


@pytest.mark.parametrize(("count", "every"), [(1, None), (2, "both"), (3, "all 3")])
def test_devices_that_all_support_it_are_told_together(count: int, every: str | None) -> None:
    one = "NVIDIA GeForce RTX 4090 has compute capability 8.9 (7.0 or higher is needed)"

    assert of_set([cuda(8, 9)] * count).because == (one if every is None else f"{every} devices support it; {one}")


def test_a_capability_of_which_only_the_major_is_known_is_told_so() -> None:
    assert of_device(cuda(6, None, name=None, uuid="GPU-1")).because == (
        "GPU-1 has compute capability 6.? (7.0 is needed; newer Ollama allows it)"
    )
    assert of_device(cuda(7, 2)).because.endswith("has compute capability 7.2, for which no kernel is compiled")
    assert of_device(cuda(None, 2)).rule == "capability_unknown"
