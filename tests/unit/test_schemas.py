"""The schemas that ship: each whole by itself, what is shared written once, names from the records."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest

from gpuprobe.libraries import LIBRARIES
from gpuprobe.model import Json, Status
from gpuprobe.schemas import composed, vocabulary
from gpuprobe.schemas.vocabulary import COUNT, TEXT, Maybe, array, closed, document, one_of, or_none, ref

SCHEMAS: dict[str, Json] = {file.removesuffix(".schema.json"): json.loads(text) for file, text in composed().items()}


def references(node: Any) -> set[str]:
    inside = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    own = {node["$ref"].removeprefix("#/$defs/")} if isinstance(node, dict) and "$ref" in node else set()
    return own.union(*map(references, inside))


@pytest.mark.parametrize("kind", SCHEMAS)
def test_each_is_a_schema_that_holds_what_it_refers_to_and_nothing_else(kind: str) -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMAS[kind])

    assert references(SCHEMAS[kind]) == set(SCHEMAS[kind].get("$defs", {}))


def test_what_two_documents_share_is_the_same_in_both_but_for_the_summary_that_counts_nothing() -> None:
    shared: dict[str, Json] = {}
    for kind, schema in SCHEMAS.items():
        for name, definition in schema.get("$defs", {}).items() if kind not in ("env", "capture") else ():
            assert shared.setdefault(name, definition) == definition


def test_every_library_and_status_of_the_records_is_known_to_the_documents() -> None:
    definitions = SCHEMAS["list"]["$defs"]

    assert definitions["library"]["enum"] == [library.name for library in LIBRARIES if not library.witness]
    assert definitions["probe"]["properties"]["library"]["enum"] == [library.name for library in LIBRARIES]
    assert definitions["status"]["enum"] == list(Status)


@pytest.mark.parametrize(
    ("schema", "taken", "refused"),
    [
        (closed(a=TEXT, b=Maybe(COUNT)), [{"a": "x"}, {"a": "x", "b": 0}], [{}, {"b": 0}, {"a": "x", "c": 1}, {"a": 1}, []]),
        (or_none(TEXT), ["", None], [0, {}]),
        (or_none(one_of((1, "two"))), [1, "two", None], [2, "1"]),
        (or_none(closed(a=TEXT)), [{"a": ""}, None], [{}, ""]),
        (or_none(array(COUNT)), [[], [1], None], [[-1], [None], 1]),
        (vocabulary.TIME, ["2026-11-21T09:00:00Z"], ["2026-11-21", "2026-11-21T09:00:00+01:00", None]),
    ],
)
def test_a_word_of_the_vocabulary_takes_what_it_says_and_refuses_the_rest(
    schema: Json, taken: list[object], refused: list[object]
) -> None:
    validator = jsonschema.Draft202012Validator(schema)

    assert all(map(validator.is_valid, taken))
    assert not any(map(validator.is_valid, refused))


def test_a_definition_brings_those_that_it_refers_to_in_their_turn() -> None:
    definitions = {"outer": array(ref("inner")), "inner": TEXT, "unused": COUNT}

    assert document("made-up", "A title", definitions, field=ref("outer"))["$defs"] == {
        "outer": array(ref("inner")),
        "inner": TEXT,
    }


def test_a_reference_to_nothing_is_an_error_where_schemas_are_made() -> None:
    with pytest.raises(KeyError):
        document("made-up", "A title", {}, field=ref("nowhere"))
