"""Our numbers and sizes against those of NVIDIA's own files: cuda.h through the C compiler, and pynvml's structures."""

from __future__ import annotations

import ctypes
import os
import re
import subprocess
from pathlib import Path

import pynvml
import pytest

from gpuprobe.backends.cuda import card, results
from gpuprobe.backends.nvml import card as nvml
from gpuprobe.backends.nvml import results as nvml_results
from tests.doubles import c_compiler

ATTRIBUTES = {
    "INTEGRATED": card.INTEGRATED,
    "COMPUTE_MODE": card.COMPUTE_MODE,
    "PCI_BUS_ID": card.PCI_BUS,
    "PCI_DEVICE_ID": card.PCI_DEVICE,
    "PCI_DOMAIN_ID": card.PCI_DOMAIN,
    "COMPUTE_CAPABILITY_MAJOR": card.COMPUTE_MAJOR,
    "COMPUTE_CAPABILITY_MINOR": card.COMPUTE_MINOR,
    "GPU_PCI_DEVICE_ID": card.GPU_PCI_DEVICE_ID,
    "MAX_THREADS_PER_BLOCK": card.NUMBERS["max_threads_per_block"],
    "WARP_SIZE": card.NUMBERS["warp_size"],
    "CLOCK_RATE": card.NUMBERS["clock_khz"],
    "MULTIPROCESSOR_COUNT": card.NUMBERS["multiprocessors"],
    "MEMORY_CLOCK_RATE": card.NUMBERS["memory_clock_khz"],
    "GLOBAL_MEMORY_BUS_WIDTH": card.NUMBERS["memory_bus_width_bits"],
    "L2_CACHE_SIZE": card.NUMBERS["l2_cache_bytes"],
    "MAX_SHARED_MEMORY_PER_BLOCK_OPTIN": card.NUMBERS["shared_memory_per_block_optin_bytes"],
    "KERNEL_EXEC_TIMEOUT": card.SWITCHES["kernel_run_time_limit"],
    "ECC_ENABLED": card.SWITCHES["ecc_enabled"],
    "TCC_DRIVER": card.SWITCHES["tcc_driver"],
    "UNIFIED_ADDRESSING": card.SWITCHES["unified_addressing"],
    "MANAGED_MEMORY": card.SWITCHES["managed_memory"],
    "PAGEABLE_MEMORY_ACCESS": card.SWITCHES["pageable_memory_access"],
    "COOPERATIVE_LAUNCH": card.SWITCHES["cooperative_launch"],
    "VIRTUAL_MEMORY_MANAGEMENT_SUPPORTED": card.SWITCHES["virtual_memory_management"],
    "MEMORY_POOLS_SUPPORTED": card.SWITCHES["memory_pools"],
    "MPS_ENABLED": card.SWITCHES["mps_enabled"],
}
CONSTANTS = {
    **{f"CU_DEVICE_ATTRIBUTE_{name}": number for name, number in ATTRIBUTES.items()},
    **{name: code for code, name in results.NAMES.items()},
    "CU_COMPUTEMODE_DEFAULT": 0,
    "CU_COMPUTEMODE_PROHIBITED": 2,
    "CU_COMPUTEMODE_EXCLUSIVE_PROCESS": 3,
}


def test_no_attribute_escapes_the_comparison() -> None:
    used = {*card.NUMBERS.values(), *card.SWITCHES.values()}

    assert used <= set(ATTRIBUTES.values())


def test_constants_are_those_of_the_header(tmp_path: Path) -> None:
    header = _header()
    known = {name: number for name, number in CONSTANTS.items() if re.search(rf"\b{name}\b", header.read_text())}

    printed = _printed(tmp_path, header, *(f'"{name}", (long)({name})' for name in known))

    assert printed == known
    assert len(known) > 0.9 * len(CONSTANTS)


def test_types_have_the_sizes_that_are_passed(tmp_path: Path) -> None:
    sizes = {"CUdevice": ctypes.sizeof(ctypes.c_int), "CUuuid": 16, "CUcontext": ctypes.sizeof(ctypes.c_void_p)}
    sizes["CUresult"] = sizes["CUdevice_attribute"] = ctypes.sizeof(ctypes.c_int)

    assert _printed(tmp_path, _header(), *(f'"{name}", (long)sizeof({name})' for name in sizes)) == sizes


def test_functions_are_called_by_the_names_that_programs_are_linked_with(tmp_path: Path) -> None:
    """cuda.h renames functions to their newer forms; a ctypes caller has to say the newer name itself."""
    used = ["cuDeviceGetUuid_v2", "cuDeviceTotalMem_v2", "cuMemGetInfo_v2", "cuDevicePrimaryCtxRelease_v2"]
    unchanged = ["cuDevicePrimaryCtxRetain", "cuCtxSetCurrent", "cuDeviceGetPCIBusId", "cuDeviceGetAttribute", "cuInit"]
    plain = [*(name.removesuffix("_v2") for name in used), *unchanged]

    printed = _printed(tmp_path, _header(), *(f"NAME_OF({name}), 0L" for name in plain))

    assert list(printed) == [*used, *unchanged]


def test_nvml_error_names_are_those_of_the_binding() -> None:
    assert {code: code for code in nvml_results.NAMES} == {
        code: getattr(pynvml, name) for code, name in nvml_results.NAMES.items()
    }


def test_nvml_compute_modes_are_those_of_the_binding() -> None:
    modes = {getattr(pynvml, f"NVML_COMPUTEMODE_{name.upper()}"): name for name in nvml.COMPUTE_MODES.values()}

    assert modes == nvml.COMPUTE_MODES


@pytest.mark.parametrize(("name", "size"), [("c_nvmlMemory_t", 24), ("c_nvmlMemory_v2_t", 40), ("nvmlPciInfo_t", 68)])
def test_the_double_of_nvml_writes_the_structures_that_the_binding_reads(name: str, size: int) -> None:
    """The double asserts the same sizes when it is compiled."""
    assert ctypes.sizeof(getattr(pynvml, name)) == size


@pytest.mark.parametrize(
    ("binding", "header"),
    [("c_nvmlMemory_t", "nvmlMemory_t"), ("c_nvmlMemory_v2_t", "nvmlMemory_v2_t"), ("nvmlPciInfo_t", "nvmlPciInfo_t")],
)
def test_the_structures_of_the_binding_lie_as_nvml_h_says(tmp_path: Path, binding: str, header: str) -> None:
    kind = getattr(pynvml, binding)
    ours = {field: getattr(kind, field).offset for field, *_ in kind._fields_}

    fields = _printed(tmp_path, _header("nvml.h"), *(f'"{field}", (long)offsetof({header}, {field})' for field in ours))

    assert fields == ours
    assert _printed(tmp_path, _header("nvml.h"), f'"size", (long)sizeof({header})') == {"size": ctypes.sizeof(kind)}


def test_the_numbers_of_nvml_are_those_of_nvml_h(tmp_path: Path) -> None:
    modes = {f"NVML_COMPUTEMODE_{name.upper()}": number for number, name in nvml.COMPUTE_MODES.items()}
    numbers = {**{name: code for code, name in nvml_results.NAMES.items()}, **modes}

    assert _printed(tmp_path, _header("nvml.h"), *(f'"{name}", (long)({name})' for name in numbers)) == numbers


def test_functions_of_nvml_have_the_names_that_steps_and_the_double_say(tmp_path: Path) -> None:
    """nvml.h renames functions to their newer forms, which the binding calls."""
    named = [
        "nvmlDeviceGetCount_v2",
        "nvmlDeviceGetHandleByIndex_v2",
        "nvmlDeviceGetPciInfo_v3",
        "nvmlSystemGetCudaDriverVersion",
        "nvmlDeviceGetMigDeviceHandleByIndex",
        "nvmlDeviceGetMaxMigDeviceCount",
        "nvmlDeviceGetGpuInstanceId",
        "nvmlDeviceGetComputeInstanceId",
    ]
    plain = [name.partition("_v")[0] for name in named]

    printed = _printed(tmp_path, _header("nvml.h"), *(f"NAME_OF({name}), 0L" for name in plain))

    assert list(printed) == named


def _header(name: str = "cuda.h") -> Path:
    """A directory of headers that GPUPROBE_NVIDIA_HEADERS names goes before those of a toolkit."""
    named = os.environ.get("GPUPROBE_NVIDIA_HEADERS")
    roots = [os.environ.get("CUDA_HOME", "/usr/local/cuda"), "/usr/local/cuda", "/usr"]
    directories = [*([Path(named)] if named else []), *(Path(root) / "include" for root in roots)]
    found = next((header for directory in directories if (header := directory / name).is_file()), None)
    return found or pytest.skip(f"neither a CUDA toolkit nor GPUPROBE_NVIDIA_HEADERS here: {name} cannot be compared")


def _printed(directory: Path, header: Path, *pairs: str) -> dict[str, int]:
    """What a C program prints for pairs of name and number."""
    prints = "\n".join(f'printf("%s %ld\\n", {pair});' for pair in pairs)
    text = f"""#include <stddef.h>
#include <stdio.h>
#include "{header}"
#define TEXT_OF(name) #name
#define NAME_OF(name) TEXT_OF(name)
int main(void) {{
{prints}
return 0;
}}
"""
    source, program = directory / "print.c", directory / "print"
    source.write_text(text)
    subprocess.run([c_compiler(), "-o", program, source], check=True)
    lines = subprocess.run([program], capture_output=True, text=True, check=True).stdout.splitlines()
    return {name: int(number) for name, number in (line.split() for line in lines)}
