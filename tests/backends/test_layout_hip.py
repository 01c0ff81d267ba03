"""Our offsets and numbers of HIP against those of AMD's own header (Debian: libamdhip64-dev 5.2), through the C compiler."""

from __future__ import annotations

import os
import re
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest

from gpuprobe.backends.rocm import compute, kernel, results, structs
from tests.doubles import DRIVERS, c_compiler

OLD = structs.OLD
SIZES = {structs.R0600: 1472, structs.OLD: 792}  # bytes
FIELDS = {**structs.NUMBERS[OLD], "gcnArchName": structs.ARCHITECTURE[OLD]}
IN_THE_DOUBLE = (
    *("size", "totalGlobalMem", "warpSize", "clockRate", "major", "minor", "multiProcessorCount", "integrated", "ECCEnabled"),
    *("pciBusID", "pciDeviceID", "pciDomainID", "l2CacheSize", "isLargeBar", "gcnArchName"),
)


def test_the_old_layout_is_that_of_the_header(tmp_path: Path) -> None:
    printed = _printed(tmp_path, *(f'"{name}", (long)offsetof(hipDeviceProp_t, {name})' for name in FIELDS))

    assert printed == FIELDS
    assert _printed(tmp_path, '"size", (long)sizeof(hipDeviceProp_t)') == {"size": SIZES[OLD]}


def test_the_double_writes_the_old_layout_of_the_header(tmp_path: Path) -> None:
    (row,) = re.findall(r"struct layout old = \{([0-9, ]+)\}", (DRIVERS / "fake_hip.c").read_text())
    written = dict(zip(IN_THE_DOUBLE, map(int, row.split(",")), strict=True))
    del written["size"]

    assert _printed(tmp_path, *(f'"{name}", (long)offsetof(hipDeviceProp_t, {name})' for name in written)) == written


def test_error_names_are_those_of_the_header(tmp_path: Path) -> None:
    numbers = {name: code for code, name in (*results.NAMES.items(), *kernel.NAMES.items())}

    assert _printed(tmp_path, *(f'"{name}", (long)({name})' for name in numbers)) == numbers


def test_the_kinds_of_copies_are_those_of_the_header(tmp_path: Path) -> None:
    kinds = {
        "hipMemcpyHostToDevice": compute.TO_CARD,
        "hipMemcpyDeviceToHost": compute.FROM_CARD,
        "hipMemcpyDeviceToDevice": compute.ON_CARD,
        "hipHostMallocDefault": 0,
    }

    assert _printed(tmp_path, *(f'"{name}", (long)({name})' for name in kinds)) == kinds


@pytest.mark.parametrize("layout", [structs.R0600, structs.OLD])
def test_every_field_lies_inside_its_structure(layout: str) -> None:
    """The larger layout has no header here; both name the same fields, none over another one."""
    places = sorted(structs.NUMBERS[layout].values())

    assert structs.NUMBERS[layout].keys() == structs.NUMBERS[OLD].keys()
    assert all(later - earlier >= 4 for earlier, later in pairwise(places))
    assert places[-1] + 4 <= SIZES[layout]


def _printed(directory: Path, *pairs: str) -> dict[str, int]:
    """What a C program prints for pairs of name and number."""
    roots = [os.environ.get("HIP_INCLUDE", "/usr/include"), "/usr/include"]
    root = next((root for root in roots if (Path(root) / "hip" / "hip_runtime_api.h").is_file()), None)
    if root is None or "hipGetDevicePropertiesR0600" in (Path(root) / "hip" / "hip_runtime_api.h").read_text():
        pytest.skip("no header of HIP 5 here: libamdhip64-dev of Debian 12 brings it, or HIP_INCLUDE names its directory")
    prints = "\n".join(f'printf("%s %ld\\n", {pair});' for pair in pairs)
    lines: tuple[str, ...] = (
        "#define __HIP_PLATFORM_AMD__",
        "#include <stdio.h>",
        "#include <stddef.h>",
        "#include <hip/hip_runtime_api.h>",
    )
    lines = (*lines, "#include <hip/hiprtc.h>")
    source, program = directory / "print.c", directory / "print"
    source.write_text("\n".join((*lines, f"int main(void) {{\n{prints}\nreturn 0;\n}}\n")))
    subprocess.run([c_compiler(), f"-I{root}", "-o", program, source], check=True, capture_output=True)
    said = subprocess.run([program], capture_output=True, text=True, check=True).stdout.splitlines()
    return {name: int(number) for name, number in (line.split() for line in said)}
