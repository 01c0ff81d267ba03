"""The words that schemas are made of: plain JSON Schema, in which every object is closed and every field is there."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from gpuprobe.enumerations import Enum
from gpuprobe.model import Json


class Maybe(NamedTuple):
    """A field that may be missing."""

    schema: Json


def closed(**fields: Json | Maybe) -> Json:
    """An object with these fields and no other."""
    schemas = {name: field.schema if isinstance(field, Maybe) else field for name, field in fields.items()}
    required = [name for name, field in fields.items() if not isinstance(field, Maybe)]
    return {"type": "object", "additionalProperties": False, "required": required, "properties": schemas}


def ref(definition: str) -> Json:
    """One of the definitions that `document` adds."""
    return {"$ref": f"#/$defs/{definition}"}


def array(items: Json) -> Json:
    return {"type": "array", "items": items}


def one_of(values: Iterable[str | int | None]) -> Json:
    return {"enum": list(values)}


def values(kind: type[Enum]) -> Json:
    return one_of(member.value for member in kind)


def or_none(schema: Json) -> Json:
    """Null says that it is unknown, or that there is none."""
    if "enum" in schema:
        return {**schema, "enum": [*schema["enum"], None]}
    if isinstance(schema.get("type"), str) and "properties" not in schema:
        return {**schema, "type": [schema["type"], "null"]}
    return {"anyOf": [schema, {"type": "null"}]}


def said(description: str, schema: Json) -> Json:
    return {**schema, "description": description}


TEXT: Json = {"type": "string"}
FLAG: Json = {"type": "boolean"}
WHOLE: Json = {"type": "integer"}
COUNT: Json = {"type": "integer", "minimum": 0}
POSITIVE: Json = {"type": "integer", "minimum": 1}
AMOUNT: Json = {"type": "number", "minimum": 0}
TEXT_OR_NONE, WHOLE_OR_NONE, COUNT_OR_NONE, AMOUNT_OR_NONE = (or_none(schema) for schema in (TEXT, WHOLE, COUNT, AMOUNT))
TEXTS = array(TEXT)
TIME: Json = {"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$"}
VARIABLE: Json = {"type": "string", "pattern": "^[A-Z][A-Z0-9_]*$"}


def document(kind: str, title: str, definitions: Json, /, **fields: Json | Maybe) -> Json:
    """A whole schema, with those of the definitions that it uses."""
    body = closed(**fields)
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"https://gpuprobe.invalid/schemas/{kind}.schema.json",
    }
    used = _used(body, definitions)
    shared = {name: definition for name, definition in definitions.items() if name in used}
    return {**head, "title": title, **body, **({"$defs": shared} if shared else {})}


def _used(schema: Json, definitions: Json) -> set[str]:
    """The names of the definitions that a schema refers to, and that those refer to."""
    used, new = set[str](), _references(schema)
    while new:
        used |= new
        new = set().union(*(_references(definitions[name]) for name in new)) - used
    return used


def _references(schema: object) -> set[str]:
    if isinstance(schema, dict):
        own = {schema["$ref"].rpartition("/")[2]} if "$ref" in schema else set()
        return own.union(*map(_references, schema.values()))
    return set().union(*map(_references, schema)) if isinstance(schema, list) else set()
