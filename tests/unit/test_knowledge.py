"""The rows of knowledge: their keys, their types, where they come from, and that no two say the same thing."""

from __future__ import annotations

import types
from datetime import date
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

import pytest

from gpuprobe import knowledge
from gpuprobe.judging import architecture
from gpuprobe.strings import gfx_of_name, gfx_of_override

FOLDER = Path(knowledge.__file__).parent
FILES = sorted(path.stem for path in FOLDER.glob("*.toml"))

# (file, table) → its record, and what tells one row from another
RECORDS: dict[tuple[str, str], tuple[Any, tuple[str, ...]]] = {
    ("causes", "causes"): (knowledge.Cause, ("id",)),
    ("cuda", "releases"): (knowledge.Release, ("toolkit",)),
    ("cuda", "families"): (knowledge.Family, ("major",)),
    ("cuda", "capabilities"): (knowledge.Capability, ("compute",)),
    ("cuda", "data_types"): (knowledge.DataTypes, ("compute",)),
    ("cuda", "branches"): (knowledge.Branch, ("branch",)),
    ("cuda", "ptx"): (knowledge.Ptx, ("version",)),
    ("cuda", "packings"): (knowledge.Packing, ("toolkit",)),
    ("cuda", "chips"): (knowledge.Chip, ("architecture", "ids")),
    ("cuda", "builds"): (knowledge.Build, ("name", "platform")),
    ("rocm", "targets"): (knowledge.Target, ("gfx",)),
    ("rocm", "generics"): (knowledge.Generic, ("name",)),
    ("packages", "packages"): (knowledge.Package, ("framework", "library", "install")),
    ("rocm", "builds"): (knowledge.Build, ("name", "platform")),
}
TABLES = [(file, name) for file in FILES for name in knowledge.tables(file)]


def read(file: str, name: str) -> tuple[Any, ...]:
    return knowledge._rows(RECORDS[file, name][0], file, name)


def fits(value: object, hint: Any) -> bool:
    if get_origin(hint) in (Union, types.UnionType):
        return any(fits(value, each) for each in get_args(hint))
    if get_origin(hint) is tuple:
        return isinstance(value, tuple) and all(fits(each, get_args(hint)[0]) for each in value)
    return type(value) is hint


def version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))


def test_every_table_has_its_record() -> None:
    assert set(TABLES) == set(RECORDS)


@pytest.mark.parametrize(("file", "name"), TABLES)
def test_the_rows_of_a_table_are_of_their_types_and_no_two_speak_of_the_same(file: str, name: str) -> None:
    rows = read(file, name)
    record, key = RECORDS[file, name]
    hints = get_type_hints(record)
    odd = [(row, field) for row in rows for field in record._fields if not fits(getattr(row, field), hints[field])]

    assert rows
    assert odd == []
    assert len({tuple(getattr(row, field) for field in key) for row in rows}) == len(rows)


@pytest.mark.parametrize(("file", "name"), TABLES)
def test_every_row_says_where_it_comes_from_and_when_that_was_looked_at(file: str, name: str) -> None:
    rows = read(file, name)

    assert all(len(row.source) > 10 for row in rows)
    assert all(date(2025, 1, 1) < row.checked <= date.today() for row in rows)


def test_a_newer_toolkit_never_needs_an_older_driver() -> None:
    rows = knowledge.releases()
    linux = [(version(row.toolkit), version(row.linux)) for row in rows if row.linux]
    windows = [(version(row.toolkit), version(row.windows)) for row in rows if row.windows]

    assert linux == sorted(linux)
    assert windows == sorted(windows)


def test_no_toolkit_needs_a_driver_older_than_its_family_does() -> None:
    floors = {row.major: version(row.linux) for row in knowledge.families()}

    assert all(version(row.linux) >= floors[version(row.toolkit)[0]] for row in knowledge.releases() if row.linux)


def test_every_architecture_in_a_row_can_be_read() -> None:
    unread = [
        text
        for row in knowledge.builds()
        for text in row.architectures
        if architecture.compiled(text) is None and gfx_of_name(text) is None
    ]

    assert unread == []


def test_every_cuda_architecture_in_a_row_is_one_that_cards_have() -> None:
    known = {row.compute for row in knowledge.capabilities()}
    named = [architecture.compiled(text) for row in knowledge.builds() for text in row.architectures]

    assert {f"{one.compute[0]}.{one.compute[1]}" for one in named if one} <= known


def test_a_newer_capability_of_a_major_version_lacks_no_type_of_an_older_one() -> None:
    rows = [(version(row.compute), set(row.types)) for row in knowledge.data_types()]

    lacking = [(old, new) for old, has in rows for new, then in rows if old[0] == new[0] and old < new and not has <= then]
    assert lacking == []


def test_every_architecture_that_has_a_package_is_one_that_cards_have() -> None:
    known = {name for row in knowledge.capabilities() for name in (row.architecture, row.compute)}
    known |= {name for row in knowledge.targets() for name in (row.family, row.gfx)}

    assert {name for row in knowledge.packages() for name in row.architectures} <= known


def test_every_package_is_of_a_framework_that_is_looked_for_and_of_a_library() -> None:
    from gpuprobe.libraries import LIBRARIES
    from gpuprobe.survey.frameworks import FRAMEWORKS

    rows = knowledge.packages()

    assert {row.framework for row in rows} <= {row.name for row in FRAMEWORKS}
    assert {row.library for row in rows} <= {library.name for library in LIBRARIES}


def test_every_generic_target_is_for_architectures_of_its_generation() -> None:
    for row in knowledge.generics():
        generation = row.name.removesuffix("-generic").partition("-")[0]
        assert {f"gfx{gfx.major}" if (gfx := gfx_of_name(target)) else None for target in row.targets} == {generation}


def test_every_amd_target_and_override_in_a_row_can_be_read() -> None:
    rows = knowledge.targets()

    assert [row.gfx for row in rows if (gfx := gfx_of_name(row.gfx)) is None or gfx.name != row.gfx] == []
    assert [row.override for row in rows if row.override and gfx_of_override(row.override) is None] == []


def test_no_parser_is_imported_before_a_row_is_asked_for() -> None:
    import subprocess
    import sys

    program = "import sys, gpuprobe.judging.architecture; print('tomllib' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)

    assert done.stdout.strip() == "False"
