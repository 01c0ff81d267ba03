"""The doubles below the real builds against the headers of what they stand for: where they write, the build reads."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.doubles import DRIVERS, c_compiler

INCLUDES = [os.environ.get("GPUPROBE_NVIDIA_HEADERS", ""), os.environ.get("CUDA_HOME", "/usr/local/cuda") + "/include"]
FIELDS = {
    "MEMORY": "totalGlobalMem",
    "SHARED": "sharedMemPerBlock",
    "WARP": "warpSize",
    "MAJOR": "major",
    "MINOR": "minor",
    "UNITS": "multiProcessorCount",
    "INTEGRATED": "integrated",
}
# The wheel that has the header lacks the one that this includes first, which only says how the compiler spells attributes.
HOST_DEFINES = """
#define __device_builtin__
#define __cudart_builtin__
#define __device_builtin_texture_type__
#define __device_builtin_surface_type__
#define __cuda_builtin_vector_align8(tag, members) struct tag { members } __attribute__((aligned(8)))
#define __align__(n) __attribute__((aligned(n)))
#define __builtin_align__(n) __attribute__((aligned(n)))
#define __location__(a)
#define __host__
#define __device__
#define __inline__ inline
#define CUDARTAPI
"""


def offsets(directory: Path) -> dict[str, int]:
    """By name in the double, as the header of CUDA 13 has them."""
    include = next((path for path in INCLUDES if path and Path(path, "driver_types.h").is_file()), None)
    if include is None:
        pytest.skip("no driver_types.h found: GPUPROBE_NVIDIA_HEADERS names no directory with it, and there is no toolkit")
    lines = [f'printf("{name} %zu\\n", offsetof(struct cudaDeviceProp, {field}));' for name, field in FIELDS.items()]
    program = "\n#include <stddef.h>\n#include <stdio.h>\n#include <cuda.h>\n#include <driver_types.h>\nint main(void) {\n"
    program += 'if (CUDA_VERSION / 1000 != 13) return 1;\nprintf("SIZE %zu\\n", sizeof(struct cudaDeviceProp));\n'
    (directory / "layout.c").write_text(program + "\n".join(lines) + "\nreturn 0; }\n")
    (directory / "crt").mkdir()
    (directory / "crt" / "host_defines.h").write_text(HOST_DEFINES)
    command = [
        c_compiler(),
        f"-I{include}",
        "-idirafter",
        str(directory),
        "-o",
        str(directory / "layout"),
        str(directory / "layout.c"),
    ]
    subprocess.run(command, check=True, capture_output=True)
    done = subprocess.run([directory / "layout"], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("the header that was found is not CUDA 13's")
    return {name: int(offset) for name, offset in (line.split() for line in done.stdout.splitlines())}


def test_the_double_of_cudas_runtime_fills_the_structure_of_cuda_13(tmp_path: Path) -> None:
    source = (DRIVERS / "fake_cudart.c").read_text()
    (written,) = re.findall(r"^enum \{ (SIZE.*?) \};", source, re.MULTILINE)

    assert {name: int(offset) for name, offset in re.findall(r"(\w+) = (\d+)", written)} == offsets(tmp_path)
