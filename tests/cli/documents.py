"""Checking a JSON document against the schema that ships in the package."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema

SCHEMAS = Path(__file__).parents[2] / "gpuprobe" / "schemas"


def checked(kind: str, text: str) -> dict[str, Any]:
    """The one document that `text` is; fails where it is none, or not of this kind."""
    document = json.loads(text)
    schema = json.loads((SCHEMAS / f"{kind}.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(document)
    assert isinstance(document, dict)
    return document
