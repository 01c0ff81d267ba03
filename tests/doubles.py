"""Doubles of drivers: compiled from `tests/drivers` by the machine's own C compiler, and the scripts they act by."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests import temporary

Variables = dict[str, Any]  # of an environment, all texts; Any, because they are given beside options that are none

DRIVERS = Path(__file__).parent / "drivers"
BINDINGS = DRIVERS / "dist-packages"  # doubles of vendors' Python modules
_WARNINGS = ("-Wall", "-Wextra", "-Werror", "-Wno-format-truncation")


def c_compiler() -> str:
    """The C compiler of this machine. Without one the test is skipped; under GPUPROBE_CI=1 it fails."""
    found = shutil.which("gcc") or shutil.which("cc")
    if found is None and os.environ.get("GPUPROBE_CI") == "1":
        pytest.fail("no C compiler found: `gcc` or `cc` is needed for the doubles of drivers")
    return found or pytest.skip("no C compiler found: the doubles of drivers cannot be made")


def compile_double(
    source: Path,
    directory: Path,
    name: str,
    *,
    soname: str | None = None,
    defines: tuple[str, ...] = (),
    links: tuple[Path, ...] = (),
    options: tuple[str, ...] = (),
) -> Path:
    """Compiles one C file to the shared library `directory/name`; `defines` are written as for -D: "WITHOUT_UUID_V2"."""
    target = directory / name
    directory.mkdir(parents=True, exist_ok=True)
    command = [c_compiler(), "-shared", "-fPIC", "-O1", *_WARNINGS, f"-I{DRIVERS}", *(f"-D{define}" for define in defines)]
    command += [f"-Wl,-soname,{soname}"] if soname else []
    answer = subprocess.run(
        [*command, *options, "-o", str(target), str(source), *map(str, links)], capture_output=True, text=True, check=False
    )
    if answer.returncode:
        pytest.fail(f"{source} does not compile:\n{answer.stderr}")
    return target


def script(*lines: str) -> str:
    """The text of a double's script; see `drivers/fake.h` for what a line may say."""
    return "\n".join(lines)


def described(kind: str = "device", /, **values: object) -> str:
    """A line that describes a device or a slice; bytes and texts are quoted, so that any character can be in a name."""
    return " ".join([kind, *(f"{key}={_quoted(value)}" for key, value in values.items())])


def _quoted(value: object) -> object:
    if not isinstance(value, str | bytes):
        return value
    raw = value.encode() if isinstance(value, str) else value
    return '"' + "".join(chr(byte) if 32 <= byte < 127 and byte not in b'"\\' else f"\\x{byte:02x}" for byte in raw) + '"'


@functools.cache
def _compiled() -> Path:
    return temporary.folder("doubles")


@functools.cache
def cuda_driver(*defines: str) -> Path:
    """The double of libcuda.so.1, compiled once per session: in a directory of its own, fit for LD_LIBRARY_PATH."""
    return _double("fake_cuda.c", "libcuda.so.1", defines)


@functools.cache
def nvml_driver(*defines: str) -> Path:
    """The double of libnvidia-ml.so.1, compiled once per session: in a directory of its own, fit for LD_LIBRARY_PATH."""
    return _double("fake_nvml.c", "libnvidia-ml.so.1", defines)


@functools.cache
def cublas(*defines: str, folder: str = "toolkit", name: str = "libcublas.so.12") -> Path:
    """A double of cuBLAS under this name in a directory of its own, compiled once per session."""
    return compile_double(DRIVERS / "fake_cublas.c", _compiled() / folder, name, soname=name, defines=defines)


@functools.cache
def hip_runtime(*defines: str) -> Path:
    """The double of libamdhip64.so.6 (with OLD_LAYOUT: .so.5), compiled once per session, in a directory of its own."""
    return _double("fake_hip.c", f"libamdhip64.so.{5 if 'OLD_LAYOUT' in defines else 6}", defines)


@functools.cache
def rocm_install() -> Path:
    """The double of HIP in a directory in which the double of its rocBLAS lies too: the path of the former."""
    directory = _compiled() / "rocm"
    hip = compile_double(DRIVERS / "fake_hip.c", directory, "libamdhip64.so.6", soname="libamdhip64.so.6")
    compile_double(DRIVERS / "fake_rocblas.c", directory, "librocblas.so.4", soname="librocblas.so.4", links=(hip,))
    return hip


@functools.cache
def rocm_with_a_compiler() -> Path:
    """As `rocm_install`, with the double of hiprtc beside them."""
    directory = Path(shutil.copytree(rocm_install().parent, _compiled() / "rocm-with-a-compiler"))
    compile_double(DRIVERS / "fake_hiprtc.c", directory, "libhiprtc.so.6", soname="libhiprtc.so.6")
    return directory / "libamdhip64.so.6"


@functools.cache
def metal_framework(*defines: str) -> Path:
    """The double of Metal, linked with one of the Objective-C runtime, and beside it a CoreGraphics: laid out as on a Mac."""
    directory = _compiled() / "-".join(["frameworks", *defines])
    runtime, graphics = directory / "libobjc.A.dylib", directory / "CoreGraphics.framework"
    compile_double(DRIVERS / "fake_objc.c", directory, runtime.name, soname=str(runtime))
    compile_double(DRIVERS / "fake_core_graphics.c", graphics, "CoreGraphics", soname="CoreGraphics")
    links = () if "WITHOUT_RUNTIME" in defines else (runtime,)
    place = directory / "Metal.framework"
    return compile_double(DRIVERS / "fake_metal.c", place, "Metal", soname="Metal", defines=defines, links=links)


def _double(source: str, soname: str, defines: tuple[str, ...]) -> Path:
    directory = _compiled() / "-".join([Path(source).stem, *defines])
    return compile_double(DRIVERS / source, directory, soname, soname=soname, defines=defines)
