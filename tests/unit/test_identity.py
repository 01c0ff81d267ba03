"""When two views are one card."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpuprobe.judging.identity import Match, is_slice, normal_name, normal_pci, normal_uuid, same_card
from gpuprobe.judging.pairing import pair_by_name
from gpuprobe.model import Device, GiB, MiB, Partition
from tests.records import a_device, a_slice, a_software_renderer

CARD = "8932f937-d72c-4106-c12f-20bd9faed9f6"
OTHER = "11111111-d72c-4106-c12f-20bd9faed9f6"


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("0000:01:00.0", "0000:01:00.0"),
        ("00000000:0A:00.0", "0000:0a:00.0"),
        ("0000:0A:1F.7", "0000:0a:1f.7"),
        ("01:00.0", "0000:01:00.0"),
        ("1:0.0", "0000:01:00.0"),
        ("01:00", "0000:01:00.0"),
        (" 0000:01:00.0\n", "0000:01:00.0"),
        ("0001:00:00.0", "0001:00:00.0"),
        ("00000001:00:00.0", "0001:00:00.0"),
        ("47505500:00:00.0", "47505500:00:00.0"),
        ("10000:01:00.0", "10000:01:00.0"),
    ],
)
def test_a_pci_address_has_one_spelling(text: str, address: str) -> None:
    """Case, width of the domain and a missing function made one card two."""
    assert normal_pci(text) == address


@pytest.mark.parametrize("text", [None, "", "0000:00:00.0", "00000000:00:00.0", "00:00.0"])
def test_an_address_of_zeros_is_unknown(text: str | None) -> None:
    """The address 00:00.0 stands for unknown, and made all such devices one card."""
    assert normal_pci(text) is None


@pytest.mark.parametrize(
    "text", ["rubbish", "0000:01:00.8", "0000:01:20.0", "g:0.0", "1:2:3:4", "0000:01:00.0.0", "123456789:01:00.0"]
)
def test_what_is_no_address_is_unknown(text: str) -> None:
    assert normal_pci(text) is None


@given(st.integers(0, 2**32 - 1), st.integers(0, 255), st.integers(0, 31), st.integers(0, 7))
def test_normalising_an_address_twice_changes_nothing(domain: int, bus: int, slot: int, function: int) -> None:
    address = normal_pci(f"{domain:X}:{bus:X}:{slot:X}.{function}")

    assert address is None or normal_pci(address) == address
    assert (address is None) == (domain == bus == slot == function == 0)


@given(st.text(alphabet="0123456789abcdefGPUMIG-:./ "))
def test_no_text_breaks_the_parsers(text: str) -> None:
    for normal in (normal_pci, normal_uuid):
        known = normal(text)
        assert known is None or normal(known) == known


@pytest.mark.parametrize(
    ("text", "uuid"),
    [
        (f"GPU-{CARD}", CARD),
        (CARD.upper(), CARD),
        (f"MIG-{CARD}", f"mig-{CARD}"),
        (f"MIG-GPU-{CARD}/1/0", f"mig-gpu-{CARD}/1/0"),
        ("GPU-4b2c1a9f8d3e6f7a", "4b2c1a9f8d3e6f7a"),
        ("GPU-XX", None),
        ("00000000-0000-0000-0000-000000000000", None),
        ("GPU-0000000000000000", None),
        ("N/A", None),
        ("", None),
        (None, None),
    ],
)
def test_a_uuid_has_one_spelling(text: str | None, uuid: str | None) -> None:
    assert normal_uuid(text) == uuid


def test_views_at_one_address_are_one_card_whatever_their_uuids_say() -> None:
    rocm = a_device("ROCm", pci_id="0000:03:00.0", uuid="GPU-4b2c1a9f8d3e6f7a")
    vulkan = a_device("Vulkan", pci_id="00000000:03:00.0", uuid=OTHER, uuid_space="vulkan:radv")

    assert same_card(rocm, vulkan) == (Match.SAME, "both are at 0000:03:00.0")


def test_views_at_two_addresses_are_two_cards_whatever_their_uuids_say() -> None:
    """Four equal cards under a driver that gives all of them one UUID."""
    one = a_device("Vulkan", pci_id="0000:03:00.0", uuid=CARD)
    other = a_device("Vulkan", pci_id="0000:04:00.0", uuid=CARD, copy=1)

    assert same_card(one, other).answer is Match.DIFFERENT


def test_uuids_of_one_namespace_tell_cards_apart_and_together() -> None:
    cuda = a_device("CUDA", uuid=f"GPU-{CARD}")

    assert same_card(cuda, a_device("NVML", uuid=f"GPU-{CARD}", pci_id="0000:01:00.0")).answer is Match.SAME
    assert same_card(cuda, a_device("Vulkan", uuid=CARD, uuid_space="nvidia")).answer is Match.SAME
    assert same_card(cuda, a_device("Vulkan", uuid=OTHER, uuid_space="nvidia")).answer is Match.DIFFERENT


def test_uuids_of_two_namespaces_say_nothing() -> None:
    """HIP and RADV give one card two UUIDs."""
    rocm = a_device("ROCm", uuid=f"GPU-{CARD}", uuid_space="rocr")

    assert same_card(rocm, a_device("Vulkan", uuid=OTHER, uuid_space="vulkan:radv")).answer is Match.UNKNOWN
    assert same_card(rocm, a_device("Vulkan", uuid=CARD, uuid_space="vulkan:radv")).answer is Match.UNKNOWN
    assert same_card(rocm._replace(uuid_space=None), rocm._replace(uuid_space=None, build="rocm_v7")).answer is Match.UNKNOWN


def test_two_copies_of_one_driver_are_not_one_card_because_their_uuids_are_equal() -> None:
    first, second = a_software_renderer(number=0), a_software_renderer(number=1, copy=1)
    alone = [a_software_renderer(manifest="/a.json"), a_software_renderer(manifest="/b.json")]

    assert same_card(first, second).answer is Match.UNKNOWN
    assert same_card(*alone).answer is Match.UNKNOWN


def test_a_card_in_the_common_list_and_in_the_list_of_one_manifest_is_one_card() -> None:
    together = a_device("Vulkan", number=3, uuid=CARD)
    alone = a_device("Vulkan", number=0, uuid=CARD, manifest="/usr/share/vulkan/icd.d/nvidia_icd.json")

    assert same_card(together, alone).answer is Match.SAME


def test_two_builds_of_a_library_list_the_same_card() -> None:
    older, newer = (a_device("CUDA", uuid=f"GPU-{CARD}", build=build) for build in ("cuda_v12", "cuda_v13"))

    assert same_card(older, newer).answer is Match.SAME


def test_numbers_are_no_identity() -> None:
    """Number 0 of one build and number 0 of another may be two cards."""
    older, newer = (a_device("CUDA", number=0, build=build) for build in ("cuda_v12", "cuda_v13"))

    assert same_card(older, newer).answer is Match.UNKNOWN


def test_a_slice_is_not_its_whole_card() -> None:
    """Equal PCI addresses made slices and their card one device."""
    whole = a_device("NVML", pci_id="0000:01:00.0", uuid=f"GPU-{CARD}")
    piece = a_slice(pci_id="0000:01:00.0", uuid=f"MIG-{OTHER}", partition=Partition("mig", f"GPU-{CARD}"))

    assert same_card(whole, piece).answer is Match.DIFFERENT
    assert same_card(whole, piece._replace(partition=None)).answer is Match.DIFFERENT


def test_slices_of_one_card_are_devices_of_their_own() -> None:
    one, other = (a_slice(pci_id="0000:01:00.0", uuid=f"MIG-{uuid}") for uuid in (CARD, OTHER))
    again = one._replace(library="NVML", number=7)

    assert same_card(one, other).answer is Match.DIFFERENT
    assert same_card(one, again).answer is Match.SAME


def test_amd_partitions_that_share_uuid_and_address_stay_apart() -> None:
    """The partitions of an MI300 report one unique_id."""
    shared = {"pci_id": "0000:05:00.0", "uuid": "GPU-4b2c1a9f8d3e6f7a", "partition": Partition("cpx", None)}
    first, second = a_device("ROCm", number=0, **shared), a_device("ROCm", number=1, copy=1, **shared)
    again = first._replace(build="rocm_v7")

    assert same_card(first, second).answer is Match.DIFFERENT
    assert same_card(first, again).answer is Match.SAME
    assert same_card(second, again).answer is Match.UNKNOWN


def test_slices_of_two_cards_are_different() -> None:
    one, other = (a_slice(pci_id=address) for address in ("0000:01:00.0", "0000:02:00.0"))

    assert same_card(one, other).answer is Match.DIFFERENT


PARTS = st.builds(
    a_device,
    st.sampled_from(["CUDA", "ROCm", "Vulkan", "NVML"]),
    number=st.integers(0, 1),
    pci_id=st.sampled_from([None, "0000:01:00.0", "00000000:01:00.0", "0000:02:00.0"]),
    uuid=st.sampled_from([None, f"GPU-{CARD}", CARD, f"MIG-{OTHER}"]),
    uuid_space=st.sampled_from([None, "nvidia", "rocr"]),
    partition=st.sampled_from([None, Partition("cpx", None)]),
    copy=st.integers(0, 1),
    manifest=st.sampled_from([None, "/a.json"]),
)


@given(PARTS, PARTS)
def test_the_answer_does_not_depend_on_who_comes_first(a: Device, b: Device) -> None:
    assert same_card(a, b) == same_card(b, a)
    assert same_card(a, a).answer is Match.SAME


@pytest.mark.parametrize(
    ("name", "normal"),
    [
        ("AMD Radeon RX 7900 XTX (RADV NAVI31)", "amd radeon rx 7900 xtx"),
        ("Intel(R) Arc(TM) A770 Graphics (DG2)", "intel arc a770 graphics"),
        ("NVIDIA_GeForce-RTX  4090", "nvidia geforce rtx 4090"),
        ("(unnamed)", ""),
        (None, ""),
    ],
)
def test_names_are_compared_without_remarks_and_punctuation(name: str | None, normal: str) -> None:
    assert normal_name(name) == normal


def test_without_addresses_a_vulkan_view_pairs_with_the_compute_view_of_equal_name_and_memory() -> None:
    rocm = a_device("ROCm", name="AMD Radeon RX 7900 XTX", total_memory=24 * GiB)
    vulkan = a_device("Vulkan", name="AMD Radeon RX 7900 XTX (RADV NAVI31)", total_memory=24 * GiB - 300 * MiB)

    assert pair_by_name([rocm, vulkan]) == ((rocm, vulkan),)


@pytest.mark.parametrize(
    ("total", "pairs"),
    [(24 * GiB + 1228 * MiB, 1), (24 * GiB + 1400 * MiB, 0), (None, 0)],
    ids=["within 5 %", "beyond", "unknown"],
)
def test_a_pair_differs_by_five_percent_of_its_memory_at_most(total: int | None, pairs: int) -> None:
    views = [a_device("CUDA", total_memory=24 * GiB), a_device("Vulkan", total_memory=total)]

    assert len(pair_by_name(views)) == pairs


@pytest.mark.parametrize(("total", "pairs"), [(4 * GiB + 512 * MiB, 1), (4 * GiB + 513 * MiB, 0)])
def test_a_small_card_may_differ_by_512_mib(total: int, pairs: int) -> None:
    views = [a_device("CUDA", total_memory=4 * GiB), a_device("Vulkan", total_memory=total)]

    assert len(pair_by_name(views)) == pairs


def test_two_equal_cards_pair_one_to_one() -> None:
    cuda = [a_device("CUDA", number=number, uuid=f"GPU-{uuid}") for number, uuid in enumerate((CARD, OTHER))]
    vulkan = [a_device("Vulkan", number=number) for number in range(3)]

    assert pair_by_name([*cuda, *vulkan]) == ((cuda[0], vulkan[0]), (cuda[1], vulkan[1]))


def test_a_card_with_a_sure_twin_pairs_with_nobody_else() -> None:
    cuda = a_device("CUDA", pci_id="0000:01:00.0")
    twin = a_device("Vulkan", pci_id="0000:01:00.0")
    stranger = a_device("Vulkan", number=1)

    assert pair_by_name([cuda, twin, stranger]) == ()


def test_cards_that_are_surely_different_do_not_pair_by_name() -> None:
    cuda = a_device("CUDA", pci_id="0000:01:00.0")
    other = a_device("Vulkan", pci_id="0000:02:00.0")

    assert pair_by_name([cuda, other]) == ()


def test_two_compute_libraries_and_witnesses_do_not_pair_by_name() -> None:
    name = {"name": "Some Card", "total_memory": 8 * GiB}

    assert pair_by_name([a_device("CUDA", **name), a_device("ROCm", **name)]) == ()
    assert pair_by_name([a_device("NVML", **name), a_device("Vulkan", **name)]) == ()


def test_views_without_names_do_not_pair() -> None:
    assert pair_by_name([a_device("CUDA", name=None), a_device("Vulkan", name=None)]) == ()
    assert pair_by_name([a_device("CUDA", name="(a)"), a_device("Vulkan", name="(b)")]) == ()


def test_who_pairs_with_whom_does_not_depend_on_the_order_of_different_cards() -> None:
    views = [
        a_device("CUDA", number=0, total_memory=8 * GiB),
        a_device("CUDA", number=1, total_memory=16 * GiB),
        a_device("Vulkan", number=0, total_memory=16 * GiB - MiB),
        a_device("Vulkan", number=1, total_memory=8 * GiB - MiB),
    ]

    answers = {frozenset((left.number, right.number) for left, right in pair_by_name(order)) for order in permutations(views)}

    assert answers == {frozenset({(0, 1), (1, 0)})}


def told(a: Device, b: Device) -> tuple[str, str]:
    assert same_card(a, b) == same_card(b, a)
    found = same_card(a, b)
    return found.answer.value, found.evidence


ONE = "GPU-00000000-0000-0000-0000-00000000000a"
TWO = "GPU-00000000-0000-0000-0000-00000000000b"


@pytest.mark.parametrize(
    ("mine", "its", "answer"),
    [
        ({"pci_id": "1:0.0"}, {"pci_id": "0000:01:00.0"}, ("same", "both are at 0000:01:00.0")),
        ({"pci_id": "1:0.0"}, {"pci_id": "0000:02:00.0", "uuid": ONE}, ("different", "their PCI addresses differ")),
        ({"uuid": ONE}, {"uuid": ONE}, ("same", "both have the UUID 00000000-0000-0000-0000-00000000000a")),
        ({"uuid": ONE}, {"uuid": TWO}, ("different", "their UUIDs differ")),
        ({"uuid": ONE, "pci_id": "1:0.0"}, {"uuid": TWO, "pci_id": "1:0.0"}, ("different", "their UUIDs differ")),
        ({"uuid": ONE}, {}, ("unknown", "neither PCI addresses nor UUIDs to compare")),
        (
            {"uuid": ONE, "uuid_space": None},
            {"uuid": ONE, "uuid_space": None},
            ("unknown", "neither PCI addresses nor UUIDs to compare"),
        ),
        (
            {"uuid": ONE},
            {"uuid": ONE, "copy": 1},
            ("unknown", "their UUIDs are equal, but one driver repeats them in its list"),
        ),
        (
            {"uuid": ONE, "partition": Partition("cpx", ONE)},
            {"uuid": ONE},
            ("different", "one is a slice and the other is a whole card"),
        ),
    ],
)
def test_whether_two_libraries_show_one_card_is_told_with_the_evidence(
    mine: dict[str, object], its: dict[str, object], answer: tuple[str, str]
) -> None:
    assert told(a_device("CUDA", **mine), a_device("NVML", **its)) == answer


def test_one_list_gives_two_devices_and_one_entry_of_it_is_one() -> None:
    first, second = (a_device("CUDA", number=number, uuid=ONE, copy=number) for number in (0, 1))

    assert told(first, first) == ("same", "the same entry of the same list")
    assert told(first, second)[0] == "unknown"
    alone = first._replace(manifest="/m.json", listed_as="0")
    assert told(first, alone)[0] == "same"
    assert told(first, alone._replace(build="x", manifest=None))[0] == "same"


def test_two_slices_at_one_address_are_one_only_by_their_uuid() -> None:
    part = Partition("mig", ONE)
    pieces = [a_device("CUDA", number=number, pci_id="1:0.0", partition=part) for number in (0, 1)]

    assert told(*(each._replace(listed_as=f"{each.number}") for each in pieces)) == (
        "different",
        "they are two slices in one list",
    )
    assert told(pieces[0], a_device("NVML", pci_id="1:0.0", partition=part))[0] == "unknown"


@pytest.mark.parametrize(
    ("fields", "is_one"),
    [
        ({"partition": Partition("cpx", None)}, True),
        ({"uuid": "MIG-00000000-0000-0000-0000-00000000000a"}, True),
        ({"uuid": "MIG-GPU-00000000-0000-0000-0000-00000000000a/1/0"}, True),
        ({"uuid": ONE}, False),
        ({"uuid": "MIG-x"}, False),
        ({}, False),
    ],
)
def test_a_slice_is_known_by_its_partition_or_its_uuid(fields: dict[str, object], is_one: bool) -> None:
    assert is_slice(a_device("CUDA", **fields)) is is_one
