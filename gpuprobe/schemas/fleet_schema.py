"""The document of `fleet`: every machine that left something, or should have."""

from __future__ import annotations

from gpuprobe.fleet.rows import Trouble
from gpuprobe.model import Json
from gpuprobe.schemas.shared_definitions import ANSWERED
from gpuprobe.schemas.vocabulary import (
    COUNT,
    FLAG,
    POSITIVE,
    TEXT,
    TEXT_OR_NONE,
    TEXTS,
    Maybe,
    array,
    closed,
    document,
    one_of,
    or_none,
    said,
    values,
)

_MACHINE: dict[str, Json | Maybe] = {
    "name": said("As the engine calls it; else its document, else its file.", TEXT),
    "file": said("Where its document stood, `-` for standard input; null: nothing came from it.", TEXT_OR_NONE),
    "answered": FLAG,
    "problem": Maybe(
        said("Why there is no answer; the fields below are absent then.", closed(reason=values(Trouble), because=TEXT))
    ),
    "document": Maybe(said("Which command wrote it.", one_of(("list", "validate", "doctor", "other")))),
    "timestamp": Maybe(TEXT_OR_NONE),
    "cards": Maybe(COUNT),
    "usable": Maybe(COUNT),
    "models": Maybe(array(closed(name=TEXT, count=POSITIVE))),
    "driver": Maybe(TEXT_OR_NONE),
    "reasons": Maybe(said("One for each card that is not usable.", TEXTS)),
    "traits": Maybe(said("What is compared with its peers.", {"type": "object", "additionalProperties": TEXT})),
    "requirement": Maybe(
        said("With --require.", closed(met=said("null: it could not be decided.", or_none(FLAG)), because=TEXT))
    ),
}


def fleet_schema(version: dict[str, Json], definitions: Json) -> Json:
    return document(
        "fleet",
        "The answer of `gpuprobe fleet --json`",
        definitions,
        **version,
        summary=closed(machines=COUNT, answered=COUNT, cards=COUNT, usable=COUNT, text=TEXT, exit_code=ANSWERED),
        requirement=Maybe(
            said(
                "With --require: names of machines.",
                closed(text=TEXT, met=TEXTS, not_met=TEXTS, undecided=TEXTS, no_answer=TEXTS),
            )
        ),
        machines=array(closed(**_MACHINE)),
        groups=said(
            "Machines that are equal in all that the table shows.",
            array(closed(names=said("As cluster tools write them.", TEXT), machines=POSITIVE, first=TEXT)),
        ),
        odd=said(
            "What few machines have otherwise than their peers.",
            array(closed(machines=TEXTS, trait=TEXT, value=TEXT, usual=TEXT, others=said("That have the usual.", POSITIVE))),
        ),
        notes=TEXTS,
    )
