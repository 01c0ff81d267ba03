"""ROCm's run-time compiler: which one is asked, what becomes of its refusals, and AMD's own one on the known kernel."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.backends.rocm_talk import FIRST, proved
from tests.doubles import hip_runtime, script

COMPILING = ("hiprtcCreateProgram", "hiprtcCompileProgram", "hiprtcGetCodeSize", "hiprtcGetCode", "hiprtcDestroyProgram")


def test_a_compiler_inside_the_runtime_serves_as_well() -> None:
    answer = proved(FIRST, library=hip_runtime("OLD_LAYOUT", "WITH_HIPRTC"), until="kernel")

    assert answer.all("passed") == [{"depth": "kernel"}]
    assert "hiprtcCompileProgram" in answer.calls


@pytest.mark.parametrize("version", [50221153, 60342134, 70110000])
def test_only_the_compiler_of_the_same_release_is_looked_for(version: int) -> None:
    steps = proved(FIRST, f"version {version}", library=hip_runtime()).calls

    assert [step for step in steps if "hiprtc" in step] == [f"load libhiprtc.so.{version // 10**7}"]


@pytest.mark.parametrize("function", COMPILING)
def test_a_compiler_that_fails_says_nothing_against_the_card(function: str) -> None:
    answer = proved(compiler=f"error {function} 11")

    (told,) = answer.all("not_possible")
    assert (told["code"], told["name"]) == (11, "HIPRTC_ERROR_INTERNAL_ERROR")
    assert f"`{function}`" in told["because"]
    assert answer.is_done


def test_a_compiler_that_refuses_is_quoted() -> None:
    answer = proved(compiler=script("targets gfx900", "log error: unknown target CPU 'gfx1100'"))

    (told,) = answer.all("not_possible")
    assert told["name"] == "HIPRTC_ERROR_COMPILATION"
    assert "it says: error: unknown target CPU 'gfx1100'" in told["because"]


@pytest.mark.parametrize(
    "lines",
    [("log",), ("error hiprtcGetProgramLog 4", "log x"), ("error hiprtcGetProgramLogSize 4",), ("log_size 9999999999",)],
)
def test_a_compiler_that_refuses_without_a_word_is_told_without_one(lines: tuple[str, ...]) -> None:
    answer = proved(compiler=script("targets gfx900", *lines))

    (told,) = answer.all("not_possible")
    assert "it says" not in told["because"]
    assert answer.is_done


def test_code_without_a_byte_is_none() -> None:
    (told,) = proved(compiler="bytes 0").all("not_possible")

    assert "an empty program" in told["because"]


@pytest.mark.parametrize("gfx", ["gfx900", "gfx90a:sramecc+:xnack-", "gfx1030"])
def test_amd_s_own_compiler_takes_the_kernel(gfx: str) -> None:
    """Debian's HIP 5.2 has hiprtc inside, which needs no card."""
    library = "libamdhip64.so.5"
    program = f"""
import ctypes, sys
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from gpuprobe.backends.rocm import kernel
try:
    library = ctypes.CDLL({library!r})
except OSError:
    sys.exit(77)
code = kernel.compiled(kernel.found(library, print, "5.2.21153"), print, {gfx!r})
print("code", code[:4] == b"\\x7fELF", b"probe.kd" in code)
"""
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    if answer.returncode == 77:
        pytest.skip(f"no `{library}` here (`libamdhip64-5`)")

    assert (answer.returncode, answer.stderr) == (0, "")
    assert answer.stdout.splitlines()[-1] == "code True True"
