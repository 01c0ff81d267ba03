"""SYCL's images: SPIR-V for any device, and archives with a member for each generation of Intel's graphics."""

from __future__ import annotations

import pytest

from gpuprobe.machinecode import Container, Kind, Targets
from gpuprobe.machinecode.content import of_bytes
from gpuprobe.machinecode.reading import targets_in
from tests.machinecode.writers import aligned, archive, elf, pe, zstd

AHEAD = b"__CLANG_OFFLOAD_BUNDLE__sycl-spir64_gen"
FOR_TWO = ("pad_0", "64.12.60.7", "pad_1", "64.12.55.8", "generic_ir")


def read(*sections: tuple[bytes, bytes]) -> Targets:
    return targets_in("libkernels.so", of_bytes(elf(sections)))


def test_spirv_is_portable() -> None:
    said = read((b"__CLANG_OFFLOAD_BUNDLE__sycl-spir64", b"\x03\x02\x23\x07"))

    assert [(target.name, target.kind) for target in said.targets] == [("spir64", Kind.PORTABLE)]
    assert said.containers == (Container.SYCL,)


@pytest.mark.parametrize("packed", [False, True])
def test_images_compiled_ahead_name_generations(packed: bool) -> None:
    images = [archive(*FOR_TWO), archive("64.12.60.7", code=b"odd")]

    said = read((AHEAD, aligned([zstd.compress(image) if packed else image for image in images], 16)))

    assert (said.names, said.unread) == (("12.55.8", "12.60.7"), None)
    assert [module.times for module in said.modules] == [1, 1]
    assert said.compressions == (("zstd",) if packed else ())


def test_an_archive_without_a_generation_is_no_module() -> None:
    said = read((AHEAD, archive("generic_ir")))

    assert (said.modules, said.containers, said.unread) == ((), (), None)


def test_code_for_processors_is_none_for_a_gpu() -> None:
    said = read((b"__CLANG_OFFLOAD_BUNDLE__sycl-spir64_x86_64", b"code"))

    assert (said.modules, said.unread) == ((), None)


@pytest.mark.parametrize(
    ("section", "why"),
    [
        ((b"__CLANG_OFFLOAD_BUNDLE__sycl-nvptx64", b"code"), "not read"),
        ((AHEAD, b"neither of both"), "form is not known"),
        ((AHEAD, zstd.compress(archive(*FOR_TWO))[:-9]), "cut off"),
        ((AHEAD, zstd.compress(archive("64.12.60.7", code=bytes(5_000_000)))), "larger than"),
        ((AHEAD, zstd.compress(archive("64.12.60.7"))[:6] + b"\xff" * 40), "damaged"),
        ((AHEAD, zstd.compress(b"something else")), "form is not known"),
    ],
)
def test_what_is_not_read_is_unknown(section: tuple[bytes, bytes], why: str) -> None:
    said = read(section)

    assert said.modules == ()
    assert why in (said.unread or "")


def test_a_windows_file_does_not_say_for_what_it_has_images() -> None:
    said = targets_in("kernels.dll", of_bytes(pe([(AHEAD, archive(*FOR_TWO))])))

    assert (said.modules, said.containers) == ((), (Container.SYCL,))
    assert "Windows" in (said.unread or "")
