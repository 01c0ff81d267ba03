"""Our copies of Vulkan's structures and numbers against the C compiler and the real headers: a wrong offset reads nonsense
that looks plausible."""

from __future__ import annotations

import ctypes
import re
import subprocess

import pytest

from gpuprobe.backends.vulkan import card, compute_structs, instance, listing, memory, results, structs
from tests.doubles import c_compiler
from tests.vulkan_world import has_headers, missing

EVERY = {**vars(structs), **vars(compute_structs)}
OURS = [kind for kind in EVERY.values() if isinstance(kind, type) and issubclass(kind, ctypes.Structure)]
KINDS = [kind for kind in OURS if kind is not ctypes.Structure]

SPELLED = {"integrated": "INTEGRATED_GPU", "discrete": "DISCRETE_GPU", "virtual": "VIRTUAL_GPU", "software": "CPU"}
NUMBERS = {
    "VK_INSTANCE_CREATE_ENUMERATE_PORTABILITY_BIT_KHR": 1,
    "VK_API_VERSION_1_0": instance.VERSION_1_0,
    "VK_API_VERSION_1_1": instance.VERSION_1_1,
    "VK_MAX_MEMORY_HEAPS": len(structs.PhysicalDeviceMemoryProperties().memoryHeaps),
    "VK_MEMORY_HEAP_DEVICE_LOCAL_BIT": listing._DEVICE_LOCAL,
    "VK_QUEUE_COMPUTE_BIT": listing._COMPUTE,
    "VK_MAX_MEMORY_TYPES": len(structs.PhysicalDeviceMemoryProperties().memoryTypes),
    "VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT": memory.DEVICE_LOCAL,
    "VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT": memory.HOST_VISIBLE,
    "VK_MEMORY_PROPERTY_HOST_COHERENT_BIT": memory.HOST_COHERENT,
    "VK_MEMORY_PROPERTY_HOST_CACHED_BIT": memory.HOST_CACHED,
    "VK_BUFFER_USAGE_TRANSFER_SRC_BIT": card.TRANSFER_SOURCE,
    "VK_BUFFER_USAGE_TRANSFER_DST_BIT": card.TRANSFER_TARGET,
    "VK_BUFFER_USAGE_STORAGE_BUFFER_BIT": card.STORAGE_BUFFER_USE,
    "VK_DESCRIPTOR_TYPE_STORAGE_BUFFER": card.STORAGE_BUFFER,
    "VK_SHADER_STAGE_COMPUTE_BIT": card.COMPUTE_STAGE,
    "VK_PIPELINE_BIND_POINT_COMPUTE": card.COMPUTE,
    "VK_COMMAND_POOL_CREATE_RESET_COMMAND_BUFFER_BIT": card.RESETTABLE,
    "VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT": card.ONE_TIME,
    "VK_PIPELINE_STAGE_ALL_COMMANDS_BIT": card.ALL_COMMANDS,
    "VK_PIPELINE_STAGE_HOST_BIT": card.HOST_STAGE,
    "VK_ACCESS_MEMORY_READ_BIT": card.ANY_READ,
    "VK_ACCESS_MEMORY_WRITE_BIT": card.ANY_WRITE,
    "VK_DRIVER_ID_NVIDIA_PROPRIETARY": listing._NVIDIA_PROPRIETARY,
    "VK_DRIVER_ID_INTEL_PROPRIETARY_WINDOWS": listing._INTEL_WINDOWS,
    "VK_DRIVER_ID_GOOGLE_SWIFTSHADER": listing._SWIFTSHADER,
    "VK_DRIVER_ID_MESA_LLVMPIPE": listing._LLVMPIPE,
    **{f"VK_PHYSICAL_DEVICE_TYPE_{SPELLED[name]}": number for number, name in listing._TYPES.items()},
    **{name: number for number, name in results.NAMES.items()},
}
TEXTS = {
    "VK_EXT_PCI_BUS_INFO_EXTENSION_NAME": b"VK_EXT_pci_bus_info",
    "VK_EXT_PHYSICAL_DEVICE_DRM_EXTENSION_NAME": b"VK_EXT_physical_device_drm",
    "VK_EXT_MEMORY_BUDGET_EXTENSION_NAME": listing._BUDGET,
    "VK_KHR_PORTABILITY_SUBSET_EXTENSION_NAME": listing._PORTABILITY_SUBSET,
    "VK_KHR_PORTABILITY_ENUMERATION_EXTENSION_NAME": instance._PORTABILITY,
}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the C compiler says of every size, offset and number."""
    if not has_headers():
        missing("the Vulkan headers (`libvulkan-dev`)")
    directory = tmp_path_factory.mktemp("layout")
    source, program = directory / "layout.c", directory / "layout"
    source.write_text(_program())
    subprocess.run([c_compiler(), "-o", str(program), str(source)], check=True)
    lines = subprocess.run([str(program)], check=True, capture_output=True, text=True).stdout.splitlines()
    return dict(line.split(" ", 1) for line in lines)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_structure_lies_in_memory_as_the_headers_say(kind: type[ctypes.Structure], told: dict[str, str]) -> None:
    ours = {f"{kind.__name__}.{name}": str(getattr(kind, name).offset) for name in _fields(kind)}

    theirs = {name: told[name] for name in ours}

    assert ours == theirs
    assert str(ctypes.sizeof(kind)) == told[kind.__name__]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_field_is_as_wide_as_the_headers_say(kind: type[ctypes.Structure], told: dict[str, str]) -> None:
    ours = {f"{kind.__name__}.{name}:size": str(getattr(kind, name).size) for name in _fields(kind)}

    theirs = {name: told[name] for name in ours}

    assert ours == theirs


@pytest.mark.parametrize("kind", [kind for kind in KINDS if hasattr(kind, "STYPE")], ids=lambda kind: kind.__name__)
def test_a_structure_is_announced_by_its_own_number(kind: type[ctypes.Structure], told: dict[str, str]) -> None:
    assert str(getattr(kind, "STYPE")) == told[_structure_type(kind)]  # noqa: B009 - mypy knows no STYPE


@pytest.mark.parametrize("name", NUMBERS)
def test_a_number_means_what_the_headers_say(name: str, told: dict[str, str]) -> None:
    assert str(NUMBERS[name]) == told[name]


@pytest.mark.parametrize("name", TEXTS)
def test_an_extension_has_the_name_of_the_headers(name: str, told: dict[str, str]) -> None:
    assert TEXTS[name].decode() == told[name]


def _fields(kind: type[ctypes.Structure]) -> list[str]:
    return [field[0] for field in kind._fields_ if not field[0].startswith("_")]


def _structure_type(kind: type[ctypes.Structure]) -> str:
    """PhysicalDeviceIDProperties → VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_ID_PROPERTIES."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z0-9])|(?<=[A-Z])(?=[A-Z][a-z])|(?<=[0-9])(?=[A-Z])(?!Bit)", "_", kind.__name__)
    return f"VK_STRUCTURE_TYPE_{words.upper()}"


def _program() -> str:
    lines = []
    for kind in KINDS:
        name = kind.__name__
        lines.append(f'printf("{name} %zu\\n", sizeof(Vk{name}));')
        for field in _fields(kind):
            lines.append(f'printf("{name}.{field} %zu\\n", offsetof(Vk{name}, {field}));')
            lines.append(f'printf("{name}.{field}:size %zu\\n", sizeof(((Vk{name} *)0)->{field}));')
        if hasattr(kind, "STYPE"):
            lines.append(f'printf("{_structure_type(kind)} %d\\n", (int){_structure_type(kind)});')
    lines += [f'printf("{name} %d\\n", (int){name});' for name in NUMBERS]
    lines += [f'printf("{name} %s\\n", {name});' for name in TEXTS]
    body = "\n".join(lines)
    includes = "#define VK_ENABLE_BETA_EXTENSIONS\n#include <stddef.h>\n#include <stdio.h>\n#include <vulkan/vulkan.h>\n"
    return f"{includes}int main(void) {{\n{body}\nreturn 0;\n}}\n"
