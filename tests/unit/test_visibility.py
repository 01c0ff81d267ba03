"""Which variables make exactly the chosen devices visible, and what the user's own variables hide."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpuprobe.judging.device_lists import ggml_list, ggml_positions, parse_list, resolve, resolve_mask
from gpuprobe.judging.under_map import settable
from gpuprobe.judging.visibility import filter_id, hidden, seen_besides, visible_variables
from gpuprobe.libraries import LIBRARIES
from gpuprobe.model import Device, DeviceType, Partition
from tests.cuda_list_oracle import cuda_selects
from tests.records import a_device, a_slice, a_software_renderer

GPU_A, GPU_B = "GPU-8932f937-d72c-4106-c12f-20bd9faed9f6", "GPU-11111111-d72c-4106-c12f-20bd9faed9f6"
ROCR_A, ROCR_B = "GPU-4b2c1a9f8d3e6f7a", "GPU-5c3d2b0a9e4f7a8b"


def variables(
    chosen: Sequence[Device], listed: Sequence[Device], platform: str = "linux", **environ: str
) -> dict[str, str | None]:
    return dict(visible_variables(chosen, listed, platform, environ))


@pytest.mark.parametrize(
    ("value", "tokens"),
    [
        ("0,2", ("0", "2")),
        ("007", ("7",)),
        ("+1", ("1",)),
        ("GPU-DEADBEEFDEADBEEF,0", ("GPU-DEADBEEFDEADBEEF", "0")),
        ("0,-1,1", ("0",)),
        ("", ()),
        ("-1", ()),
        ("none", ()),
    ],
)
def test_a_list_is_read_up_to_its_first_invalid_entry(value: str, tokens: tuple[str, ...]) -> None:
    assert parse_list(value) == tokens


@given(st.text(alphabet="0123456789,-+ GPUMI\"'ax"), st.integers(1, 4))
def test_no_list_breaks_the_parsers(value: str, count: int) -> None:
    seen = cuda_selects(value, [None] * count)

    assert set(seen) <= set(range(count))
    assert len(seen) == len(set(seen))
    assert all(position < count for position in ggml_positions(value, count))
    assert len(seen) <= len(parse_list(value))


@given(st.permutations(range(4)), st.integers(1, 4), st.integers(0, 3))
def test_a_number_behind_a_list_means_the_entry_at_its_place(order: list[int], length: int, number: int) -> None:
    """Position k of the filtered numbering is the k-th token of the user's list."""
    value = ",".join(str(each) for each in order[:length])

    token = resolve(value, number)

    assert token == (str(order[number]) if number < length else None)
    assert resolve(None, number) == str(number)


def test_a_list_that_is_a_set_keeps_the_library_s_own_order() -> None:
    assert [resolve_mask("2,0,2", number) for number in range(3)] == ["0", "2", None]


@pytest.mark.parametrize(
    ("value", "positions"),
    [
        ("0", (0,)),
        ("1,0", (1, 0)),
        ("0 1", (0, 1)),
        ("0,,1", (0, 1)),
        ("1x,0", (1,)),
        ("x", ()),
        ("", ()),
        ("-1", ()),
        ("0,-1", ()),
        ("0,5", ()),
        ("0,18446744073709551616", (0,)),
        ("18446744073709551616,0", ()),
        ("0000000001", (1,)),
        ("-18446744073709551615", (1,)),
        ("-18446744073709551616,1", ()),
        ("0+1", (0, 1)),
        ("0-1", ()),
        ("1" * 5000, ()),
        ("0" * 5000 + "1", (1,)),
    ],
)
def test_ggml_reads_its_list_in_its_own_way(value: str, positions: tuple[int, ...]) -> None:
    """One number out of range and no Vulkan device is used at all."""
    assert ggml_positions(value, 2) == positions


def test_every_library_that_listed_a_card_is_selected_or_hidden() -> None:
    cuda = a_device("CUDA", uuid=GPU_A, pci_id="0000:01:00.0")
    vulkan = a_device("Vulkan", number=0, pci_id="0000:01:00.0")
    level_zero = a_device("Level Zero")

    chosen = variables([cuda], [cuda, vulkan, level_zero])

    assert chosen == {"CUDA_VISIBLE_DEVICES": GPU_A, "ZE_AFFINITY_MASK": "-1", "GGML_VK_VISIBLE_DEVICES": "-1"}


def test_a_library_that_listed_nothing_and_a_witness_get_no_variable() -> None:
    cuda = a_device("CUDA", uuid=GPU_A)

    assert variables([cuda], [cuda, a_device("NVML", uuid=GPU_A)]) == {"CUDA_VISIBLE_DEVICES": GPU_A}


def test_a_vulkan_that_lists_only_a_software_renderer_is_hidden_all_the_same() -> None:
    cuda = a_device("CUDA", uuid=GPU_A)

    assert variables([cuda], [cuda, a_software_renderer()])["GGML_VK_VISIBLE_DEVICES"] == "-1"


def test_nothing_chosen_hides_everything() -> None:
    listed = [a_device("CUDA", uuid=GPU_A), a_device("Vulkan")]

    assert variables([], listed) == {"CUDA_VISIBLE_DEVICES": "-1", "GGML_VK_VISIBLE_DEVICES": "-1"}


def test_cuda_devices_are_named_by_uuid_in_the_order_chosen() -> None:
    first, second = a_device("CUDA", uuid=GPU_A), a_device("CUDA", number=1, uuid=GPU_B)

    assert variables([second, first], [first, second]) == {"CUDA_VISIBLE_DEVICES": f"{GPU_B},{GPU_A}"}


def test_a_device_that_two_builds_list_is_named_once() -> None:
    views = [a_device("CUDA", uuid=GPU_A, build=build) for build in ("cuda_v12", "cuda_v13")]

    assert variables(views, views) == {"CUDA_VISIBLE_DEVICES": GPU_A}


def test_a_number_is_resolved_through_the_user_s_own_list() -> None:
    """Under `CUDA_VISIBLE_DEVICES=2,3` the device that the child numbers 1 is number 3 outside."""
    device = a_device("CUDA", number=1, uuid=None)

    assert variables([device], [device], CUDA_VISIBLE_DEVICES="2,3") == {"CUDA_VISIBLE_DEVICES": "3"}
    assert filter_id(device, {"CUDA_VISIBLE_DEVICES": "2,3"}, "linux") == "3"
    assert filter_id(device, {}, "linux") == "1"


def test_a_uuid_needs_no_list_to_be_resolved() -> None:
    device = a_device("CUDA", number=0, uuid=GPU_B)

    assert variables([device], [device], CUDA_VISIBLE_DEVICES="1") == {"CUDA_VISIBLE_DEVICES": GPU_B}


def test_a_device_that_the_user_s_list_does_not_reach_is_left_out_and_not_guessed() -> None:
    device = a_device("CUDA", number=1, uuid=None)

    assert variables([device], [device], CUDA_VISIBLE_DEVICES="3") == {"CUDA_VISIBLE_DEVICES": "-1"}
    assert filter_id(device, {"CUDA_VISIBLE_DEVICES": "3"}, "linux") is None


def test_cuda_numbers_keep_the_order_they_were_counted_in() -> None:
    numbered, named = a_device("CUDA", number=1), a_device("CUDA", uuid=GPU_A)

    order = {"CUDA_DEVICE_ORDER": "PCI_BUS_ID"}

    assert variables([numbered], [numbered], **order) == {"CUDA_VISIBLE_DEVICES": "1", **order}
    assert variables([named], [named], **order) == {"CUDA_VISIBLE_DEVICES": GPU_A}


def test_a_slice_is_named_by_its_own_uuid() -> None:
    """The UUID of the whole card is no valid token for a slice."""
    piece = a_slice(uuid=f"MIG-{GPU_A.removeprefix('GPU-')}", partition=Partition("mig", GPU_B))

    assert variables([piece], [piece]) == {"CUDA_VISIBLE_DEVICES": "MIG-8932f937-d72c-4106-c12f-20bd9faed9f6"}


def test_rocm_on_linux_is_selected_by_rocr_and_what_would_filter_again_is_unset() -> None:
    device = a_device("ROCm", uuid=ROCR_A)

    chosen = visible_variables([device], [device], "linux", {})

    assert chosen == (("ROCR_VISIBLE_DEVICES", ROCR_A), ("HIP_VISIBLE_DEVICES", None), ("GPU_DEVICE_ORDINAL", None))


def test_rocm_on_windows_is_selected_by_hip() -> None:
    device = a_device("ROCm", number=1, uuid=ROCR_A)

    assert variables([device], [device], "win32") == {"HIP_VISIBLE_DEVICES": "1", "GPU_DEVICE_ORDINAL": None}


def test_with_nvidia_and_amd_hip_counts_behind_rocr_and_does_not_look_at_cuda_s_variable() -> None:
    """An NVIDIA list would hide AMD boards."""
    cuda = a_device("CUDA", uuid=GPU_A)
    rocm = [a_device("ROCm", number=number, uuid=uuid) for number, uuid in enumerate((ROCR_A, ROCR_B))]

    assert variables([cuda, *rocm], [cuda, *rocm]) == {
        "CUDA_VISIBLE_DEVICES": GPU_A,
        "ROCR_VISIBLE_DEVICES": f"{ROCR_A},{ROCR_B}",
        "HIP_VISIBLE_DEVICES": "0,1",
        "GPU_DEVICE_ORDINAL": None,
    }


def test_with_nvidia_and_amd_either_can_be_hidden_without_the_other() -> None:
    cuda, rocm = a_device("CUDA", uuid=GPU_A), a_device("ROCm", uuid=ROCR_A)

    only_amd, only_nvidia = variables([rocm], [cuda, rocm]), variables([cuda], [cuda, rocm])

    assert only_amd["CUDA_VISIBLE_DEVICES"] == "-1"
    assert (only_amd["ROCR_VISIBLE_DEVICES"], only_amd["HIP_VISIBLE_DEVICES"]) == (ROCR_A, "0")
    assert only_nvidia["CUDA_VISIBLE_DEVICES"] == GPU_A
    assert (only_nvidia["ROCR_VISIBLE_DEVICES"], only_nvidia["HIP_VISIBLE_DEVICES"]) == ("-1", "-1")


def test_a_leftover_cuda_list_is_neither_obeyed_by_hip_nor_taken_away_from_cuda() -> None:
    """Where the user hid every NVIDIA card, CUDA lists none, and unsetting its variable would bring them back."""
    rocm = a_device("ROCm", uuid=ROCR_A)

    chosen = variables([rocm], [rocm], CUDA_VISIBLE_DEVICES="0")

    assert "CUDA_VISIBLE_DEVICES" not in chosen
    assert chosen["HIP_VISIBLE_DEVICES"] == "0"


def test_with_nvidia_and_amd_on_windows_hip_s_own_variable_is_enough() -> None:
    cuda, rocm = a_device("CUDA", uuid=GPU_A), a_device("ROCm", number=1)

    assert variables([rocm], [cuda, rocm], "win32") == {
        "CUDA_VISIBLE_DEVICES": "-1",
        "HIP_VISIBLE_DEVICES": "1",
        "GPU_DEVICE_ORDINAL": None,
    }


@pytest.mark.parametrize(
    ("environ", "token"),
    [
        ({"ROCR_VISIBLE_DEVICES": "2,3"}, "3"),
        ({"HIP_VISIBLE_DEVICES": "2,0"}, "0"),
        ({"ROCR_VISIBLE_DEVICES": "4,5,6", "HIP_VISIBLE_DEVICES": "0,2"}, "6"),
        ({"ROCR_VISIBLE_DEVICES": f"0,{ROCR_B}"}, ROCR_B),
        ({"GPU_DEVICE_ORDINAL": "3,2"}, "1"),
        ({"GPU_DEVICE_ORDINAL": "3,2", "CUDA_VISIBLE_DEVICES": "5,4"}, "4"),
        ({"CUDA_VISIBLE_DEVICES": "3,1"}, "1"),
        ({"HIP_VISIBLE_DEVICES": "3,2", "CUDA_VISIBLE_DEVICES": "0,1"}, "2"),
        ({"HIP_VISIBLE_DEVICES": "", "CUDA_VISIBLE_DEVICES": "0,1"}, "1"),
    ],
)
def test_lists_that_stack_are_resolved_from_the_inside_out(environ: dict[str, str], token: str) -> None:
    """HIP counts within what ROCr leaves."""
    assert filter_id(a_device("ROCm", number=1), environ, "linux") == token


@pytest.mark.parametrize(
    ("environ", "token"),
    [
        ({"HIP_VISIBLE_DEVICES": "2,3"}, "3"),
        ({"CUDA_VISIBLE_DEVICES": "0,3"}, "3"),
        ({"ROCR_VISIBLE_DEVICES": "2,3"}, "1"),
        ({"HIP_VISIBLE_DEVICES": "2,3", "CUDA_VISIBLE_DEVICES": "1,0"}, "3"),
    ],
)
def test_on_windows_hip_s_lists_are_alternatives(environ: dict[str, str], token: str) -> None:
    assert filter_id(a_device("ROCm", number=1), environ, "win32") == token


def test_partitions_that_share_a_uuid_are_named_by_number() -> None:
    parts = [a_device("ROCm", number=number, uuid=ROCR_A, copy=number) for number in range(3)]

    assert variables(parts[1:], parts)["ROCR_VISIBLE_DEVICES"] == "1,2"
    assert filter_id(parts[1], {}, "linux", parts) == "1"


def test_vulkan_is_selected_by_its_raw_numbers_whatever_the_user_had_set() -> None:
    """The variable counts raw devices, software renderers included, and the loader does not read it."""
    renderer, card = a_software_renderer(number=0), a_device("Vulkan", number=1, ordinal=0)

    chosen = variables([card], [renderer, card], GGML_VK_VISIBLE_DEVICES="1")

    assert chosen == {"GGML_VK_VISIBLE_DEVICES": "1"}
    assert filter_id(card, {"GGML_VK_VISIBLE_DEVICES": "1"}, "linux") == "1"


def test_vulkan_never_gets_cuda_s_variable() -> None:
    vulkan = a_device("Vulkan", number=2)

    assert variables([vulkan], [vulkan]) == {"GGML_VK_VISIBLE_DEVICES": "2"}


def test_raw_numbers_keep_the_drivers_they_were_counted_among() -> None:
    vulkan = a_device("Vulkan", number=0)

    chosen = variables([vulkan], [vulkan], VK_DRIVER_FILES="/etc/nvidia.json", CUDA_DEVICE_ORDER="PCI_BUS_ID")

    assert chosen == {"GGML_VK_VISIBLE_DEVICES": "0", "VK_DRIVER_FILES": "/etc/nvidia.json"}


def test_a_hidden_vulkan_needs_no_drivers() -> None:
    listed = [a_device("CUDA", uuid=GPU_A), a_device("Vulkan")]

    chosen = variables(listed[:1], listed, VK_DRIVER_FILES="/etc/nvidia.json")

    assert chosen == {"CUDA_VISIBLE_DEVICES": GPU_A, "GGML_VK_VISIBLE_DEVICES": "-1"}


def test_a_device_of_one_manifest_alone_needs_that_manifest() -> None:
    alone = a_device("Vulkan", number=1, manifest="/etc/vulkan/icd.d/good.json")

    assert variables([alone], [alone]) == {
        "GGML_VK_VISIBLE_DEVICES": "1",
        "VK_DRIVER_FILES": "/etc/vulkan/icd.d/good.json",
    }


def test_devices_of_several_manifests_count_through_all_of_them_as_the_loader_sorts() -> None:
    """On Linux discrete cards come first, then integrated ones, each kind by PCI address."""
    integrated = a_device("Vulkan", manifest="/a.json", type=DeviceType.INTEGRATED, pci_id="0000:00:02.0")
    later = a_device("Vulkan", manifest="/b.json", number=0, pci_id="0000:41:00.0")
    earlier = a_device("Vulkan", manifest="/b.json", number=1, pci_id="0000:01:00.0")
    listed = [integrated, later, earlier]

    chosen = variables([integrated, later], listed)

    assert chosen == {"GGML_VK_VISIBLE_DEVICES": "2,1", "VK_DRIVER_FILES": "/a.json:/b.json"}


def test_devices_of_several_manifests_follow_the_manifests_where_the_loader_does_not_sort() -> None:
    first = a_device("Vulkan", manifest=r"C:\a.json", type=DeviceType.INTEGRATED)
    second = a_device("Vulkan", manifest=r"C:\b.json")

    assert variables([first, second], [second, first], "win32") == {
        "GGML_VK_VISIBLE_DEVICES": "0,1",
        "VK_DRIVER_FILES": r"C:\a.json;C:\b.json",
    }


def test_beside_a_device_of_one_manifest_a_commonly_listed_one_is_taken_from_its_own_manifest() -> None:
    """The common list breaks whoever loads all drivers, so nothing can be chosen from it any more."""
    card = {"pci_id": "0000:01:00.0"}
    together = a_device("Vulkan", number=4, **card)
    twin = a_device("Vulkan", number=0, manifest="/nvidia.json", **card)
    alone = a_device("Vulkan", number=0, manifest="/radv.json", pci_id="0000:02:00.0")
    orphan = a_device("Vulkan", number=5, pci_id="0000:03:00.0")

    chosen = variables([alone, together, orphan], [together, twin, alone, orphan])

    assert chosen == {"GGML_VK_VISIBLE_DEVICES": "1,0", "VK_DRIVER_FILES": "/radv.json:/nvidia.json"}


def test_metal_has_no_variable_and_vulkan_on_a_mac_has_one() -> None:
    metal, vulkan = a_device("Metal"), a_device("Vulkan", name="Apple M3 Max")

    assert variables([metal], [metal, vulkan], "darwin") == {"GGML_VK_VISIBLE_DEVICES": "-1"}
    assert filter_id(metal, {}, "darwin") is None


@pytest.mark.parametrize(
    ("value", "tokens"),
    [
        ("1.0", ["1.0", None]),
        ("1.1,0,1.0", ["0", "1.1,1.0"]),
        ("-1,2", ["2", None]),
        ("7, 3", ["3", "7"]),
    ],
)
def test_what_a_mask_of_tiles_leaves_is_named_by_the_same_tiles(value: str, tokens: list[str | None]) -> None:
    assert [resolve_mask(value, number) for number in range(2)] == tokens


def test_a_mask_that_is_set_to_nothing_counts_as_not_set() -> None:
    device = a_device("Level Zero", number=1)

    assert variables([device], [device], ZE_AFFINITY_MASK="") == {"ZE_AFFINITY_MASK": "1"}


def test_what_decides_the_meaning_of_a_mask_s_numbers_comes_along() -> None:
    device = a_device("Level Zero", number=0)

    assert variables([device], [device], ZE_FLAT_DEVICE_HIERARCHY="COMPOSITE", ZE_AFFINITY_MASK="1.0") == {
        "ZE_AFFINITY_MASK": "1.0",
        "ZE_FLAT_DEVICE_HIERARCHY": "COMPOSITE",
    }


def test_devices_that_only_one_driver_alone_gives_need_that_driver() -> None:
    together = a_device("Level Zero", number=0, pci_id="0000:03:00.0")
    alone = a_device("Level Zero", number=1, pci_id="0000:04:00.0", manifest="libze_intel_gpu.so.1")

    chosen = variables([together, alone], [together, alone])

    assert chosen == {"ZE_ENABLE_ALT_DRIVERS": "libze_intel_gpu.so.1", "ZE_AFFINITY_MASK": "1"}


def test_level_zero_s_mask_is_a_set_and_keeps_the_library_s_order() -> None:
    device = a_device("Level Zero", number=0)

    assert variables([device], [device], ZE_AFFINITY_MASK="3,1") == {"ZE_AFFINITY_MASK": "1"}


@given(st.lists(st.booleans(), min_size=1, max_size=5), st.permutations(range(5)))
def test_under_the_map_cuda_sees_exactly_the_chosen_devices_in_their_order(picks: list[bool], order: list[int]) -> None:
    uuids = [f"GPU-{number}8932f93-d72c-4106-c12f-20bd9faed9f6" for number in range(len(picks))]
    listed = [a_device("CUDA", number=number, uuid=uuid) for number, uuid in enumerate(uuids)]
    chosen = [listed[number] for number in order if number < len(picks) and picks[number]]

    value = variables(chosen, listed)["CUDA_VISIBLE_DEVICES"]

    assert cuda_selects(value, uuids) == tuple(device.number for device in chosen)


@given(st.permutations(range(4)), st.integers(1, 4), st.data())
def test_under_the_map_a_numbered_device_stays_the_card_it_was(order: list[int], length: int, data: st.DataObject) -> None:
    """Whatever list the user has set, the map names the same physical card."""
    users = ",".join(str(each) for each in order[:length])
    number = data.draw(st.integers(0, length - 1))
    device = a_device("CUDA", number=number)

    value = variables([device], [device], CUDA_VISIBLE_DEVICES=users)["CUDA_VISIBLE_DEVICES"]

    assert cuda_selects(value, [None] * 4) == (cuda_selects(users, [None] * 4)[number],)


@pytest.mark.parametrize(("value", "visible"), [("0", [0]), ("1,0", [0, 1]), ("-1", []), ("", []), ("0,9", [])])
def test_the_user_s_vulkan_list_hides_what_it_does_not_name(value: str, visible: list[int]) -> None:
    listed = [a_device("Vulkan", number=number) for number in range(3)]

    answers = [hidden(device, {"GGML_VK_VISIBLE_DEVICES": value}, listed) for device in listed]

    assert [number for number, answer in enumerate(answers) if answer is None] == visible


def test_the_sentence_says_which_variable_hides_a_device_and_why() -> None:
    device = a_device("Vulkan", number=1)

    assert hidden(device, {"GGML_VK_VISIBLE_DEVICES": "0"}) == (
        "`GGML_VK_VISIBLE_DEVICES=0` hides it: it is number 1 in the unfiltered list"
    )
    assert hidden(device, {"GGML_VK_VISIBLE_DEVICES": "-1"}) == ("`GGML_VK_VISIBLE_DEVICES=-1` hides every device from Vulkan")


def test_what_a_library_itself_obeys_hides_nothing_that_it_lists() -> None:
    assert hidden(a_device("CUDA", number=1), {"CUDA_VISIBLE_DEVICES": "0", "GGML_VK_VISIBLE_DEVICES": "0"}) is None
    assert hidden(a_device("Vulkan", number=1), {"CUDA_VISIBLE_DEVICES": "0"}) is None


def test_the_user_s_vulkan_numbers_say_nothing_of_a_device_of_one_manifest() -> None:
    alone = a_device("Vulkan", number=1, manifest="/a.json")

    assert hidden(alone, {"GGML_VK_VISIBLE_DEVICES": "0"}) is None
    assert hidden(alone, {"GGML_VK_VISIBLE_DEVICES": "-1"}) is not None


def test_where_no_driver_can_be_named_a_number_that_two_drivers_give_is_known_to_show_both() -> None:
    """On Windows the registry names Level Zero's drivers, so that none is asked alone."""
    arc, uhd = (a_device("Level Zero", number=0, pci_id=address) for address in ("0000:03:00.0", "0000:00:02.0"))

    assert seen_besides([arc], [arc, uhd], "win32", {}) == [uhd]
    assert seen_besides([arc, uhd], [arc, uhd], "win32", {}) == []
    assert seen_besides([arc], [arc, uhd._replace(number=1)], "win32", {}) == []


def test_on_windows_hips_empty_list_leaves_every_card_its_number() -> None:
    """`env` answered -1, which hides the card that was chosen."""
    radeon = a_device("ROCm", uuid=None, pci_id="0000:03:00.0")

    chosen = dict(visible_variables([radeon], [radeon], "win32", {"HIP_VISIBLE_DEVICES": ""}))

    assert chosen["HIP_VISIBLE_DEVICES"] == "0"


def test_on_macos_the_map_names_no_variable_of_a_library_that_is_not_there() -> None:
    mac = [a_device("Metal"), a_device("Vulkan")]

    assert set(dict(visible_variables(mac, mac, "darwin", {}))) == {"GGML_VK_VISIBLE_DEVICES"}
    assert not {"CUDA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "ZE_AFFINITY_MASK"} & set(settable(LIBRARIES, "darwin"))


@pytest.mark.parametrize(
    ("value", "tokens"),
    [
        ("0", ("0",)),
        (" +1x, 02 ", ("1", "2")),
        ("GPU-a,MIG-b,0", ("GPU-a", "MIG-b", "0")),
        ("0,,1", ("0",)),
        ("123456789", ("123456789",)),
        ("x", ()),
        ("", ()),
    ],
)
def test_a_list_ends_with_the_first_entry_that_names_nothing(value: str, tokens: tuple[str, ...]) -> None:
    assert parse_list(value) == tokens


@pytest.mark.parametrize(
    ("value", "number", "token"),
    [(None, 3, "3"), ("5,7", 0, "5"), ("5,7", 1, "7"), ("5,7", 2, None), ("", 0, None)],
)
def test_a_number_counts_within_a_list_that_is_set(value: str | None, number: int, token: str | None) -> None:
    assert resolve(value, number) == token
    assert resolve_mask(value, number) == token


def test_a_mask_keeps_the_library_s_order_and_passes_over_what_names_nothing() -> None:
    assert [resolve_mask("3.1,x,1,3.0,1", number) for number in (0, 1, 2)] == ["1", "3.1,3.0", None]
    assert resolve_mask("1.,2", 0) == "2"


@pytest.mark.parametrize(
    ("value", "count", "positions"),
    [
        ("1 0 1", None, (1, 0, 1)),
        ("1,,0", 2, (1, 0)),
        ("2", 2, ()),
        ("1", 2, (1,)),
        ("1 2", 2, ()),
        ("-1", None, ()),
        ("+1", None, (1,)),
        ("-0", 1, (0,)),
        (f"{2**63 - 1}", None, (2**63 - 1,)),
        (f"{2**63}", None, ()),
        (f"0 {2**64}", 1, (0,)),
        (f"-{2**64 - 1}", 2, (1,)),
        ("0" * 30 + "1", 2, (1,)),
        ("9" * 21, 2, ()),
        ("1x2", 2, (1,)),
    ],
)
def test_ggml_s_list_is_of_unsigned_numbers_of_64_bits(value: str, count: int | None, positions: tuple[int, ...]) -> None:
    assert ggml_list(value, count) == positions
    assert ggml_positions(value, count) == tuple(dict.fromkeys(positions))
