"""The table of variables, and how values are read."""

from __future__ import annotations

import os

import pytest

from gpuprobe import environment
from gpuprobe.libraries import LIBRARIES, Library, Selection


def test_every_variable_has_one_row() -> None:
    names = [row.name for row in environment.VARIABLES]

    assert len(names) == len(set(names))


def test_every_row_says_who_reads_it_and_what_it_does() -> None:
    incomplete = [row.name for row in environment.VARIABLES if not (row.owner and row.takes and row.effect)]

    assert incomplete == []


@pytest.mark.parametrize("library", LIBRARIES, ids=lambda library: library.name)
def test_every_variable_that_hides_a_librarys_devices_has_a_row(library: Library) -> None:
    selecting = {selection.variable for selection in library.selections.values()}
    drivers = {library.drivers.variable, *library.drivers.others} if library.drivers else set()

    assert {*library.filters, *library.stacked, *selecting, *drivers} <= {row.name for row in environment.VARIABLES}


def test_a_variable_that_only_a_librarys_record_names_has_a_row() -> None:
    selection = Selection(variable="TDL_VISIBLE_DEVICES", takes="uuid", hide_all="-1", source="its manual")
    library = Library("TDL", "tdl", {}, selections={"linux": selection}, filters=("TDL_MASK", "CUDA_VISIBLE_DEVICES"))

    rows = tuple(environment.of_libraries((library,)))

    assert [(row.name, row.kind, row.owner, row.takes) for row in rows] == [
        ("TDL_VISIBLE_DEVICES", environment.VISIBILITY, "TDL", "list of UUIDs or numbers"),
        ("TDL_MASK", environment.VISIBILITY, "TDL", "list"),
    ]


def test_what_is_set_is_found_under_its_name() -> None:
    environ = {"CUDA_VISIBLE_DEVICES": "0,1", "EDITOR": "vi", "OLLAMA_VULKAN": ""}

    assert environment.known(environ) == {"CUDA_VISIBLE_DEVICES": "0,1", "OLLAMA_VULKAN": ""}


def test_the_form_for_one_device_is_known_too() -> None:
    """The check of overrides missed it."""
    environ = {
        "HSA_OVERRIDE_GFX_VERSION_1": "10.3.0",
        "HSA_OVERRIDE_GFX_VERSION_X": "1",
        "HSA_OVERRIDE_GFX_VERSIONS": "2",
    }

    assert environment.known(environ) == {"HSA_OVERRIDE_GFX_VERSION_1": "10.3.0"}
    row = environment.variable("HSA_OVERRIDE_GFX_VERSION_1")
    assert row is not None
    assert row.name == "HSA_OVERRIDE_GFX_VERSION"


def test_a_number_behind_any_other_variable_makes_it_unknown() -> None:
    assert environment.variable("CUDA_VISIBLE_DEVICES_1") is None


def test_what_gpuprobe_sets_for_itself_is_no_evidence_of_the_machine() -> None:
    assert environment.known({"GPUPROBE_CHILD": "mark", "NO_COLOR": "1"}) == {}


def test_a_value_that_is_not_utf_8_is_kept_as_it_is() -> None:
    """It names a file: a child and `env` must get exactly these bytes."""
    value = os.fsdecode(b"/opt/caf\xe9:\x1b[31m")

    assert environment.known({"LD_LIBRARY_PATH": value}) == {"LD_LIBRARY_PATH": value}


@pytest.mark.parametrize(
    "value", ["1", "t", "T", "true", "TRUE", "True", " 1 ", '"true"', "'t'", "no", "off", "tRUE", "2", " ' ' "]
)
def test_ollama_takes_this_for_true(value: str) -> None:
    assert environment.truth(value) is True


@pytest.mark.parametrize("value", ["0", "f", "F", "false", "FALSE", "False", ' "0" ', "'false'"])
def test_ollama_takes_this_for_false(value: str) -> None:
    assert environment.truth(value) is False


@pytest.mark.parametrize("value", [None, "", "  ", '""', "''"])
def test_what_is_not_set_is_neither_true_nor_false(value: str | None) -> None:
    assert environment.truth(value) is None


def test_a_value_is_trimmed_before_its_quotes_are_taken_off() -> None:
    assert environment.cleaned("  ' q8_0'\n") == " q8_0"


@pytest.mark.parametrize(
    ("name", "files", "searched"),
    [
        ("VK_DRIVER_FILES", True, False),
        ("LD_LIBRARY_PATH", True, False),
        ("LD_PRELOAD", True, True),
        ("CUDA_VISIBLE_DEVICES", False, False),
        ("no such variable", False, False),
    ],
)
def test_a_variable_that_names_files_is_known(name: str, files: bool, searched: bool) -> None:
    assert environment.names_files(name) is files
    assert environment.may_be_searched(name) is searched


def test_of_the_forms_for_one_device_only_those_of_the_table_are_known() -> None:
    environ = {"HSA_OVERRIDE_GFX_VERSION_\u0661": "1", "HSA_OVERRIDE_GFX_VERSION_": "2", "HSA_OVERRIDE_GFX_VERSION_10": "3"}

    assert environment.known(environ) == {"HSA_OVERRIDE_GFX_VERSION_10": "3"}
    assert environment.variable("GFX_VERSION_1") is None


def test_a_variable_that_a_record_names_says_what_it_takes_and_does() -> None:
    selection = Selection(variable="A_VISIBLE", takes="number", hide_all="-1", source="its manual")
    library = Library("A", "a", {}, selections={"linux": selection, "win32": selection}, filters=("A_MASK", "A_VISIBLE"))

    assert [(row.name, row.takes, row.effect) for row in environment.of_libraries((library,))] == [
        ("A_VISIBLE", environment.variable("GGML_VK_VISIBLE_DEVICES").takes, "only these devices are seen by A"),  # type: ignore[union-attr]
        ("A_MASK", "list", "hides devices from A"),
    ]
