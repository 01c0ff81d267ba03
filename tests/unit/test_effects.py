"""What each variable that is set does on this machine."""

from __future__ import annotations

import pytest

from gpuprobe import environment
from gpuprobe.judging.effects import effects
from tests.records import AMD, NVIDIA


def effect_of(name: str, value: str, *vendors: int, platform: str = "linux", **others: str) -> str:
    found = {effect.name: effect for effect in effects({name: value, **others}, vendors, platform)}
    assert found[name].value == value
    return found[name].effect


def test_only_variables_that_bear_on_devices_are_told() -> None:
    environ = {"HOME": "/root", "NO_COLOR": "1", "WSL_DISTRO_NAME": "Ubuntu", "LD_LIBRARY_PATH": "/x", "EDITOR": "vi"}

    assert effects(environ, (NVIDIA,), "linux") == ()


def test_variables_are_told_in_the_order_of_the_table() -> None:
    environ = {"OLLAMA_VULKAN": "1", "CUDA_VISIBLE_DEVICES": "0", "HIP_VISIBLE_DEVICES": "0"}

    told = [effect.name for effect in effects(environ, (), "linux")]

    assert told == ["CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "OLLAMA_VULKAN"]


def test_a_list_says_what_it_comes_to() -> None:
    assert effect_of("CUDA_VISIBLE_DEVICES", "2,x,1").endswith("; here it selects 2")
    assert effect_of("CUDA_VISIBLE_DEVICES", "-1").endswith("; here it hides every device")
    assert effect_of("CUDA_VISIBLE_DEVICES", "").endswith("; here it hides every device")
    assert effect_of("GGML_VK_VISIBLE_DEVICES", "1 0").endswith("; here it selects 1, 0")
    assert effect_of("GPU_DEVICE_ORDINAL", "1").endswith("; here it selects 1")


def test_quotes_in_a_list_hide_everything_and_that_is_said() -> None:
    """A service file with `Environment='CUDA_VISIBLE_DEVICES="0"'`."""
    assert effect_of("CUDA_VISIBLE_DEVICES", '"0"').endswith(
        "here it hides every device; the quotes are part of the value, and no device is named so"
    )


def test_cuda_s_list_also_hides_amd_cards_where_there_are_some() -> None:
    said = "ROCm reads it too, so it also hides ROCm's cards here"

    assert said in effect_of("CUDA_VISIBLE_DEVICES", "-1", NVIDIA, AMD)
    assert said not in effect_of("CUDA_VISIBLE_DEVICES", "-1", NVIDIA)


def test_hip_s_own_list_keeps_cuda_s_from_amd_cards() -> None:
    told = effect_of("CUDA_VISIBLE_DEVICES", "-1", NVIDIA, AMD, HIP_VISIBLE_DEVICES="0")

    assert told.endswith("ROCm reads `HIP_VISIBLE_DEVICES` instead, which is set")


def test_lists_that_stack_are_told() -> None:
    told = effect_of("ROCR_VISIBLE_DEVICES", "1", AMD, HIP_VISIBLE_DEVICES="1")

    assert told.endswith("`HIP_VISIBLE_DEVICES` is set too and counts within what this one leaves")


def test_an_older_name_that_is_ignored_is_told() -> None:
    told = effect_of("VK_ICD_FILENAMES", "/a.json", VK_DRIVER_FILES="/b.json")

    assert told.endswith("here it is ignored, because `VK_DRIVER_FILES` is set")


@pytest.mark.parametrize(
    ("value", "told"),
    [("1", "it is on"), ("True", "it is on"), ("0", "it is off"), ("F", "it is off"), ("'0'", "it is off")],
)
def test_a_boolean_is_told_as_on_or_off(value: str, told: str) -> None:
    assert told in effect_of("OLLAMA_VULKAN", value).split("; ")


@pytest.mark.parametrize("value", ["no", "off", "tRUE", "x\x1b[2J"])
def test_text_that_is_no_boolean_counts_as_true_and_that_is_said(value: str) -> None:
    """`tRUE` is none of the six spellings that are understood, yet means the same."""
    told = effect_of("OLLAMA_SCHED_SPREAD", value).split("; ")

    assert "it is on" in told
    assert (value == "tRUE") == (not told[-1].endswith("any such text for true"))
    assert "\x1b" not in told[-1]


def test_quotes_around_a_setting_of_ollama_are_dropped_and_that_is_said() -> None:
    assert effect_of("OLLAMA_KV_CACHE_TYPE", '"q8_0"').endswith(
        "Ollama takes it for `q8_0`, without the quotes and blanks around it"
    )


def test_a_setting_of_ollama_set_to_nothing_counts_as_not_set() -> None:
    assert effect_of("OLLAMA_VULKAN", "") == "set to nothing, which counts as not set"


@pytest.mark.parametrize(("value", "understood"), [("1073741824", True), ("1GiB", False)])
def test_an_overhead_that_is_no_number_of_bytes_is_told(value: str, understood: bool) -> None:
    told = effect_of("OLLAMA_GPU_OVERHEAD", value)

    assert ("is no number, so Ollama leaves none free" in told) is not understood


def test_an_override_is_told_as_the_architecture_it_asks_for() -> None:
    assert effect_of("HSA_OVERRIDE_GFX_VERSION", "10.3.0", AMD).startswith("every AMD card is taken for gfx1030;")


def test_an_override_for_one_card_is_told_with_its_node() -> None:
    """The form for one card was not looked at. KFD counts processors too: the first card is mostly 1."""
    told = effect_of("HSA_OVERRIDE_GFX_VERSION_1", "11.0.0", AMD)

    assert told.startswith("the AMD card that is KFD node 1 (processors are counted too) is taken for gfx1100;")


@pytest.mark.parametrize(
    ("name", "platform", "only"),
    [
        ("CUDA_VISIBLE_DEVICES", "darwin", "Linux and Windows"),
        ("ZE_AFFINITY_MASK", "darwin", "Linux and Windows"),
        ("ROCR_VISIBLE_DEVICES", "darwin", "Linux"),
        ("ROCR_VISIBLE_DEVICES", "win32", "Linux"),
        ("HIP_VISIBLE_DEVICES", "darwin", "Linux and Windows"),
    ],
)
def test_a_variable_of_a_library_that_a_system_does_not_have_does_nothing_there(name: str, platform: str, only: str) -> None:
    assert effect_of(name, "0", platform=platform) == f"it has an effect on {only} only"


@pytest.mark.parametrize(
    ("name", "platform"),
    [("HIP_VISIBLE_DEVICES", "linux"), ("CUDA_VISIBLE_DEVICES", "win32"), ("GGML_VK_VISIBLE_DEVICES", "darwin")],
)
def test_one_that_a_library_reads_there_does(name: str, platform: str) -> None:
    assert "here it selects 0" in effect_of(name, "0", platform=platform)


@pytest.mark.parametrize("platform", ["linux", "win32"])
def test_hips_list_that_is_set_to_nothing_hides_nothing(platform: str) -> None:
    """Seen with HIP 5.2.3, where `CUDA_VISIBLE_DEVICES` is read instead."""
    assert effect_of("HIP_VISIBLE_DEVICES", "", AMD, platform=platform).endswith("set to nothing, which counts as not set")


def test_an_override_that_cannot_be_read_is_told_as_unknown() -> None:
    assert effect_of("HSA_OVERRIDE_GFX_VERSION", "'10.3.0'").startswith("`'10.3.0'` is not a version such as 10.3.0")


def test_an_override_has_no_effect_on_windows() -> None:
    assert effect_of("HSA_OVERRIDE_GFX_VERSION", "10.3.0", platform="win32") == "it has an effect on Linux only"


@pytest.mark.parametrize("row", environment.VARIABLES, ids=lambda row: row.name)
def test_every_variable_of_the_table_can_be_told_with_any_value(row: environment.Variable) -> None:
    for value in ("", "0", "-1", "\x1b[31m", "\udcff", "'"):
        for effect in effects({row.name: value}, (NVIDIA, AMD), "linux"):
            assert effect.effect.isprintable()
            assert effect.effect


def test_a_level_zero_mask_that_is_set_to_nothing_hides_nothing() -> None:
    assert effect_of("ZE_AFFINITY_MASK", "").endswith("set to nothing, which counts as not set")
    assert effect_of("ZE_AFFINITY_MASK", "-1").endswith("here it hides every device")


def test_a_variable_of_vulkan_s_drivers_alone_is_not_ignored() -> None:
    assert "here it is ignored" not in effect_of("VK_ICD_FILENAMES", "/a.json")
    assert "here it is ignored" not in effect_of("VK_DRIVER_FILES", "/b.json")
    assert "here it is ignored" not in effect_of("CUDA_VISIBLE_DEVICES", "0", VK_DRIVER_FILES="/b.json")


@pytest.mark.parametrize("others", [{}, {"HIP_VISIBLE_DEVICES": ""}])
def test_a_list_of_rocr_stands_alone_where_hip_has_none(others: dict[str, str]) -> None:
    assert "HIP_VISIBLE_DEVICES" not in effect_of("ROCR_VISIBLE_DEVICES", "1", AMD, **others)
    assert "counts within" not in effect_of("CUDA_VISIBLE_DEVICES", "1", NVIDIA, HIP_VISIBLE_DEVICES="1")


def test_cuda_s_list_says_which_variable_amd_cards_obey_before_it() -> None:
    said = effect_of("CUDA_VISIBLE_DEVICES", "0", AMD).split("; ")

    assert said[-2:] == [
        "ROCm reads it too, so it also hides ROCm's cards here",
        "`HIP_VISIBLE_DEVICES`, where set, is read instead",
    ]
    assert "instead" not in effect_of("HIP_VISIBLE_DEVICES", "0", AMD)
    assert "also hides" in effect_of("CUDA_VISIBLE_DEVICES", "0", AMD, HIP_VISIBLE_DEVICES="")


@pytest.mark.parametrize("value", ["'1'", " 1 "])
def test_a_boolean_in_quotes_is_told_as_ollama_takes_it(value: str) -> None:
    assert effect_of("OLLAMA_VULKAN", value).split("; ")[1:] == [
        "it is on",
        "Ollama takes it for `1`, without the quotes and blanks around it",
    ]
    assert effect_of("OLLAMA_GPU_OVERHEAD", "x").endswith("`x` is no number, so Ollama leaves none free")
    assert effect_of("OLLAMA_VULKAN", "\"'").startswith("set to nothing")


def test_quotes_are_told_only_where_they_hide_every_device() -> None:
    assert "quotes" not in effect_of("CUDA_VISIBLE_DEVICES", "0,'1'")
    assert "quotes" not in effect_of("CUDA_VISIBLE_DEVICES", "x")
    assert "quotes" in effect_of("CUDA_VISIBLE_DEVICES", " '0'")


def test_an_override_that_names_no_version_says_so_of_every_card() -> None:
    assert effect_of("HSA_OVERRIDE_GFX_VERSION", "x") == (
        "`x` is not a version such as 10.3.0, so it is not known what every AMD card is taken for"
    )
    assert effect_of("HSA_OVERRIDE_GFX_VERSION", "11.0.0") == (
        "every AMD card is taken for gfx1100; kernels of a wrong architecture crash or compute rubbish"
    )
