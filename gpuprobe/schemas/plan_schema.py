"""The document of `plan`: one plan's fields beside the summary, or a list of plans."""

from __future__ import annotations

from gpuprobe.model import Json
from gpuprobe.planning.engines.engine_records import Outlook
from gpuprobe.planning.plan import ENGINES
from gpuprobe.planning.records import Source
from gpuprobe.schemas.vocabulary import (
    COUNT,
    COUNT_OR_NONE,
    TEXT,
    TEXT_OR_NONE,
    TEXTS,
    WHOLE_OR_NONE,
    Maybe,
    array,
    closed,
    document,
    one_of,
    or_none,
    said,
    values,
)

_SOURCE = said(
    "engine: an installed llama.cpp has measured it; exact: gpuprobe's own arithmetic, which is proved beside the engine;"
    " bound: at most as much; unknown: there is no figure.",
    values(Source),
)
_SIZES: dict[str, Json] = {
    f"{name}_{end}": schema
    for name in ("model", "context", "compute")
    for end, schema in (("bytes", COUNT_OR_NONE), ("source", _SOURCE))
}
_OUTLOOK = values(Outlook)
_DEVICE = closed(
    selector=TEXT,
    name=TEXT_OR_NONE,
    layers=said("Those of the model, and the output layer as one of them.", COUNT),
    **_SIZES,
    reserve_bytes=said("What is to stay free, for others and for what the library takes itself.", COUNT),
    total_bytes=COUNT_OR_NONE,
    free_bytes=said("Before the model is loaded.", COUNT_OR_NONE),
    left_bytes=said("Free with the model loaded; below 0: it does not fit.", WHOLE_OR_NONE),
)
_ENGINE = closed(
    engine=TEXT,
    outlook=_OUTLOOK,
    because=TEXT,
    context_length=COUNT_OR_NONE,
    layers=COUNT_OR_NONE,
    arguments=said("The command, word by word, not quoted.", TEXTS),
    variables=said("For the engine's server.", {"type": "object", "additionalProperties": TEXT}),
    notes=TEXTS,
)
_MODEL = closed(
    argument=TEXT,
    paths=TEXTS,
    name=said("In Ollama's store.", TEXT_OR_NONE),
    format=TEXT,
    architecture=TEXT,
    file_bytes=COUNT,
    tensors=COUNT,
    trained_context=COUNT_OR_NONE,
    experts=COUNT,
    projector_bytes=COUNT,
)
_COMMAND: Json = {"type": "object", "propertyNames": one_of(ENGINES), "additionalProperties": TEXT}

_PLAN: dict[str, Json] = {
    "model": _MODEL,
    "engine": one_of(ENGINES),
    "outlook": _OUTLOOK,
    "because": TEXT,
    "context_length": said("As it is used: rounded up, or reduced by the engine.", COUNT_OR_NONE),
    "layers": said("On devices.", COUNT_OR_NONE),
    "layers_of_model": COUNT_OR_NONE,
    "devices": array(_DEVICE),
    "host": or_none(closed(layers=COUNT, **_SIZES, total_bytes=COUNT_OR_NONE, free_bytes=COUNT_OR_NONE)),
    "command": said("By engine, quoted for a POSIX shell.", _COMMAND),
    "engines": said("The main one first.", array(_ENGINE)),
    "measured_by": said("The program of an installed llama.cpp whose figures these are.", TEXT_OR_NONE),
    "not_measured": said("Why one that is installed gave none.", TEXT_OR_NONE),
    "differences": said(
        "With measured_by: gpuprobe's own figures less the measured ones.",
        array(closed(selector=TEXT, model_bytes=WHOLE_OR_NONE, context_bytes=WHOLE_OR_NONE, compute_bytes=WHOLE_OR_NONE)),
    ),
    "notes": TEXTS,
}


def plan_schema(envelope: dict[str, Json], definitions: Json) -> Json:
    """`plans` alone with --compare, and, empty, where there is no device; else the fields of the one plan."""
    fields = {name: Maybe(schema) for name, schema in _PLAN.items()}
    whole = document(
        "plan",
        "The answer of `gpuprobe plan --json`",
        definitions,
        **envelope,
        **fields,
        plans=Maybe(said("With --compare; empty where no device is usable.", array(closed(**_PLAN)))),
    )
    neither = {"anyOf": [{"required": [name]} for name in _PLAN]}
    return {**whole, "oneOf": [{"required": list(_PLAN)}, {"required": ["plans"], "not": neither}]}
