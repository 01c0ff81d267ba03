"""CUDA's fat binaries: which architectures they name, and where reading ends."""

from __future__ import annotations

import pytest

from gpuprobe.machinecode import Container, Kind, Targets, Vendor
from gpuprobe.machinecode.content import of_bytes
from gpuprobe.machinecode.reading import targets_in
from tests.machinecode.writers import CODE, EXACT, FAMILY, LZ4, PTX, ZSTD, aligned, container, elf, image, pe

CAPTURED = 0x1000000  # seen beside EXACT and FAMILY where the header is longer


def read(content: bytes) -> Targets:
    return targets_in("libkernels.so", of_bytes(content))


def of_section(content: bytes, name: bytes = b".nv_fatbin") -> Targets:
    return read(elf([(b".text", b"host"), (name, content)]))


def test_code_and_ptx_of_one_architecture_are_two_targets() -> None:
    said = of_section(container(image(75), image(75, PTX)))

    assert said.names == ("sm_75", "compute_75")
    assert [(target.vendor, target.kind, target.number) for target in said.targets] == [
        (Vendor.NVIDIA, Kind.CODE, 75),
        (Vendor.NVIDIA, Kind.PORTABLE, 75),
    ]
    assert said.unread is None
    assert said.containers == (Container.CUDA_FATBIN,)


@pytest.mark.parametrize(
    ("flags", "header", "name"),
    [
        (0x11, 64, "sm_90"),
        (0x11 | EXACT, 64, "sm_90a"),
        (0x11 | FAMILY | CAPTURED, 104, "sm_90f"),
        (0x11 | EXACT | CAPTURED, 112, "sm_90a"),
    ],
)
def test_the_suffix_is_in_the_flags(flags: int, header: int, name: str) -> None:
    assert of_section(container(image(90, CODE, flags, header=header))).names == (name,)


def test_ptx_has_suffixes_too() -> None:
    assert of_section(container(image(120, PTX, FAMILY))).names == ("compute_120f",)


@pytest.mark.parametrize(("flag", "name"), [(LZ4, "LZ4"), (ZSTD, "zstd")])
def test_compressed_code_is_named_without_being_unpacked(flag: int, name: str) -> None:
    said = of_section(container(image(86, CODE, flag, b"not compressed at all, which nobody looks at")))

    assert (said.names, said.compressions) == (("sm_86",), (name,))


def test_what_ptx_is_written_in_is_told_by_the_newest() -> None:
    newer, older = image(75, PTX, version=(9, 2)), image(80, PTX, version=(8, 7))

    assert of_section(container(image(86, version=(99, 9)), newer, older)).ptx == (9, 2)
    assert of_section(container(image(86))).ptx is None


def test_modules_with_the_same_targets_are_counted_and_others_kept_apart() -> None:
    """FlashAttention's kernels for Hopper lie beside those for everything: 9.0a is no target of the others."""
    every, hopper = container(image(80), image(90)), container(image(90, CODE, EXACT))

    modules = of_section(every + hopper + every).modules

    assert [([target.name for target in module.targets], module.times) for module in modules] == [
        (["sm_80", "sm_90"], 2),
        (["sm_90a"], 1),
    ]


def test_containers_may_have_zeros_between_them_and_behind_the_last() -> None:
    said = of_section(aligned([container(image(80)), container(image(90))], 64) + b"\0" * 40)

    assert (said.names, said.unread) == (("sm_80", "sm_90"), None)


def test_a_container_may_be_empty() -> None:
    said = of_section(container() + container(image(80)))

    assert (said.names, said.unread) == (("sm_80",), None)


def test_what_the_device_linker_was_given_does_not_count() -> None:
    """bitsandbytes has PTX in that section, and a driver never sees it."""
    said = read(elf([(b"__nv_relfatbin", container(image(90, PTX))), (b".nv_fatbin", container(image(90)))]))

    assert said.names == ("sm_90",)


def test_every_section_of_the_name_counts() -> None:
    """An object file has one for each kernel that the linker may leave out."""
    said = read(elf([(b".nv_fatbin", container(image(80))), (b".nv_fatbin", container(image(90)))]))

    assert said.names == ("sm_80", "sm_90")


def test_windows_cuts_the_name_of_the_section_and_fills_it_up() -> None:
    said = read(pe([(b".text", b"host"), (b".nv_fatbin", container(image(80)))]))

    assert (said.names, said.unread) == (("sm_80",), None)


def test_a_file_can_be_a_fat_binary_itself() -> None:
    assert read(container(image(80), image(90))).names == ("sm_80", "sm_90")


def test_no_section_of_the_kind_is_no_code_and_nothing_unread() -> None:
    said = of_section(b"", b".data")

    assert (said.containers, said.modules, said.unread) == ((), (), None)


TWO = container(image(80), image(90))


@pytest.mark.parametrize(
    ("content", "names", "why"),
    [
        (TWO + container(image(100), version=2), ("sm_80", "sm_90"), "version 2"),
        (TWO + b"no container there", ("sm_80", "sm_90"), "something else"),
        (TWO[:-4], (), "cut off"),
        (TWO + TWO[:10], ("sm_80", "sm_90"), "cut off"),
        (container(image(80), image(90)[:-4]), ("sm_80",), "cut off"),
        (container(image(80), image(90)[:40]), ("sm_80",), "cut off"),
        (container(image(80), image(90, header=47)), ("sm_80",), "cut off"),
        (
            container(image(80), image(90, 8), image(100)) + container(image(120, 16)) + TWO,
            ("sm_80", "sm_90", "sm_100"),
            "kind 8, 16",
        ),
        (container(image(80), image(0)), ("sm_80",), "no architecture that can be"),
        (container(image(80), image(90, CODE, EXACT | FAMILY)), ("sm_80",), "no architecture that can be"),
        (TWO + b"\0" * 200_000 + TWO, ("sm_80", "sm_90"), "hole"),
    ],
)
def test_what_was_read_before_damage_is_kept_with_the_reason(content: bytes, names: tuple[str, ...], why: str) -> None:
    said = of_section(content)

    assert said.names == names
    assert why in (said.unread or "")


def test_a_file_that_ends_between_two_containers_is_still_cut_off() -> None:
    """Its table of sections comes first here, as a stripped copy may have it: the section promises more than there is."""
    whole = pe([(b".nv_fatb", container(image(80)) + container(image(90)))])
    said = read(whole[: 1024 + len(container(image(80)))])

    assert (said.names, said.unread) == (("sm_80",), "the file is cut off")


def test_more_different_sets_than_any_compiler_makes_end_the_reading() -> None:
    said = of_section(b"".join(container(image(number), image(other)) for number in range(10, 60) for other in range(60, 90)))

    assert len(said.modules) == 1024
    assert "differ more" in (said.unread or "")


@pytest.mark.parametrize(
    ("architecture", "flags", "name"),
    [
        (10, 0, "sm_10"),
        (999, 0, "sm_999"),
        (90, EXACT, "sm_90a"),
        (120, FAMILY, "sm_120f"),
        (9, 0, None),
        (1000, 0, None),
        (90, EXACT | FAMILY, None),
    ],
)
def test_an_image_names_an_architecture_that_can_be(architecture: int, flags: int, name: str | None) -> None:
    said = of_section(container(image(architecture, CODE, flags)))

    assert said.names == (() if name is None else (name,))
    assert said.unread == (None if name else "a CUDA image in it names no architecture that can be")


@pytest.mark.parametrize(
    ("cut", "why"),
    [
        (0, None),
        (1, "a CUDA container of it is cut off"),
        (32 + 64, "a CUDA container of it is cut off"),
        (32 + 64 + 1, "its last CUDA container is cut off"),
    ],
)
def test_a_container_is_as_long_as_it_says(cut: int, why: str | None) -> None:
    whole = container(image(80))

    said = of_section(whole[: len(whole) - cut])

    assert said.unread == why


def test_an_image_is_as_long_as_it_says_and_its_header_at_least_as_long_as_is_read() -> None:
    whole = image(80)

    for entries, why in (
        (whole[:-1], "a CUDA image in it is cut off"),
        (whole + b"x" * 47, "the header of a CUDA image in it is cut off"),
        (image(80, header=64)[:4] + (47).to_bytes(4, "little") + whole[8:], "a CUDA image in it is cut off"),
    ):
        said = of_section(container(entries))
        assert said.unread == why
    assert of_section(container(whole, whole)).unread is None


def test_kinds_that_are_not_known_are_named_the_first_four_of_them() -> None:
    images = [image(80, kind) for kind in (8, 9, 8, 10, 11, 12)]

    said = of_section(container(*images, image(80)))

    assert said.unread == "it has CUDA code of kind 8, 9, 10, 11, which is not known"
    assert said.names == ("sm_80",)


def test_the_newest_ptx_of_a_file_is_told() -> None:
    images = [image(80, PTX, version=version) for version in ((8, 5), (9, 1), (9, 0))]

    said = of_section(container(*images, image(80, CODE, version=(9, 9))))

    assert (said.ptx, said.names) == ((9, 1), ("sm_80", "compute_80"))
