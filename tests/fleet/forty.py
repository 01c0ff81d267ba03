"""Forty machines made from captures: three are odd, two silent, one left rubbish. `python -m tests.fleet.forty` writes what
`clush -b` leaves of them, for the pages."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from ClusterShell.NodeSet import NodeSet

from gpuprobe import capture
from gpuprobe.doctor import card_status
from gpuprobe.exits import Exit
from gpuprobe.judging.rules import judge
from gpuprobe.model import Request, Status
from gpuprobe.render.document import list_document

SCENARIOS = Path(__file__).parents[1] / "scenarios"
ANSWERS = Path(__file__).with_name("answers.txt")
NAMES = tuple(f"n{number:02d}" for number in range(1, 41))
OLD_DRIVER, LOST_CARD, OTHER_CARDS = "n07", "n12", "n23"
SILENT, RUBBISH = ("n31", "n38"), "n19"
RUBBISH_TEXT = "Segmentation fault (core dumped)"


@cache
def _document(scenario: str, *changes: tuple[str, str], lost: int | None = None) -> dict[str, Any]:
    """The answer of `list --json` for a capture in which each first text stands as the second; `lost`: a card that fails."""
    text = (SCENARIOS / scenario / "capture.json").read_text(encoding="utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    evidence = capture._evidence(json.loads(text), Path(scenario))
    if lost is not None:
        validations = [place for place, each in enumerate(evidence.outcomes) if each.probe.purpose.is_validation]
        place = validations[lost]
        failed = evidence.outcomes[place]._replace(
            status=Status.CALL_FAILED,
            depth=None,
            code=79,
            code_name="CUDA_ERROR_DEVICE_UNAVAILABLE",
            failure="unsupported",
            message="`cuDevicePrimaryCtxRetain` failed",
        )
        outcomes = (*evidence.outcomes[:place], failed, *evidence.outcomes[place + 1 :])
        evidence = evidence._replace(outcomes=outcomes)
    inventory = judge(evidence, Request())
    statuses, said = card_status.card_statuses(inventory), card_status.summary(inventory).text
    whole = list_document(inventory, said, Exit.ANSWERED, kept=inventory.kept, drops=inventory.drops, card_statuses=statuses)
    found: dict[str, Any] = json.loads(json.dumps(whole))
    return found


def text_of(name: str) -> str:
    """What the machine wrote, without the line break at its end; "" for a silent one."""
    if name in SILENT:
        return ""
    if name == RUBBISH:
        return RUBBISH_TEXT
    if name == OLD_DRIVER:
        return json.dumps(_document("eight-cards", ("580.95.05", "570.86.15")))
    if name == LOST_CARD:
        return json.dumps(_document("eight-cards", lost=3))
    if name == OTHER_CARDS:
        return json.dumps(_document("two-identical-nvidia"))
    return json.dumps(_document("eight-cards"))


def folded() -> str:
    """As `clush -b` writes it: machines that left the same have one heading."""
    others = (OLD_DRIVER, LOST_CARD, OTHER_CARDS, RUBBISH)
    usual = [name for name in NAMES if name not in (*others, *SILENT)]
    names = NodeSet.fromlist(usual)
    blocks = [(f"{names} ({len(names)})", text_of(usual[0])), *((name, text_of(name)) for name in others)]
    rule = "-" * 15
    return "".join(f"{rule}\n{heading}\n{rule}\n{text}\n" for heading, text in blocks)


if __name__ == "__main__":
    ANSWERS.write_text(folded(), encoding="utf-8")
