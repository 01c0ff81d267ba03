"""The JSON schemas that ship beside this file: `python -m gpuprobe.manual write` composes them, and nothing is edited by hand.

Each is plain JSON Schema with everything in it that it refers to. Names of libraries, statuses and reasons come from the
records, so that a new one is in all schemas at once.
"""

from __future__ import annotations

import json


def composed() -> dict[str, str]:
    """File name → text of each schema."""
    from gpuprobe.schemas.answer_schemas import ANSWERS
    from gpuprobe.schemas.capture_schema import capture_schema

    schemas = {schema["$id"].rpartition("/")[2]: schema for schema in (*ANSWERS, capture_schema())}
    return {file: json.dumps(schema, indent=2, ensure_ascii=False) + "\n" for file, schema in schemas.items()}
