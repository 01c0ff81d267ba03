"""Imports point one way, and what runs in the child or before every answer stays light."""

from __future__ import annotations

import ast
import functools
import subprocess
import sys
from collections import Counter
from graphlib import TopologicalSorter as CircleFree
from pathlib import Path

import pytest

from gpuprobe import vendors
from gpuprobe.libraries import LIBRARIES
from gpuprobe.vendors import VENDORS

PACKAGE = Path(__file__).parents[1] / "gpuprobe"

# From the bottom up: a room may import from the rooms before it, and from itself.
ROOMS = (
    "json_texts",
    "backends",
    "runner",
    "child",
    "record_classes",
    "enumerations",
    "contexts",
    "signals",
    "patterns",
    "once",
    "facts",
    "model",
    "wire",
    "exits",
    "knowledge",
    "vendors",
    "libraries",
    "strings",
    "environment",
    "machinecode",
    "machine",
    "survey",
    "judging",
    "doctor",
    "planning",
    "modelfile",
    "probing",
    "capture",
    "saved",
    "discovery",
    "deepening",
    "memory_refresh",
    "readings",
    "running_now",
    "fleet",
    "render",
    "command",
    "python_records",
    "from_python",
    "schemas",
    "manual",
    "__main__",
)
PURE = {
    "record_classes",
    "enumerations",
    "contexts",
    "signals",
    "json_texts",
    "patterns",
    "once",
    "facts",
    "model",
    "vendors",
    "libraries",
    "strings",
    "environment",
    "machine",
    "judging",
    "doctor",
    "planning",
    "fleet",
}
WORLD = {"os", "pathlib", "subprocess", "socket", "time", "shutil", "ctypes", "psutil", "tempfile", "platform", "glob", "io"}


def name_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__" or len(parts) == 1)


MODULES = {name_of(path): path for path in sorted(PACKAGE.rglob("*.py")) if path.parent.name != "__pycache__"}


def imported(path: Path) -> set[str]:
    """Every module a file imports, at its top or inside a function."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
    return found


@functools.cache
def own(path: Path) -> set[str]:
    names = {name.removeprefix("gpuprobe.") for name in imported(path) if name.startswith("gpuprobe.")}
    return {name for name in names if name in MODULES}


def room(name: str) -> str:
    return name.partition(".")[0]


@pytest.mark.parametrize("name", sorted(set(MODULES) - {"__init__"}))
def test_imports_point_one_way(name: str) -> None:
    upwards = {other for other in own(MODULES[name]) if ROOMS.index(room(other)) > ROOMS.index(room(name))}

    assert not upwards


def test_modules_of_one_room_do_not_import_in_circles() -> None:
    graph = {name: own(path) - {name} for name, path in MODULES.items()}

    CircleFree(graph).prepare()  # raises CycleError with the circle in it


@pytest.mark.parametrize("name", sorted(name for name in MODULES if room(name) in PURE))
def test_judging_does_not_touch_the_world(name: str) -> None:
    assert not imported(MODULES[name]) & WORLD


@pytest.mark.parametrize("name", sorted(set(MODULES) - {"libraries"}))
def test_no_module_compares_a_library_name_with_a_text(name: str) -> None:
    """What differs between libraries is a field of their record, so that adding one touches no rule."""
    names = {library.name for library in LIBRARIES}
    compared = [
        operand.value
        for node in ast.walk(ast.parse(MODULES[name].read_text(encoding="utf-8")))
        if isinstance(node, ast.Compare)
        for operand in (node.left, *node.comparators)
        if isinstance(operand, ast.Constant) and operand.value in names
    ]

    assert not compared


_VENDORS_CONSTANTS = {name for name in dir(vendors) if isinstance(getattr(vendors, name), vendors.Vendor)}
_VENDORS_NAMES = {each for vendor in vendors.VENDORS for each in (vendor.name, vendor.name.casefold())}
_VENDORS_NUMBERS = {number for vendor in vendors.VENDORS for number in vendor.pci_ids if number > 0xFF}


_SPEAK_OF_VENDORS = {"vendors", "libraries", "backends", "machinecode"}


@pytest.mark.parametrize("name", sorted(name for name in MODULES if room(name) not in _SPEAK_OF_VENDORS))
def test_no_module_singles_out_a_vendor(name: str) -> None:
    """What differs between vendors is a field of their record, so that adding one touches no rule. A vendor's own module
    (`machine.amd`), and what lies in its folder (`doctor.amd`), reads what its driver says, and may name it."""
    tree = ast.parse(MODULES[name].read_text(encoding="utf-8"))
    own = {part.upper() for part in name.split(".")}
    compared = {
        operand.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Compare)
        for side in (node.left, *node.comparators)
        for operand in ast.walk(side)
        if isinstance(operand, ast.Constant)
    }
    named = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    named |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}

    assert not named & _VENDORS_CONSTANTS - own
    assert not compared & (_VENDORS_NAMES | _VENDORS_NUMBERS)


def of_one_role(path: Path) -> bool:
    """Whether its folder says whose it is: a library's below `backends`, or a vendor's own module of the survey."""
    place = path.relative_to(PACKAGE)
    return (place.parts[0] == "backends" and len(place.parts) > 2) or place.stem in {vendor.name.lower() for vendor in VENDORS}


def test_a_file_s_name_stands_once() -> None:
    """Who looks for a file by its name finds one. Roles that each library has are called the same in each on purpose."""
    names = [path.name for path in MODULES.values() if path.name != "__init__.py" and not of_one_role(path)]
    helpers = [path.name for path in Path(__file__).parent.rglob("*.py") if not path.name.startswith(("test_", "__"))]

    assert [name for name, count in Counter(names).items() if count > 1] == []
    assert [name for name, count in Counter(helpers).items() if count > 1] == []


def test_the_package_itself_imports_nothing_at_the_top() -> None:
    tree = ast.parse(MODULES["__init__"].read_text(encoding="utf-8"))
    at_the_top = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]

    assert [ast.unparse(node) for node in at_the_top] == ["from __future__ import annotations"]


def test_a_listing_as_json_imports_neither_rich_nor_psutil() -> None:
    program = "import sys; sys.argv = ['gpuprobe', 'list', '--json']\nfrom gpuprobe.__main__ import main\n"
    program += "try:\n    main()\nfinally:\n    print(sorted(set(sys.modules) & {'rich', 'psutil', 'pynvml'}), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=120)

    assert done.stderr.splitlines()[-1] == "[]"


@pytest.mark.parametrize("word", ["plan", "fleet", "waiting", "list_forms"])
def test_no_other_command_pays_for_what_only_one_needs(word: str) -> None:
    program = "import sys; sys.argv = ['gpuprobe', 'list', '--json']\nfrom gpuprobe.__main__ import main\n"
    program += f"try:\n    main()\nfinally:\n    print([name for name in sys.modules if '{word}' in name], file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=120)

    assert done.stderr.splitlines()[-1] == "[]"


def test_no_other_command_pays_for_looking_at_processes() -> None:
    program = "import sys; sys.argv = ['gpuprobe', 'list', '--json']\nfrom gpuprobe.__main__ import main\n"
    program += "try:\n    main()\nfinally:\n    print([name for name in sys.modules if 'process' in name], file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=120)
    loaded = [name for name in ast.literal_eval(done.stderr.splitlines()[-1]) if name.startswith("gpuprobe.")]

    assert [name for name in loaded if name not in ("gpuprobe.machine.processor",)] == []


# With what each loads in its turn they were half of what a start took: 1 to 5 ms of 110 each (CPython 3.11).
DONE_WITHOUT = {"typing", "re", "enum", "contextlib", "json", "datetime", "signal", "math"}
DONE_WITHOUT |= {"subprocess", "selectors", "threading", "locale", "importlib", "functools", "types"}
A_REFRESH = """
import sys
before = set(sys.modules)
from gpuprobe import memory_refresh, readings, saved, wire
from gpuprobe.command import exiting, watching
from gpuprobe.render import live, painter, replies, texts
from gpuprobe.survey.host import read_host
saved.load(read_host(sys.argv[1], {}, software=False), sys.argv[2])
print(sorted(set(sys.modules) - before))
"""


@pytest.mark.skipif(sys.platform != "linux" or sys.version_info >= (3, 14), reason="what CPython on Linux does without")
def test_a_refresh_loads_nothing_that_it_can_do_without(tmp_path: Path) -> None:
    saved = tmp_path / "saved.json"
    saved.write_text('{"kind": "gpuprobe saved discovery", "schema_version": 6, "key": {}, "evidence": {}}')
    saved.chmod(0o600)
    arguments = [sys.executable, "-S", "-c", A_REFRESH, str(tmp_path), str(saved)]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True, timeout=120, cwd=PACKAGE.parent)

    loaded = set(ast.literal_eval(done.stdout))

    assert not loaded & DONE_WITHOUT
    assert not loaded & {"gpuprobe.discovery", "gpuprobe.deepening", "gpuprobe.saved.proposals"}
