"""For each library: its double with one fault in one of its functions, and what there is around it on the machine."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from tests import ggml_world, temporary
from tests.backends.level_zero_talk import ARC
from tests.cli.terminal import COMMAND
from tests.doubles import (
    DRIVERS,
    compile_double,
    cublas,
    cuda_driver,
    described,
    metal_framework,
    nvml_driver,
    rocm_with_a_compiler,
    script,
)
from tests.vulkan_world import World, world
from tests.ze_world import START, ZeWorld

GiB = 1 << 30
_UUID = "GPU-00000000-0000-0000-0000-00000000000a"
GEFORCE = described(
    name="NVIDIA GeForce RTX 4090", uuid=_UUID, pci="0000:01:00.0", memory=24 * GiB, free=GiB, cc="8.9", grip=300 << 20
)  # fmt: skip
RADEON = described(
    name="AMD Radeon PRO W7900", uuid="8b5ac29c9e8f1a2b", gfx="gfx1100", pci="0000:05:00.0", memory=24 * GiB, free=GiB
)
BY_VULKAN = described(
    type="discrete", name="AMD Radeon RX 7900 XTX", vendor="0x1002", uuid="GPU-" + "c" * 8, pci="0000:06:00.0",
    memory=24 * GiB, driver_id=3,
)  # fmt: skip
BY_SYSFS = described(name="AMD Radeon PRO W7900", pci="0000:05:00.0", vram=24 * GiB, used=GiB, gtt=GiB, shared=5)
APPLE = described(name="Apple M3 Max", memory=48 * GiB)


class Stage(NamedTuple):
    """`function`: in which of the double's functions the fault happens; `proves`: only a validation comes there."""

    name: str
    function: str
    proves: bool = False


def _stages(listed: str, proved: str = "") -> tuple[Stage, ...]:
    pairs = [(word.partition("=")[::2], False) for word in listed.split()]
    pairs += [(word.partition("=")[::2], True) for word in proved.split()]
    return tuple(Stage(name, function, proves) for (name, function), proves in pairs)


class Faulty(NamedTuple):
    """`library`: by which name the questions to it are found; `own`: whose devices may be missing while it is faulty."""

    name: str
    library: str
    stages: tuple[Stage, ...]
    around: Callable[[Path, str], dict[str, str]]  # the place for its files, and the line of the fault ("" for none)
    own: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    is_build: bool = False
    made_up: str = ""  # a host of tests/made_up_host.py
    deepest: str = "kernel"
    neighbours: tuple[str, ...] = ("CUDA", "Vulkan", "Level Zero")


def _cuda(place: Path, line: str) -> dict[str, str]:
    return {"LD_LIBRARY_PATH": str(cuda_driver().parent), "FAKE_CUDA": script(GEFORCE, line)}


def _nvml(place: Path, line: str) -> dict[str, str]:
    libraries = f"{cuda_driver().parent}:{nvml_driver().parent}"
    return {"LD_LIBRARY_PATH": libraries, "FAKE_CUDA": GEFORCE, "FAKE_NVML": line}


def _cublas(place: Path, line: str) -> dict[str, str]:
    """It lies where a build has brought it along."""
    variables = _build(place, "")
    shutil.copy(cublas(), place / "lib" / "ollama" / "cuda_v12")
    return {**variables, "FAKE_CUBLAS": line}


def _vulkan(place: Path, line: str) -> dict[str, str]:
    return _world(place).icd(BY_VULKAN, line).environment()


def _lavapipe(place: Path, line: str) -> dict[str, str]:
    """Mesa's own driver inside a double, because it computes."""
    return _world(place).wrapped(line).environment()


def _world(place: Path) -> World:
    place.mkdir(exist_ok=True)
    return world(place)


def _level_zero(place: Path, line: str) -> dict[str, str]:
    place.mkdir(exist_ok=True)
    return ZeWorld(place).driver(ARC, line).installed("libze_intel_gpu.so.1")


def _rocm(place: Path, line: str) -> dict[str, str]:
    return {"LD_LIBRARY_PATH": str(rocm_with_a_compiler().parent), "FAKE_HIP": script(RADEON, line)}


def _rocblas(place: Path, line: str) -> dict[str, str]:
    return {"LD_LIBRARY_PATH": str(rocm_with_a_compiler().parent), "FAKE_HIP": RADEON, "FAKE_ROCBLAS": line}


def _amdgpu(place: Path, line: str) -> dict[str, str]:
    return {"FAKE_AMDGPU": script(BY_SYSFS, line), "FAKE_CHAOS": str(_only_chaos()), **_rocm(place, "")}


def _metal(place: Path, line: str) -> dict[str, str]:
    return {"FAKE_METAL": script(APPLE, line), "FAKE_FRAMEWORK": str(metal_framework())}


def _build(place: Path, line: str) -> dict[str, str]:
    """An install of Ollama, whose one CUDA build lists what the double of CUDA lists."""
    top = place / "lib" / "ollama"
    build = ggml_world.double(top / "cuda_v12", "archs 500,610,700,750,800,860,890,900", "over libcuda.so.1", line)
    shutil.move(build.before[0], top / build.before[0].name)
    (top / f"{build.before[0].name}.script").write_text(line)
    (place / "bin").mkdir(parents=True)
    (place / "bin" / "ollama").touch(mode=0o755)
    libraries = f"{cuda_driver().parent}:{nvml_driver().parent}"
    return {"LD_LIBRARY_PATH": libraries, "FAKE_CUDA": GEFORCE, "PATH": f"{place / 'bin'}:{os.environ['PATH']}"}


NEIGHBOURS = {"CUDA": _cuda, "Vulkan": _vulkan, "Level Zero": _level_zero}
FAULTY = (
    Faulty(
        "CUDA",
        "CUDA",
        _stages(
            "load=load init=cuInit count=cuDeviceGetCount name=cuDeviceGetName memory=cuDeviceTotalMem_v2"
            " context=cuDevicePrimaryCtxRetain",
            "allocate=cuMemAlloc_v2 copy=cuMemcpyHtoD_v2 kernel=cuLaunchKernel",
        ),
        _cuda,
        own=("CUDA",),
        neighbours=("Vulkan", "Level Zero"),
    ),
    Faulty(
        "NVML",
        "NVML",
        _stages(
            "load=load init=nvmlInitWithFlags count=nvmlDeviceGetCount_v2 name=nvmlDeviceGetName"
            " memory=nvmlDeviceGetMemoryInfo_v2"
        ),
        _nvml,
        neighbours=("Vulkan", "Level Zero"),
    ),
    Faulty(
        "Vulkan",
        "Vulkan",
        _stages(
            "load=load init=vkCreateInstance count=vkEnumeratePhysicalDevices name=vkGetPhysicalDeviceProperties"
            " memory=vkGetPhysicalDeviceMemoryProperties2 context=vkCreateDevice"
        ),
        _vulkan,
        own=("Vulkan",),
        neighbours=("CUDA", "Level Zero"),
    ),
    Faulty(
        "Vulkan that computes",
        "Vulkan",
        _stages("", "context=vkCreateDevice allocate=vkAllocateMemory copy=vkCmdCopyBuffer kernel=vkCmdDispatch"),
        _lavapipe,
        own=("Vulkan",),
        arguments=("--allow-software",),
        neighbours=("CUDA", "Level Zero"),
    ),
    Faulty(
        "Level Zero",
        "Level Zero",
        _stages(
            f"load=load init={START} count=zeDeviceGet name=zeDeviceGetProperties memory=zeDeviceGetMemoryProperties"
            " context=zeContextCreate",
            "allocate=zeMemAllocDevice copy=zeCommandListAppendMemoryCopy kernel=zeCommandListAppendLaunchKernel",
        ),
        _level_zero,
        own=("Level Zero",),
        neighbours=("CUDA", "Vulkan"),
    ),
    Faulty(
        "ROCm",
        "ROCm",
        _stages(
            "load=load init=hipInit count=hipGetDeviceCount name=hipDeviceGetName memory=hipDeviceTotalMem"
            " context=hipSetDevice",
            "allocate=hipMalloc copy=hipMemcpy kernel=hipModuleLaunchKernel",
        ),
        _rocm,
        own=("ROCm",),
        neighbours=("Vulkan", "Level Zero"),
    ),
    Faulty(
        "rocBLAS",
        "ROCm",
        _stages("load=load init=rocblas_initialize", "product=rocblas_sgemm"),
        _rocblas,
        own=("ROCm",),
        deepest="blas",
        neighbours=("Vulkan", "Level Zero"),
    ),
    Faulty(
        "cuBLAS",
        "CUDA",
        _stages("", "load=load init=cublasCreate_v2 product=cublasSgemm_v2"),
        _cublas,
        own=("CUDA",),
        deepest="blas",
        neighbours=("Vulkan", "Level Zero"),
    ),
    Faulty(
        "amdgpu",
        "AMDGPU",
        _stages("load=load count=detect_gpus name=get_gpu@0 memory=query_vram_usage"),
        _amdgpu,
        made_up="amd",
        neighbours=("Vulkan", "Level Zero"),
    ),
    Faulty(
        "ggml build",
        "CUDA",
        _stages(
            "load=load init=ggml_backend_init name=ggml_backend_dev_get_props memory=ggml_backend_dev_memory"
            " context=ggml_backend_dev_init",
            "allocate=ggml_backend_alloc_ctx_tensors product=ggml_backend_graph_compute",
        ),
        _build,
        own=("CUDA",),
        is_build=True,
        deepest="product",
        neighbours=("Vulkan", "Level Zero"),
    ),
    Faulty(
        "Metal",
        "Metal",
        _stages(
            "load=load count=MTLCopyAllDevices name=name memory=recommendedMaxWorkingSetSize context=newCommandQueue",
            "allocate=newBufferWithLength copy=blitCommandEncoder kernel=newComputePipelineStateWithFunction",
        ),
        _metal,
        own=("Metal",),
        made_up="mac",
        neighbours=(),
    ),
)


@functools.cache
def _only_chaos() -> Path:
    return compile_double(DRIVERS / "only_chaos.c", temporary.folder("only-chaos"), "libonly_chaos.so")


@functools.cache
def throws() -> dict[str, str]:
    """A function of C++ that throws, where there is a compiler of it."""
    compiler = shutil.which("g++")
    if compiler is None:
        return {}
    target = temporary.folder("throws") / "libthrows.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-o", str(target), str(DRIVERS / "throws.cc")], check=True)
    return {"FAKE_THROWS": str(target)}


def command(faulty: Faulty, stage: Stage, neighbour: str | None, seconds: float) -> list[str]:
    """What is run: the installed command, or for what this machine cannot be made to have the road below it."""
    what = "validate" if stage.proves else "list"
    if faulty.made_up:
        return [sys.executable, "-m", "tests.made_up_host", faulty.made_up, what, f"{seconds:g}"]
    asked = dict.fromkeys(slug(name) for name in (faulty.library, *faulty.own, neighbour) if name)
    step = ["--step", faulty.deepest] if stage.proves else []
    return [*COMMAND, what, "--json", "--timeout", f"{seconds:g}", "--library", ",".join(asked), *step, *faulty.arguments]


def slug(library: str) -> str:
    return library.lower().replace(" ", "-")
