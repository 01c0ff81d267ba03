"""HIP's bundles, plain and compressed: which targets they name, and where reading ends."""

from __future__ import annotations

import struct

import pytest

from gpuprobe.machinecode import Container, Kind, Targets, Vendor, unpacking
from gpuprobe.machinecode.content import of_bytes
from gpuprobe.machinecode.reading import targets_in
from tests.machinecode.writers import aligned, bundle, compressed, elf, hip, pe


def read(content: bytes) -> Targets:
    return targets_in("libkernels.so", of_bytes(content))


def of_section(content: bytes, name: bytes = b".hip_fatbin") -> Targets:
    return read(elf([(b".text", b"host"), (name, content)]))


def test_every_bundle_of_a_section_is_read() -> None:
    said = of_section(aligned([hip("gfx90a", "gfx1100"), hip("gfx90a", "gfx1100"), hip("gfx942")]))

    assert said.names == ("gfx1100", "gfx90a", "gfx942")
    assert [module.times for module in said.modules] == [2, 1]
    assert (said.unread, said.compressions) == (None, ())
    assert said.containers == (Container.HIP_BUNDLE,)


@pytest.mark.parametrize(
    ("name", "target", "features", "generic"),
    [
        ("hipv4-amdgcn-amd-amdhsa--gfx942", "gfx942", (), False),
        ("hip-amdgcn-amd-amdhsa--gfx906", "gfx906", (), False),
        ("hip-amdgcn-amd-amdhsa-gfx906", "gfx906", (), False),
        ("hip-amdgcn-amd-amdhsa-unknown-gfx906", "gfx906", (), False),
        ("hipv4-amdgcn-amd-amdhsa--gfx90a:sramecc+:xnack-", "gfx90a:sramecc+:xnack-", ("sramecc+", "xnack-"), False),
        ("hipv4-amdgcn-amd-amdhsa--gfx11-generic", "gfx11-generic", (), True),
        ("hipv4-amdgcn-amd-amdhsa--gfx9-4-generic:xnack-", "gfx9-4-generic:xnack-", ("xnack-",), True),
    ],
)
def test_names_of_targets(name: str, target: str, features: tuple[str, ...], generic: bool) -> None:
    (read_as,) = of_section(bundle([name])).targets

    assert (read_as.vendor, read_as.name, read_as.kind) == (Vendor.AMD, target, Kind.CODE)
    assert (read_as.features, read_as.generic) == (features, generic)


def test_spirv_for_any_card_of_amd_is_portable() -> None:
    (target,) = of_section(bundle(["hipv4-spirv64-amd-amdhsa--amdgcnspirv"])).targets

    assert (target.name, target.kind) == ("amdgcnspirv", Kind.PORTABLE)


@pytest.mark.parametrize("version", [1, 2, 3])
@pytest.mark.parametrize("method", ["zlib", "zstd"])
def test_compressed_bundles_of_every_version_are_read(version: int, method: str) -> None:
    two = [compressed(hip("gfx90a"), version, method), compressed(hip("gfx1100", code=bytes(999_999)), version, method)]

    said = of_section(aligned(two))

    assert (said.names, said.unread) == (("gfx1100", "gfx90a"), None)
    assert said.compressions == (method,)
    assert len(said.modules) == 2


def test_plain_and_compressed_bundles_may_lie_in_one_section() -> None:
    said = of_section(aligned([hip("gfx90a"), compressed(hip("gfx1100"))]))

    assert said.names == ("gfx1100", "gfx90a")


def test_only_the_table_of_a_large_bundle_is_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    """What follows may be 150 MB: its frame claims a window of that size, which a decompressor would set aside."""
    asked: list[int] = []
    monkeypatch.setattr(unpacking, "_AT_ONCE", 4096)
    packed = compressed(hip("gfx90a", code=bytes(range(256)) * 100_000))

    def recording(offset: int, size: int) -> bytes:
        asked.append(size)
        return packed[offset : offset + size]

    section = of_bytes(packed)._replace(read=recording)
    said = targets_in("kernels.hipfb", section)

    assert (said.names, said.unread) == (("gfx90a",), None)
    assert max(asked) <= 4096
    assert sum(asked) < len(packed) + 8192


@pytest.mark.parametrize(
    ("descriptor", "fields"),
    [
        (0x00, b"\x50"),  # a window alone
        (0x20, b"\x07"),  # a size alone, in 1 byte
        (0x40, b"\x50\xff\xff"),  # both
        (0xA0, b"\xff\xff\xff\x7f"),  # 2 GiB, which is then the window, too
        (0xE0, b"\xff\xff\xff\xff\xff\0\0\0"),  # 1 TiB
    ],
)
def test_frames_may_say_any_size(descriptor: int, fields: bytes) -> None:
    plain = hip("gfx90a", alignment=1024)
    block = (len(plain) << 3 | 1).to_bytes(3, "little") + plain
    frame = b"\x28\xb5\x2f\xfd" + bytes([descriptor]) + fields + block
    bundle = struct.pack("<4sHHQQQ", b"CCOB", 3, 1, 32 + len(frame), len(plain), 0) + frame

    said = of_section(bundle)

    assert (said.names, said.unread) == (("gfx90a",), None)


def test_a_frame_that_needs_a_dictionary_is_not_unpacked() -> None:
    packed = bytearray(compressed(hip("gfx90a")))
    packed[36] |= 1

    assert "dictionary" in (of_section(bytes(packed)).unread or "")


def test_without_a_library_for_zstd_the_reason_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(unpacking, "import_module", missing)

    said = of_section(compressed(hip("gfx90a")))

    assert said.modules == ()
    assert "`backports.zstd`" in (said.unread or "")
    assert said.containers == (Container.HIP_BUNDLE,)


def test_windows_cuts_the_name_of_the_section() -> None:
    assert read(pe([(b".hip_fatbin", aligned([hip("gfx1100"), hip("gfx1201")]))])).names == ("gfx1100", "gfx1201")


def test_code_that_was_moved_to_a_kpack_archive_is_unknown() -> None:
    said = of_section(b"{}", b".rocm_kpack_ref")

    assert said.modules == ()
    assert "kpack" in (said.unread or "")


GOOD, PACKED = hip("gfx90a"), compressed(hip("gfx1100"))
NEITHER = b"CCOB\x09\x00\x01\x00".ljust(64, b"\x01")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (aligned([GOOD, GOOD[:-40]]), "cut off"),
        (aligned([GOOD, GOOD[:30]]), "cut off"),
        (aligned([GOOD, GOOD[:60]]), "cut off"),
        (aligned([GOOD, b"no bundle there"]), "something else"),
        (aligned([GOOD, NEITHER]), "version 9"),
        (aligned([GOOD, PACKED[:-1]]), "cut off"),
        (aligned([GOOD, PACKED[:20]]), "cut off"),
        (aligned([GOOD, PACKED[:6]]), "cut off"),
        (aligned([GOOD, PACKED[:32] + b"\0" * 40 + PACKED[72:]]), "damaged"),
        (aligned([GOOD, PACKED[:40] + b"\xff" * 40 + PACKED[80:]]), "damaged"),
        (aligned([GOOD, compressed(b"something else than a bundle")]), "no HIP bundle"),
        (aligned([GOOD, bundle(["sycl-spir64"])]), "name is not known"),
        (aligned([GOOD, bundle(["x" * 300])]), "cut off"),
        (aligned([GOOD, GOOD[:24] + b"\xff" * 8 + GOOD[32:]]), "damaged"),
    ],
)
def test_what_was_read_before_damage_is_kept_with_the_reason(content: bytes, why: str) -> None:
    said = of_section(content)

    assert "gfx90a" in said.names
    assert why in (said.unread or "")


def test_more_bundles_than_any_library_has_end_the_reading() -> None:
    empty = bundle([], alignment=128)

    assert "more HIP bundles" in (of_section(empty * 16_385).unread or "")
    assert of_section(empty * 16_000).unread is None


@pytest.mark.parametrize("back", range(5))
def test_the_next_bundle_behind_one_of_version_1_is_found_wherever_its_name_is_cut(back: int) -> None:
    """The search reads a MiB at once."""
    first = compressed(hip("gfx90a", code=b"code"), 1)
    filled = first.ljust(_HEADER_OF_1 + (1 << 20) - back, b"x")

    said = of_section(filled + compressed(hip("gfx1100")))

    assert (said.names, said.unread) == (("gfx1100", "gfx90a"), None)


_HEADER_OF_1 = 8 + 12


@pytest.mark.parametrize(
    ("entries", "why"), [(256, None), (257, "a HIP bundle in it is damaged")], ids=["as many as are read", "one more"]
)
def test_a_bundle_has_256_entries_at_most(entries: int, why: str | None) -> None:
    said = of_section(bundle(["hipv4-amdgcn-amd-amdhsa--gfx90a"] * (entries - 1), alignment=1 << 15))

    assert said.unread == why


@pytest.mark.parametrize(
    ("cut", "why"),
    [
        (24 + 7, "a HIP bundle in it is cut off"),
        (24 + 8 + 23, "a HIP bundle in it is cut off"),
        (24 + 8 + 24 + 29, "a HIP bundle in it is cut off"),
    ],
)
def test_a_table_that_ends_too_early_is_cut_off_at_any_of_its_parts(cut: int, why: str) -> None:
    said = of_section(GOOD[:cut])

    assert (said.modules, said.unread) == ((), why)


def test_code_that_ends_where_the_section_does_is_whole() -> None:
    assert of_section(GOOD[: 4096 + 32]).unread is None
    assert of_section(GOOD[: 4096 + 31]).unread == "a HIP bundle in it is cut off"


@pytest.mark.parametrize(("more", "why"), [(0, None), (1, "a HIP bundle in it is cut off")])
def test_a_compressed_bundle_is_as_long_as_it_says(more: int, why: str | None) -> None:
    longer = PACKED[:8] + struct.pack("<Q", len(PACKED) + more) + PACKED[16:]

    assert of_section(longer).unread == why


@pytest.mark.parametrize("whole", [0, 31, 32])
def test_a_compressed_bundle_that_says_to_be_shorter_than_its_header_is_cut_off(whole: int) -> None:
    assert of_section(PACKED[:8] + struct.pack("<Q", whole) + PACKED[16:]).unread == "a HIP bundle in it is cut off"
