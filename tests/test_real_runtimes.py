"""The tokens that `env` writes, obeyed by the real libraries, where these are installed.

Debian's libamdhip64-5 and libhsa-runtime64-1 stand on doubles of what is below them, and show which GPUs they look at. The
real ggml-vulkan is taken from the directory that GPUPROBE_GGML names, such as `bins/linux-x64-vulkan` of
`npm pack @node-llama-cpp/linux-x64-vulkan@3.22.1`. What is not installed is skipped.
"""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gpuprobe.judging.device_lists import ggml_list
from gpuprobe.judging.visibility import visible_variables
from gpuprobe.libraries import ROCM, VULKAN
from gpuprobe.model import Device
from tests import temporary
from tests.doubles import DRIVERS, compile_double, described
from tests.records import a_device
from tests.vulkan_world import World, world

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="these are Linux shared libraries")

LOADS_HIP = """
import ctypes, sys
hip = ctypes.CDLL(sys.argv[1])
hip.hipInit(0)
"""
LOADS_HSA = """
import ctypes, sys
ctypes.CDLL(sys.argv[1]).hsa_init()
"""
LOADS_GGML = """
import ctypes, json, os, sys
base = ctypes.CDLL(sys.argv[1] + "/libggml-base.so", mode=ctypes.RTLD_GLOBAL)
vulkan = ctypes.CDLL(sys.argv[1] + "/libggml-vulkan.so")
pointer, size, text = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p
def call(function, answer, *given):
    function.restype, function.argtypes = answer, [pointer, size][: len(given)]
    return function(*given)
registry = call(vulkan.ggml_backend_init, pointer)
devices = range(call(base.ggml_backend_reg_dev_count, size, registry) if registry else 0)
handles = [call(base.ggml_backend_reg_dev_get, pointer, registry, each) for each in devices]
names = [call(base.ggml_backend_dev_description, text, handle) for handle in handles]
os.write(1, json.dumps([name.decode() for name in names]).encode())
os._exit(0)
"""


def installed(name: str) -> Path:
    found = sorted(Path("/usr/lib").glob(f"*/{name}"))
    return found[0] if found else pytest.skip(f"`{name}` is not installed")


@functools.cache
def double(source: str, soname: str, above: Path, prefix: str) -> Path:
    """A double of the library below `above`, with everything that this one imports."""
    if shutil.which("nm") is None:
        pytest.skip("`nm` (binutils) is not installed")
    wanted = subprocess.run(["nm", "-D", "--undefined-only", str(above)], capture_output=True, text=True, check=True).stdout
    given = set(re.findall(rf"^int ({prefix}\w+)\(", (DRIVERS / source).read_text(), re.MULTILINE))
    stubs = "".join(f"X({name})" for name in sorted(set(re.findall(rf"\b{prefix}\w+", wanted)) - given))
    return compile_double(
        DRIVERS / source, temporary.folder("runtime"), soname, soname=soname, defines=(f"STUBS={stubs}",)
    ).parent


def looked_at(program: str, library: Path, below: Path, **variables: str) -> list[int]:
    """The GPUs that the library looks at, in its order."""
    environment = {"PATH": os.environ["PATH"], "LD_LIBRARY_PATH": str(below), **variables}
    done = subprocess.run(
        [sys.executable, "-c", program, str(library)], env=environment, capture_output=True, text=True, check=False
    )
    return [int(line.rpartition(" ")[2]) for line in done.stderr.splitlines() if line.startswith("looks at ")]


def hip(**variables: str) -> list[int]:
    library = installed("libamdhip64.so.5")
    return looked_at(LOADS_HIP, library, double("fake_hsa.c", "libhsa-runtime64.so.1", library, "hsa_"), **variables)


def rocr(**variables: str) -> list[int]:
    library = installed("libhsa-runtime64.so.1")
    return looked_at(LOADS_HSA, library, double("fake_hsakmt.c", "libhsakmt.so.1", library, "hsaKmt"), **variables)


@pytest.mark.parametrize(
    ("variables", "seen"),
    [
        ({}, [0, 1, 2]),
        ({"HIP_VISIBLE_DEVICES": "1,0"}, [1, 0]),
        ({"HIP_VISIBLE_DEVICES": "-1"}, []),
        ({"HIP_VISIBLE_DEVICES": ""}, [0, 1, 2]),
        ({"HIP_VISIBLE_DEVICES": "0,9,1"}, [0]),
        ({"CUDA_VISIBLE_DEVICES": "2"}, [2]),
        ({"CUDA_VISIBLE_DEVICES": "-1"}, []),
        ({"CUDA_VISIBLE_DEVICES": "GPU-11111111-2222-3333-4444-555555555555"}, []),
        ({"CUDA_VISIBLE_DEVICES": "1", "HIP_VISIBLE_DEVICES": "2,0"}, [2, 0]),
        ({"CUDA_VISIBLE_DEVICES": "1", "HIP_VISIBLE_DEVICES": ""}, [1]),
        ({"GPU_DEVICE_ORDINAL": "1"}, [0, 1, 2]),
        ({"GPU_DEVICE_ORDINAL": "1", "CUDA_VISIBLE_DEVICES": "2"}, [2]),
    ],
)
def test_the_real_hip_obeys_its_own_list_else_cudas_and_never_the_one_for_opencl(
    variables: dict[str, str], seen: list[int]
) -> None:
    """An NVIDIA list hides AMD boards."""
    assert hip(**variables) == seen


@pytest.mark.parametrize(
    ("value", "seen"),
    [
        ("1", [1]),
        ("2,0", [2, 0]),
        ("", []),
        ("-1", []),
        ("0,9,1", [0]),
        ("1,1,0", [1]),
        ("GPU-AAAA000000000002", [1]),
        ("gpu-aaaa000000000002,0", [1, 0]),
        ("GPU-AAAA", []),
        ("GPU-XX", []),
    ],
)
def test_the_real_rocr_takes_numbers_and_uuids_and_nothing_that_is_not_one_card(value: str, seen: list[int]) -> None:
    """A card without a unique id calls itself GPU-XX, and can be chosen by its number alone."""
    assert rocr() == [0, 1, 2]
    assert rocr(ROCR_VISIBLE_DEVICES=value) == seen


def amd(number: int) -> Device:
    uuid = f"GPU-aaaa00000000000{number + 1}" if number < 2 else None
    return a_device("ROCm", number=number, uuid=uuid, pci_id=f"0000:0{number}:00.0")


@pytest.mark.parametrize("chosen", [[], [0], [1, 0], [2], [2, 1]])
def test_what_env_writes_for_amd_is_what_the_real_runtimes_leave(chosen: list[int]) -> None:
    listed = [amd(number) for number in range(3)]
    nvidia = a_device("CUDA", uuid="GPU-11111111-2222-3333-4444-555555555555")
    variables = dict(visible_variables([listed[number] for number in chosen], [*listed, nvidia], "linux", {}))
    written = {name: value for name, value in variables.items() if value is not None}

    assert written["ROCR_VISIBLE_DEVICES"] != ""
    assert rocr(**written) == chosen
    assert hip(**written) == list(range(len(chosen)))  # it counts within what ROCr leaves


def test_the_tokens_that_hide_everything_from_amds_runtimes_do() -> None:
    assert rocr(**{ROCM.selections["linux"].variable: ROCM.selections["linux"].hide_all}) == []
    assert hip(**{ROCM.selections["win32"].variable: ROCM.selections["win32"].hide_all}) == []


@pytest.fixture
def two_cards(tmp_path: Path) -> World:
    """lavapipe twice, under the identities of two cards: ggml leaves out what calls itself a processor."""
    cards = [
        described(
            type="discrete", name=name, vendor="0x1002", uuid=f"GPU-{letter * 8}-0000-0000-0000-{letter * 12}", driver_id=3
        )
        for name, letter in (("one", "a"), ("two", "b"))
    ]
    return world(tmp_path).lavapipe().second_lavapipe().identity(*cards)


def ggml(cards: World, **variables: str) -> list[str]:
    directory = os.environ.get("GPUPROBE_GGML") or pytest.skip("GPUPROBE_GGML names no directory with libggml-vulkan.so")
    environment = {"PATH": os.environ["PATH"], "LD_LIBRARY_PATH": directory, "GGML_NO_BACKTRACE": "1", **cards.environment()}
    done = subprocess.run(
        [sys.executable, "-c", LOADS_GGML, directory], env={**environment, **variables}, capture_output=True, check=True
    )
    return [str(name) for name in json.loads(done.stdout)]


@pytest.mark.parametrize(
    "value",
    [
        *("0", "1", "0,1", "1,0", "1 0", " 1", "", "-1", "2", "0,2", "0,-1", "-1,0", "4294967295", "x", "0,x", "0;1", "0+1"),
        *("0-1", "0,18446744073709551616", "0000000001", "-18446744073709551615", "-18446744073709551616,1", "1,+0", "0,0"),
    ],
)
def test_the_real_ggml_reads_its_list_as_gpuprobe_does(two_cards: World, value: str) -> None:
    names = ("one", "two")

    assert ggml(two_cards) == list(names)
    assert ggml(two_cards, GGML_VK_VISIBLE_DEVICES=value) == [names[position] for position in ggml_list(value, 2)]


def test_the_token_that_hides_everything_from_the_real_ggml_does(two_cards: World) -> None:
    assert ggml(two_cards, GGML_VK_VISIBLE_DEVICES=VULKAN.selections["linux"].hide_all) == []
