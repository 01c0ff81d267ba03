"""What is said of parsed evidence: every document and text of `list` and `doctor`, and its way through a file and back."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

from gpuprobe import capture
from gpuprobe.command import listing
from gpuprobe.command.options import Options
from gpuprobe.command.reply import Reply
from gpuprobe.doctor.examination import examine
from gpuprobe.exits import Exit
from gpuprobe.judging.rules import judge
from gpuprobe.model import Evidence, Inventory, Request
from gpuprobe.render.doctor_document import doctor_document
from gpuprobe.render.doctor_markdown import markdown
from gpuprobe.render.doctor_text import doctor_text
from gpuprobe.render.screen import Screen
from gpuprobe.render.texts import list_text
from gpuprobe.wire import from_json, to_json

LARGEST_ANSWER = 8 << 20  # characters


def a_screen() -> Screen:
    """As of a process whose output is a file."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    return Screen(out, err, {})


def options(**given: Any) -> Options:
    return Options(a_screen(), quiet=True, **given)


def written(reply: Reply) -> None:
    """The document and the text, as they would go to standard output."""
    screen = a_screen()
    screen.write_document(reply.document())
    screen.show(reply.text(screen))
    assert screen.out.tell() < LARGEST_ANSWER


def said_of(evidence: Evidence) -> Inventory:
    comes_back(evidence)
    inventory = judge(evidence, Request())
    part = listing.part_of(inventory, None)
    text, leave_with = listing.headline(inventory, part, False, None)
    detail = options(verbose=True)
    written(
        Reply(
            leave_with,
            lambda: listing.document(inventory, part, text, leave_with),
            lambda screen: list_text(inventory, part, text, detail, width=screen.width, with_all=True),
        )
    )
    examination = examine(inventory)
    written(
        Reply(
            Exit.ANSWERED,
            lambda: doctor_document(inventory, examination, text, Exit.ANSWERED),
            lambda screen: doctor_text(examination, text, screen.width, verbose=True),
        )
    )
    a_screen().write(markdown(examination, text, evidence.host))
    return inventory


def comes_back(evidence: Evidence) -> None:
    """What we write, we read, and it is the same; redacted it can be read at least."""
    through_json: Evidence = from_json(Evidence, json.loads(json.dumps(to_json(evidence))))
    assert through_json == evidence
    again = capture._evidence(json.loads(capture.text(evidence)), Path("captured"))
    assert len(again.outcomes) == len(evidence.outcomes)
