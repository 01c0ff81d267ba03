"""Architectures in the files of real packages, beside what other programs read there: NVIDIA's cuobjdump, the compiler's lister
of bundles, binutils. See `.ci/run` for where packages and programs come from.
"""

from __future__ import annotations

import functools
import itertools
import os
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from gpuprobe.machinecode import Container, Kind, Target, Targets, targets_of
from tests.ggml_world import given
from tests.vulkan_world import missing

HIP_ALIGNMENT = 4096
MOST_LISTED = 4  # bundles of one file that are put to the other reader: a call each

# What each package's files hold code for, so that a file that is not found, or no longer read, is noticed.
PACKAGES = {
    "jax-cuda13-plugin": 3,
    "xformers": 1,
    "torchao": 2,
    "bitsandbytes": 15,
    "ctranslate2": 1,
    "cupy-cuda13x": 3,
    "nvidia-nvjpeg": 1,
    "jax-rocm7-plugin": 3,
    "jax-rocm10-plugin": 3,
    "gafime-rocm": 1,
}
# cuobjdump 13.5 refuses the images of this one, which CUDA 12.1 compiled: "Invalid ELF". Its siblings have the same list.
REFUSED = "libbitsandbytes_cuda121.so"


class Section(NamedTuple):
    offset: int
    size: int


def folder(package: str) -> Path:
    """`GPUPROBE_WHEELS` is a directory of unpacked wheels, each in one of its name."""
    return given("GPUPROBE_WHEELS", "unpacked wheels") / package.replace("-", "_")


@functools.cache
def files(package: str) -> tuple[Targets, ...]:
    """What is read of every library of a package that has code for a GPU."""
    read = [targets_of(str(path)) for path in sorted(folder(package).rglob("*.so*")) if path.is_file()]
    return tuple(each for each in read if each.containers)


def ggml_files(variable: str, pattern: str) -> tuple[Targets, ...]:
    return tuple(targets_of(str(path)) for path in given(variable, pattern).glob(pattern))


def program(name: str, *places: str) -> str:
    found = shutil.which(name, path=os.pathsep.join([*places, os.environ.get("PATH", "")]))
    return found or missing(f"`{name}`")


def output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout


@functools.cache
def sections(path: str) -> dict[str, Section]:
    lines = re.findall(r"\] (\S+) +\S+ +[0-9a-f]+ ([0-9a-f]+) ([0-9a-f]+) ", output(program("readelf"), "-SW", path))
    return {name: Section(int(offset, 16), int(size, 16)) for name, offset, size in lines}


def counted(said: Targets) -> Counter[Target]:
    return Counter({target: sum(each.times for each in said.modules if target in each.targets) for target in said.targets})


def test_every_file_with_code_is_found_and_read_to_its_end() -> None:
    read = {package: files(package) for package in PACKAGES}

    assert {package: len(found) for package, found in read.items()} == PACKAGES
    assert [each.path for found in read.values() for each in found if each.unread or not each.modules] == []


def in_cuda(said: Targets) -> Counter[str]:
    """As cuobjdump names it: code for a family like code for one architecture alone (13.5.37), and PTX by `sm`."""
    names: Counter[str] = Counter()
    for target, times in counted(said).items():
        name = target.name.replace("compute_", "sm_") + (".ptx" if target.kind is Kind.PORTABLE else ".cubin")
        names[name.replace("f.cubin", ".cubin")] += times
    return names


def listed_by_cuobjdump(path: str) -> Counter[str]:
    command = [given("GPUPROBE_CUOBJDUMP", "cuobjdump").as_posix(), "--list-elf", "--list-ptx", path]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return Counter("".join(found) for found in re.findall(r"\.(sm_[0-9a-z]+)(\.(?:cubin|ptx))$", done.stdout, re.MULTILINE))


def cuda_files() -> Iterator[Targets]:
    found = itertools.chain.from_iterable(files(package) for package in PACKAGES)
    yield from (each for each in found if each.containers == (Container.CUDA_FATBIN,))
    yield from ggml_files("GPUPROBE_GGML_CUDA", "libggml-cuda.so")


def test_cuda_images_are_those_that_cuobjdump_lists_each_as_often() -> None:
    compared = [each for each in cuda_files() if Path(each.path).name != REFUSED]

    assert len(compared) >= 18
    assert {each.path: in_cuda(each) for each in compared} == {each.path: listed_by_cuobjdump(each.path) for each in compared}


def test_the_file_that_cuobjdump_refuses_has_the_architectures_of_its_siblings() -> None:
    names = {Path(each.path).name: each.names for each in files("bitsandbytes")}

    assert names[REFUSED] == names["libbitsandbytes_cuda118.so"] == names["libbitsandbytes_cuda124.so"]


def test_there_are_as_many_modules_as_the_file_registers_with_the_runtime() -> None:
    """24 bytes each. Where device code was linked, a module stands for many of them."""
    for said in (*cuda_files(), *hip_files()):
        registered = next(size // 24 for name, (_, size) in sections(said.path).items() if name in SEGMENTS)
        if "__nv_relfatbin" not in sections(said.path):
            assert sum(module.times for module in said.modules) == registered, said.path


SEGMENTS = (".nvFatBinSegment", ".hipFatBinSegment")


def hip_files() -> Iterator[Targets]:
    found = itertools.chain.from_iterable(files(package) for package in PACKAGES)
    yield from (each for each in found if each.containers == (Container.HIP_BUNDLE,))
    yield from ggml_files("GPUPROBE_GGML_HIP", "libggml-hip*.so")


def bundles(path: str) -> list[bytes]:
    """The section, cut where a bundle begins at a page."""
    place = sections(path)[".hip_fatbin"]
    with Path(path).open("rb") as file:
        file.seek(place.offset)
        whole = file.read(place.size)
    starts = [at for at in range(0, len(whole), HIP_ALIGNMENT) if whole.startswith((b"CCOB", b"__CLANG_OFFLOAD_BUNDLE__"), at)]
    return [whole[start:end] for start, end in itertools.pairwise([*starts, len(whole)])]


def listed_by_the_compiler(bundle: bytes, folder: Path) -> set[str]:
    """LLVM 19 knows compressed bundles up to version 2; what is in version 3 is unpacked by `zstd` before."""
    if bundle.startswith(b"CCOB"):
        version, size = bundle[4], int.from_bytes(bundle[8:12], "little")
        bundle = bundle[:size] if version == 2 else unzstd(bundle[32:size], folder)
    file = folder / "bundle.o"
    file.write_bytes(bundle)
    lister = program("clang-offload-bundler", "/usr/lib/llvm-19/bin")
    names = output(lister, "--list", "--type=o", f"--input={file}").split()
    return {re.sub(r"^.*-amdhsa-[a-z]*-?", "", name) for name in names if not name.startswith("host-")}


def unzstd(packed: bytes, folder: Path) -> bytes:
    file = folder / "packed.zst"
    file.write_bytes(packed)
    output(program("zstd"), "-dfq", str(file), "-o", str(folder / "unpacked"))
    return (folder / "unpacked").read_bytes()


def test_hip_targets_are_those_that_the_compiler_lists(tmp_path: Path) -> None:
    compared = list(hip_files())

    assert len(compared) >= 14
    for said in compared:
        parts = bundles(said.path)
        listed = [listed_by_the_compiler(part, tmp_path) for part in parts[:MOST_LISTED]]
        assert len(said.modules) == 1, said.path
        assert {*map(frozenset, listed)} == {frozenset(said.names)}, said.path
        assert said.modules[0].times == len(parts), said.path


@pytest.mark.parametrize("options", [[], ["-compress", "-compression-level=3"]])
def test_bundles_that_the_compiler_writes_are_read(tmp_path: Path, options: list[str]) -> None:
    names = ("gfx90a:sramecc+:xnack-", "gfx942", "gfx9-4-generic", "gfx11-generic", "gfx1201")
    triples = ["host-x86_64-unknown-linux--", *(f"hipv4-amdgcn-amd-amdhsa--{name}" for name in names)]
    code = tmp_path / "code"
    code.write_bytes(b"in the place of code")
    made = tmp_path / "kernels.hipfb"
    command = [program("clang-offload-bundler", "/usr/lib/llvm-19/bin"), "-type=o", "-bundle-align=4096", *options]
    output(*command, f"-targets={','.join(triples)}", *[f"-input={code}"] * len(triples), f"-output={made}")

    said = targets_of(str(made))

    assert (set(said.names), said.unread) == (set(names), None)
    assert {target.name for target in said.targets if target.generic} == {"gfx9-4-generic", "gfx11-generic"}


def test_members_of_intel_images_are_those_that_ar_lists(tmp_path: Path) -> None:
    xpu = [each for each in files("bitsandbytes") if each.containers == (Container.SYCL,)]
    assert len(xpu) == 2

    for said in xpu:
        place = sections(said.path)["__CLANG_OFFLOAD_BUNDLE__sycl-spir64_gen"]
        with Path(said.path).open("rb") as file:
            file.seek(place.offset)
            whole = file.read(place.size)
        frames = re.split(rb"(?=\x28\xb5\x2f\xfd)", whole)[1:]
        archives = [unzstd(frame.rstrip(b"\0"), tmp_path) for frame in frames]
        listed = {name for archive in archives for name in members(archive, tmp_path)}
        assert {target.name for target in said.targets if target.kind is Kind.CODE} == listed


def members(archive: bytes, folder: Path) -> set[str]:
    (folder / "archive.a").write_bytes(archive)
    names = output(program("ar"), "t", str(folder / "archive.a")).split()
    return {name.removeprefix("64.") for name in names if name.startswith("64.")}
