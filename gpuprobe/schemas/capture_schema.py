"""The schema of a capture, made from the records: what may stand in it is what `model.py` says."""

from __future__ import annotations

import types
from typing import Union, get_args, get_origin

from gpuprobe.capture import KIND, SCHEMA_VERSION
from gpuprobe.enumerations import Enum
from gpuprobe.model import Evidence, Json
from gpuprobe.record_classes import Any
from gpuprobe.schemas.vocabulary import TEXT, document, ref
from gpuprobe.wire import hints, written

_PLAIN = {str: "string", int: "integer", float: "number", bool: "boolean"}


def capture_schema() -> Json:
    definitions: Json = {}
    evidence = _of(Evidence, definitions)
    return document(
        "capture",
        "What `gpuprobe capture FILE` writes and `--from FILE` reads; a field that is left out has its default",
        dict(sorted(definitions.items())),
        kind={"const": KIND},
        schema_version={"const": SCHEMA_VERSION},
        gpuprobe=TEXT,
        evidence=evidence,
    )


def _of(hint: Any, definitions: Json) -> Json:  # noqa: PLR0911 - one return for each kind of hint
    origin, inner = get_origin(hint), get_args(hint)
    if hint is Any:
        return {}
    if origin in (Union, types.UnionType):
        return _union([_of(each, definitions) for each in inner if each is not type(None)], type(None) in inner)
    if origin is tuple and inner[-1] is Ellipsis:
        return {"type": "array", "items": _of(inner[0], definitions)}
    if origin is tuple:
        places = [_of(each, definitions) for each in inner]
        return {"type": "array", "prefixItems": places, "items": False, "minItems": len(places)}
    if origin is dict:
        values = _of(inner[1], definitions)
        return {"type": "object", "additionalProperties": values} if values else {"type": "object"}
    if hint in _PLAIN:
        return {"type": _PLAIN[hint]}
    return _named(hint, definitions)


def _union(parts: list[Json], nullable: bool) -> Json:
    if all(list(part) == ["type"] for part in parts):
        return {"type": [*(part["type"] for part in parts), *(["null"] if nullable else [])]}
    return {"anyOf": [*parts, *([{"type": "null"}] if nullable else [])]}


def _named(hint: Any, definitions: Json) -> Json:
    name = hint.__name__
    if name not in definitions:
        definitions[name] = {}  # a record may be on the way to itself
        if issubclass(hint, Enum):
            definitions[name] = {"enum": [member.value for member in hint]}
        else:
            known = hints(hint)
            definitions[name] = {
                "type": "object",
                "additionalProperties": False,
                "required": [written(field) for field in hint._fields if field not in hint._field_defaults],
                "properties": {written(field): _of(known[field], definitions) for field in hint._fields},
            }
    return ref(name)
