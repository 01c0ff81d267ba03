"""What every library's folder in `gpuprobe/backends` has, so that whoever knows one finds the way in all."""

from __future__ import annotations

import ast
import importlib
import inspect
from types import ModuleType

import pytest

from gpuprobe.backends.stages import STAGE_NAMES, Work
from gpuprobe.libraries import LIBRARIES
from tests.test_layers import MODULES, PACKAGE, own

FOLDERS = sorted(path.name for path in (PACKAGE / "backends").iterdir() if (path / "__init__.py").exists())
SHARED = {name for name in MODULES if name.startswith("backends.") and name.split(".")[1] not in FOLDERS}
WITNESSES = {library.backend for library in LIBRARIES if library.witness}
COMPUTING = sorted({"ggml", *(library.backend for library in LIBRARIES if library.backend)} - WITNESSES)
OF_A_LISTING = {"load": 2, "devices": 3, "validate": 4}


def module(folder: str, name: str) -> ModuleType:
    return importlib.import_module(f"gpuprobe.backends.{folder}.{name}")


def parts(folder: str) -> list[str]:
    return [name for name in MODULES if name.startswith(f"backends.{folder}.")]


def arguments(function: object) -> int:
    return len(inspect.signature(function).parameters)  # type: ignore[arg-type]


def test_every_library_has_a_folder_and_every_folder_is_of_one() -> None:
    known = {library.backend for library in LIBRARIES if library.backend}

    assert set(FOLDERS) == known | {"ggml", "loading"}  # a build; and any library by itself


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_folder_imports_itself_and_what_all_share(folder: str) -> None:
    allowed = {*parts(folder), f"backends.{folder}", "backends", *SHARED}

    assert not {other for name in parts(folder) for other in own(MODULES[name])} - allowed


@pytest.mark.parametrize("name", sorted(SHARED))
def test_what_all_share_knows_no_library(name: str) -> None:
    assert own(MODULES[name]) <= {*SHARED, "backends"}


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_listing_has_what_the_runner_calls_and_imports_no_stages(folder: str) -> None:
    listing = module(folder, "listing")
    wanted = [name for name in OF_A_LISTING if name != "validate" or folder in COMPUTING]
    needs_more = len(getattr(listing, "LOADS_WITH", ()))

    assert {name: arguments(getattr(listing, name)) for name in wanted} == {
        name: OF_A_LISTING[name] + (needs_more if name == "load" else 0) for name in wanted
    }
    assert not hasattr(listing, "readings") or arguments(listing.readings) == OF_A_LISTING["devices"] + 1
    used = {
        name
        for name in (f"backends.{folder}.stages", "backends.stages")
        if name in imported_at_all(f"backends.{folder}.listing")
    }
    assert not used


def imported_at_all(name: str, seen: frozenset[str] = frozenset()) -> set[str]:
    """All that a module imports at its top, itself or through others; what is for mypy alone stands behind an `if`."""
    tree = ast.parse(MODULES[name].read_text(encoding="utf-8"))
    nodes = [node for node in tree.body if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("gpuprobe.")]
    found = {each.removeprefix("gpuprobe.") for node in nodes for each in _named(node)} & MODULES.keys()
    return found.union(*(imported_at_all(each, seen | {name}) for each in found - seen))


def _named(node: ast.ImportFrom) -> set[str]:
    return {node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)}


@pytest.mark.parametrize("folder", COMPUTING)
def test_a_library_that_computes_has_the_same_names_as_the_others(folder: str) -> None:
    listing, stages = module(folder, "listing"), module(folder, "stages")

    assert callable(listing.start)
    assert callable(listing.find)
    assert inspect.isclass(module(folder, "card").Card)
    assert issubclass(stages.Work, Work)


@pytest.mark.parametrize("folder", COMPUTING)
def test_its_stages_are_known_ones_in_their_order_from_its_start_to_a_copy(folder: str) -> None:
    stages = module(folder, "stages")
    names = [name for name, _ in stages.STAGES]

    assert names == [name for name in STAGE_NAMES if name in names]
    assert names[:5] == ["init", "list", "context", "allocate", "copy"]
    assert all(arguments(take) == 1 for _, take in stages.STAGES)


@pytest.mark.parametrize("folder", sorted(set(FOLDERS) - set(COMPUTING)))
def test_what_computes_nothing_has_no_stages(folder: str) -> None:
    assert not hasattr(module(folder, "listing"), "validate")
    assert f"backends.{folder}.stages" not in MODULES


@pytest.mark.parametrize("folder", [folder for folder in FOLDERS if f"backends.{folder}.results" in MODULES])
def test_results_have_names_and_a_failure(folder: str) -> None:
    results = module(folder, "results")

    assert all(isinstance(name, str) for name in results.NAMES.values())
    assert callable(results.failure)
