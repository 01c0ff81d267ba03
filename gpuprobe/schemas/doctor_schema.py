"""The document of `doctor`."""

from __future__ import annotations

from gpuprobe.doctor.findings import Certainty, Place, Rung, Severity
from gpuprobe.doctor.ladder import Mark
from gpuprobe.model import Json
from gpuprobe.schemas.shared_definitions import WHY
from gpuprobe.schemas.vocabulary import (
    FLAG,
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
    ref,
    said,
    values,
)

_STEP = closed(
    text=TEXT,
    command=said("To copy; null: it is no command.", TEXT_OR_NONE),
    needs_root=FLAG,
    needs_reboot=said("Why.", TEXT_OR_NONE),
    where=said("host: outside the container, virtual machine or WSL that was looked at.", values(Place)),
)
_FINDING = closed(
    id=said("Of the cause, stable; `gpuprobe doctor --explain ID` says what it is.", TEXT),
    layer=said(
        "A hardware, B kernel driver, C device files and permissions, D driver libraries, E runtime libraries and builds, F the"
        " card's abilities and state, G variables, H containers, virtual machines, WSL and Jetson, I frameworks and programs.",
        or_none(one_of(tuple("ABCDEFGHI"))),
    ),
    rung=values(Rung),
    severity=values(Severity),
    certainty=said("certain: the evidence alone proves it.", values(Certainty)),
    cards=said("PCI addresses; none: it concerns the machine, or a card without an address.", array(ref("pci_id"))),
    library=TEXT_OR_NONE,
    build=TEXT_OR_NONE,
    sentence=TEXT,
    evidence=array(closed(where=TEXT, what=TEXT)),
    fix=array(_STEP),
    settle=said("Of a likely one: the command that would decide.", TEXT_OR_NONE),
    because_of=said("The id of the finding that explains it.", TEXT_OR_NONE),
    source=TEXT_OR_NONE,
)
_CARD = closed(
    pci_id=or_none(ref("pci_id")),
    vendor=TEXT_OR_NONE,
    name=TEXT_OR_NONE,
    device_ids=TEXTS,
    why=said("As in `list`; null: the card is usable.", or_none(WHY)),
    ladder=said("From the bottom up.", array(closed(rung=values(Rung), mark=values(Mark), seen=TEXT_OR_NONE))),
    findings=said("Ids, the headline first.", TEXTS),
)
_NAME = closed(by=TEXT, number=WHOLE_OR_NONE, name=TEXT_OR_NONE, uuid=TEXT_OR_NONE)


def doctor_schema(envelope: dict[str, Json], definitions: Json) -> Json:
    return document(
        "doctor",
        "The answer of `gpuprobe doctor --json`",
        definitions,
        **envelope,
        programs=Maybe(
            said(
                "With --for: whether that program computes on a GPU here.",
                array(closed(program=TEXT, computes=or_none(FLAG), sentence=TEXT, because=TEXTS)),
            )
        ),
        findings=said("Headlines first.", array(_FINDING)),
        cards=array(_CARD),
        identities=said(
            "What each library and tool calls the card.",
            array(closed(pci_id=or_none(ref("pci_id")), names=array(_NAME))),
        ),
        warnings=TEXTS,
    )


def causes_schema(version: dict[str, Json], definitions: Json) -> Json:
    return document(
        "causes",
        "The answer of `gpuprobe doctor --explain ID --json`",
        definitions,
        **version,
        causes=array(
            closed(
                id=TEXT,
                layer=one_of(tuple("ABCDEFGHI")),
                about=TEXT,
                source=TEXT,
                checked=said("The day, as 2026-11-29.", TEXT),
                looked_for=said("Whether a check of this version can name it.", FLAG),
            )
        ),
    )
