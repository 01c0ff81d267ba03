"""Our copies of Level Zero's structures and numbers against the C compiler and the real headers."""

from __future__ import annotations

import ctypes
import re
import subprocess

import pytest

from gpuprobe.backends.level_zero import card, compute, listing, results, session, structs, sysman
from tests.doubles import c_compiler
from tests.vulkan_world import missing
from tests.ze_world import has_headers

OURS = [kind for kind in vars(structs).values() if isinstance(kind, type) and issubclass(kind, ctypes.Structure)]
# The headers of Debian 12 (1.8.12) do not have these two: they came with versions 1.10 and 1.9 of the specification.
NEWER = (structs.ZeInitDriverTypeDesc, structs.ZesUuid)
KINDS = [kind for kind in OURS if kind is not ctypes.Structure and kind not in NEWER]
NUMBERS = {
    "ZE_INIT_FLAG_GPU_ONLY": session._GPUS_ONLY,
    "ZE_DEVICE_TYPE_GPU": card.GPU,
    "ZE_DEVICE_TYPE_CPU": card.CPU,
    "ZE_DEVICE_PROPERTY_FLAG_INTEGRATED": card._INTEGRATED,
    "ZE_COMMAND_QUEUE_GROUP_PROPERTY_FLAG_COMPUTE": card._COMPUTE,
    "ZE_COMMAND_QUEUE_MODE_SYNCHRONOUS": listing._SYNCHRONOUS,
    "ZE_MODULE_FORMAT_IL_SPIRV": compute.SPIRV,
    "ZES_MEM_LOC_DEVICE": sysman._ON_DEVICE,
    **{name: number for number, name in results.NAMES.items()},
}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the C compiler says of every size, offset and number."""
    if not has_headers():
        missing("the Level Zero headers (`libze-dev`)")
    directory = tmp_path_factory.mktemp("layout")
    source, program = directory / "layout.c", directory / "layout"
    source.write_text(_program())
    subprocess.run([c_compiler(), "-o", str(program), str(source)], check=True)
    lines = subprocess.run([str(program)], check=True, capture_output=True, text=True).stdout.splitlines()
    return dict(line.split(" ", 1) for line in lines)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_structure_lies_in_memory_as_the_headers_say(kind: type[ctypes.Structure], told: dict[str, str]) -> None:
    name = kind.__name__
    ours = {f"{name}.{field}": f"{getattr(kind, field).offset} {getattr(kind, field).size}" for field in _fields(kind)}

    theirs = {each: told[each] for each in ours}

    assert ours == theirs
    assert str(ctypes.sizeof(kind)) == told[name]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if hasattr(kind, "STYPE")], ids=lambda kind: kind.__name__)
def test_a_structure_is_announced_by_its_own_number(kind: type[ctypes.Structure], told: dict[str, str]) -> None:
    assert str(getattr(kind, "STYPE")) == told[f"{kind.__name__}:stype"]  # noqa: B009 - mypy knows no STYPE


@pytest.mark.parametrize("name", NUMBERS)
def test_a_number_means_what_the_headers_say(name: str, told: dict[str, str]) -> None:
    assert str(NUMBERS[name]) == told[name]


def _fields(kind: type[ctypes.Structure]) -> list[str]:
    return [field[0] for field in kind._fields_]


def _words(kind: type[ctypes.Structure]) -> tuple[str, str]:
    """ZePciExtProperties → "ze", "pci_ext_properties"."""
    first, *others = re.findall("[A-Z][a-z]+", kind.__name__)
    return first.lower(), "_".join(others).lower()


def _program() -> str:
    lines = []
    for kind in KINDS:
        name, (front, words) = kind.__name__, _words(kind)
        lines.append(f'printf("{name} %zu\\n", sizeof({front}_{words}_t));')
        for field in _fields(kind):
            size = f"sizeof((({front}_{words}_t *)0)->{field})"
            lines.append(f'printf("{name}.{field} %zu %zu\\n", offsetof({front}_{words}_t, {field}), {size});')
        if hasattr(kind, "STYPE"):
            lines.append(f'printf("{name}:stype %d\\n", (int){front.upper()}_STRUCTURE_TYPE_{words.upper()});')
    lines += [f'printf("{name} %u\\n", (unsigned){name});' for name in NUMBERS]
    body = "\n".join(lines)
    includes = "#include <stddef.h>\n#include <stdio.h>\n#include <level_zero/ze_api.h>\n#include <level_zero/zes_api.h>\n"
    return f"{includes}int main(void) {{\n{body}\nreturn 0;\n}}\n"
