"""Which devices a DEVICE argument means."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpuprobe.judging.selectors import SelectionError, names_a_view, select
from tests.records import a_device, a_slice, a_software_renderer

FIRST = a_device("CUDA", ordinal=0, uuid="GPU-8932f937-d72c-4106-c12f-20bd9faed9f6", pci_id="0000:01:00.0")
SECOND = a_device("CUDA", number=1, ordinal=1, uuid="GPU-8932ffff-d72c-4106-c12f-20bd9faed9f6", pci_id="0000:41:00.0")
ARC = a_device("Vulkan", number=3, ordinal=0, pci_id="0000:03:00.0")
LEVEL_ZERO = a_device("Level Zero", ordinal=0)
MACHINE = (FIRST, SECOND, ARC, LEVEL_ZERO)


@pytest.mark.parametrize(
    ("text", "device"),
    [
        ("GPU-8932f937-d72c-4106-c12f-20bd9faed9f6", FIRST),
        ("gpu-8932F937-d72c-4106-c12f-20bd9faed9f6", FIRST),
        ("GPU-8932ff", SECOND),
        ("0000:41:00.0", SECOND),
        ("00000000:41:00.0", SECOND),
        ("1:0.0", FIRST),
        ("01:00.0", FIRST),
        ("01:00", FIRST),
        ("0000:01:00.0".upper(), FIRST),
        ("CUDA:1", SECOND),
        ("cuda:0", FIRST),
        ("nvidia:1", SECOND),
        ("vulkan:0", ARC),
        ("level-zero:0", LEVEL_ZERO),
        ("Level Zero:0", LEVEL_ZERO),
        ("0000:03:00.0", ARC),
        (" CUDA:0 ", FIRST),
    ],
)
def test_a_device_can_be_named_in_several_ways(text: str, device: object) -> None:
    assert select(text, MACHINE) == (device,)


def test_a_library_s_name_means_all_its_devices() -> None:
    assert select("cuda", MACHINE) == (FIRST, SECOND)
    assert select("level_zero", MACHINE) == (LEVEL_ZERO,)


def test_a_bare_number_is_enough_where_one_library_is_in_play() -> None:
    assert select("1", (FIRST, SECOND)) == (SECOND,)


def test_a_bare_number_is_refused_where_several_libraries_are_in_play() -> None:
    with pytest.raises(SelectionError) as refused:
        select("0", (FIRST, ARC))

    assert str(refused.value) == "`0` could be a number in CUDA or Vulkan: say `CUDA:0` or `Vulkan:0`"


def test_what_fits_nothing_lists_what_there_is() -> None:
    with pytest.raises(SelectionError) as refused:
        select("CUDA:7", (FIRST,))

    assert str(refused.value) == "no device `CUDA:7`: there is CUDA:0"


@pytest.mark.parametrize(
    "text", ["", "GPU-8", "GPU-0", "rocm", "0000:99:00.0", "CUDA:", ":0", "CUDA:-1", "CUDA:00000001", "nonsense"]
)
def test_what_fits_nothing_is_an_error(text: str) -> None:
    with pytest.raises(SelectionError, match="no device `"):
        select(text, MACHINE)


def test_without_devices_the_error_says_so() -> None:
    with pytest.raises(SelectionError, match="there is no device at all"):
        select("cuda", ())


def test_a_beginning_that_fits_two_cards_is_an_error_that_names_them() -> None:
    with pytest.raises(SelectionError) as refused:
        select("GPU-8932f", MACHINE)

    assert str(refused.value).startswith("`GPU-8932f` fits 2 devices, CUDA:0 (GPU-8932f937")
    assert "\n" not in str(refused.value)


def test_the_address_of_a_card_with_two_slices_fits_several() -> None:
    slices = [
        a_slice(
            number=number,
            ordinal=number,
            pci_id="0000:01:00.0",
            uuid=f"MIG-{number}932f937-d72c-4106-c12f-20bd9faed9f6",
        )
        for number in range(2)
    ]

    with pytest.raises(SelectionError, match="fits 2 devices"):
        select("0000:01:00.0", slices)
    assert select("MIG-1932f", slices) == (slices[1],)


def test_every_view_of_the_card_is_meant() -> None:
    """`validate` takes all of them: CUDA in two builds, and Vulkan."""
    builds = [FIRST._replace(build=build) for build in ("cuda_v12", "cuda_v13")]
    vulkan = a_device("Vulkan", number=1, pci_id="0000:01:00.0")

    assert select("0000:01:00.0", [*builds, vulkan, SECOND]) == (*builds, vulkan)
    assert select("GPU-8932f9", [*builds, SECOND]) == tuple(builds)


def test_copies_of_one_driver_are_told_apart_by_their_ids() -> None:
    copies = [a_software_renderer(number=0, ordinal=0), a_software_renderer(number=1, ordinal=1, copy=1)]

    assert select(copies[1].id, copies) == (copies[1],)
    assert select(copies[0].id, copies) == (copies[0],)
    with pytest.raises(SelectionError, match="fits 2 devices"):
        select("6d6573", copies)


def test_an_id_that_is_also_another_device_s_number_is_not_guessed() -> None:
    """`Vulkan:1` is the id of the first device (raw number 1) and the number of the second."""
    views = [a_device("Vulkan", number=1, ordinal=0), a_device("Vulkan", number=4, ordinal=1)]

    with pytest.raises(SelectionError, match="fits 2 devices"):
        select("Vulkan:1", views)
    assert select("Vulkan:4", views) == (views[1],)


def test_digits_that_begin_a_uuid_are_no_number() -> None:
    vulkan = a_device("Vulkan", ordinal=0, uuid="12345678-d72c-4106-c12f-20bd9faed9f6")

    assert select("123456", (FIRST, vulkan)) == (vulkan,)


@given(st.text(), st.sampled_from([(), (FIRST,), MACHINE]))
def test_any_text_means_devices_or_is_one_printable_line(text: str, devices: tuple[object, ...]) -> None:
    try:
        chosen = select(text, devices)  # type: ignore[arg-type]
    except SelectionError as refused:
        assert str(refused).isprintable()
    else:
        assert chosen
        assert set(map(id, chosen)) <= set(map(id, devices))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("CUDA0", "did you mean `CUDA:0`?"),
        ("gpu 0", "did you mean `CUDA:0`?"),
        ("card1", "did you mean `CUDA:1`?"),
        ("GPU-3", None),
        ("rtx4090", None),
        ("a770", "did you mean `Level Zero:0`?"),
        ("a77", None),
        ("arc", None),
        ("nonsense", None),
    ],
)
def test_what_other_tools_call_a_device_is_understood_where_it_is_one(text: str, said: str | None) -> None:
    with pytest.raises(SelectionError) as refused:
        select(text, (FIRST, SECOND, LEVEL_ZERO))

    there = "CUDA:0, CUDA:1, Level Zero:0"
    assert str(refused.value) == f"no device `{text}`: " + (f"{said} There is {there}" if said else f"there is {there}")


def test_a_device_without_a_number_is_not_proposed() -> None:
    with pytest.raises(SelectionError) as refused:
        select("gpu0", (FIRST._replace(ordinal=None), SECOND))

    assert str(refused.value) == "no device `gpu0`: there is CUDA:1"


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ((0, 1, 2), "CUDA:0, CUDA:1, CUDA:2"),
        ((0, 1, 2, 3), "CUDA:0 … CUDA:3"),
        ((0, 1, 2, 4), "CUDA:0, CUDA:1, CUDA:2, CUDA:4"),
        ((3, 2, 5, 4), "CUDA:2 … CUDA:5"),
    ],
)
def test_many_devices_in_a_row_are_told_by_the_first_and_the_last(numbers: tuple[int, ...], said: str) -> None:
    with pytest.raises(SelectionError) as refused:
        select("rocm", [a_device("CUDA", number=number, ordinal=number) for number in numbers])

    assert str(refused.value) == f"no device `rocm`: there is {said}"


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("vulkan", True),
        ("CUDA:0", True),
        (" level zero:12345 ", True),
        ("CUDA:123456", False),
        ("CUDA:", False),
        ("0", False),
        (":0", False),
        ("x:0", False),
        ("GPU-8932f937", False),
    ],
)
def test_a_library_or_a_number_in_one_names_a_view(text: str, names: bool) -> None:
    assert names_a_view(text) is names


def test_what_fits_several_cards_shows_how_each_can_be_named() -> None:
    twins = [a_device("CUDA", ordinal=None, uuid=f"GPU-8932f937-d72c-4106-c12f-20bd9faed9f{end}") for end in "67"]
    placed = (FIRST._replace(uuid=twins[0].uuid), twins[1]._replace(pci_id="0000:41:00.0", number=1))

    with pytest.raises(SelectionError) as refused:
        select("GPU-8932f937", placed)

    assert str(refused.value) == (
        f"`GPU-8932f937` fits 2 devices, CUDA:0 ({twins[0].uuid}, 0000:01:00.0), CUDA ({twins[1].uuid}, 0000:41:00.0): "
        f"give more of the id, such as `{twins[0].uuid}`"
    )
    assert select("GPU-89", (FIRST,)) == (FIRST,)
