"""The types in our rows and the kernel that cards are proved with, put to NVIDIA's own assembler where one is installed: it
knows what each capability has, and is what the driver compiles with."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from gpuprobe import knowledge
from gpuprobe.backends.cuda import card, kernel

REGISTERS = ".reg .b32 a<4>, b<2>, s<2>; .reg .f32 f<4>; .reg .f64 d<4>; .reg .b16 h;"
INSTRUCTIONS = {
    "fp64": "fma.rn.f64 d0, d1, d2, d3;",
    "tf32": "mma.sync.aligned.m16n8k4.row.col.f32.tf32.tf32.f32 {f0,f1,f2,f3}, {a0,a1}, {b0}, {f0,f1,f2,f3};",
    "fp16": "mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {f0,f1,f2,f3}, {a0,a1}, {b0}, {f0,f1,f2,f3};",
    "bf16": "mma.sync.aligned.m16n8k8.row.col.f32.bf16.bf16.f32 {f0,f1,f2,f3}, {a0,a1}, {b0}, {f0,f1,f2,f3};",
    "fp8": "mma.sync.aligned.m16n8k32.row.col.f32.e4m3.e4m3.f32 {f0,f1,f2,f3}, {a0,a1,a2,a3}, {b0,b1}, {f0,f1,f2,f3};",
    # The matrix products of these two differ by family (mma on 12.x, tcgen05 on 10.x and 11.0); the conversion does not.
    "fp6": "cvt.rn.satfinite.e3m2x2.f32 h, f0, f1;",
    "fp4": "{.reg .b8 t; cvt.rn.satfinite.e2m1x2.f32 t, f0, f1;}",
    "int8": "mma.sync.aligned.m8n8k16.row.col.s32.s8.s8.s32 {s0,s1}, {a0}, {b0}, {s0,s1};",
}


def assembler() -> str:
    places = [shutil.which("ptxas"), *(str(path) for path in sorted(Path("/usr/local").glob("cuda*/bin/ptxas")))]
    for path in places:
        if path and "release 13." in subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout:
            return path
    pytest.skip("no ptxas of CUDA 13 is installed")


def target(compute: str) -> str:
    """With the suffix that gives a capability all it has; before 9.0 there is none."""
    major, _, minor = compute.partition(".")
    return f"sm_{major}{minor}{'a' if int(major) >= 9 else ''}"


def assembles(ptxas: str, source: Path, instruction: str, compute: str) -> bool:
    kernel = f".visible .entry kernel() {{ {REGISTERS} {instruction} ret; }}"
    source.write_text(f".version 9.0\n.target {target(compute)}\n.address_size 64\n{kernel}\n")
    command = [ptxas, "-arch", target(compute), "-o", "/dev/null", str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0 or "equires" in done.stderr or "not supported" in done.stderr, done.stderr
    return done.returncode == 0


@pytest.mark.parametrize("row", knowledge.data_types(), ids=lambda row: row.compute)
def test_a_capability_has_the_types_that_the_assembler_takes(row: knowledge.DataTypes, tmp_path: Path) -> None:
    ptxas = assembler()

    taken = [name for name, one in INSTRUCTIONS.items() if assembles(ptxas, tmp_path / "kernel.ptx", one, row.compute)]

    assert taken == list(row.types)


def test_every_type_in_a_row_is_put_to_the_assembler() -> None:
    assert {name for row in knowledge.data_types() for name in row.types} == set(INSTRUCTIONS)


class AnyCard(card.Card):
    """One whose driver says no more than its capability."""

    def __init__(self, major: int | None) -> None:
        self.major = major

    def attribute(self, field: str, number: int) -> int | None:
        return self.major


@pytest.mark.parametrize("compute", [row.compute for row in knowledge.data_types()])
@pytest.mark.parametrize("told", [True, False])
def test_the_kernel_is_taken_for_every_capability(compute: str, told: bool, tmp_path: Path) -> None:
    """Written for the oldest that there is, it is taken for the newest; also for one that the driver does not tell."""
    ptxas, source = assembler(), tmp_path / "kernel.ptx"
    source.write_text(kernel.program(AnyCard(int(compute.partition(".")[0]) if told else None)))

    command = [ptxas, "-arch", f"sm_{compute.replace('.', '')}", "-o", "/dev/null", str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(("major", "release", "generation"), [(3, 5.0, 30), (5, 6.0, 50), (12, 6.0, 50), (None, 6.0, 50)])
def test_the_kernel_asks_for_no_newer_compiler_than_that_of_driver_450(
    major: int | None, release: float, generation: int
) -> None:
    """PTX 7.0 came with CUDA 11.0 and driver 450; code for a generation runs on it and on later ones."""
    lines = kernel.program(AnyCard(major)).split("\n")

    assert f".version {release}" in lines
    assert f".target sm_{generation}" in lines
    assert release < 7.0
    assert major is None or generation <= 10 * major
