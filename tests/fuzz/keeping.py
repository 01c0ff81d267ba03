"""Which inputs stay in the repository: the smallest that go somewhere in the code where neither a seed nor a kept one goes."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable
from pathlib import Path
from types import FrameType
from typing import Any

from tests.fuzz.target import CORPUS, Target

MOST, LARGEST, MOST_BYTES = 30, 6144, 14_000  # files of a target, bytes of each, of all that are added at once
_PACKAGE = str(Path(__file__).parents[2] / "gpuprobe")

Steps = set[tuple[str, int, int]]  # file, the line before, the line


def keep(target: Target, folder: Path) -> int:
    """Copies those of a folder; how many."""
    known: Steps = set()
    for content in (*target.seeds(), *(path.read_bytes() for path in target.kept())):
        known |= steps_of(target, content)
    place, room, left = CORPUS / target.name, MOST - len(target.kept()), MOST_BYTES
    kept = 0
    for content in _by_size(folder.iterdir()):
        if len(content) > min(LARGEST, left) or kept == room:
            break
        steps = steps_of(target, content)
        if steps <= known:
            continue
        known |= steps
        place.mkdir(parents=True, exist_ok=True)
        (place / hashlib.sha256(content).hexdigest()[:12]).write_bytes(content)
        kept, left = kept + 1, left - len(content)
    return kept


def _by_size(paths: Iterable[Path]) -> list[bytes]:
    return sorted((path.read_bytes() for path in paths), key=lambda content: (len(content), content))


def steps_of(target: Target, content: bytes) -> Steps:
    """From which line to which it goes, in the rooms of the target."""
    rooms = tuple(f"{_PACKAGE}/{room.replace('.', '/')}" for room in target.rooms)
    steps: Steps = set()

    def enter(frame: FrameType, event: str, _: Any) -> Any:
        file = frame.f_code.co_filename
        if not file.startswith(rooms):
            return None
        before = 0

        def note(frame: FrameType, event: str, _: Any) -> Any:
            nonlocal before
            if event == "line":
                steps.add((file, before, frame.f_lineno))
                before = frame.f_lineno
            return note

        return note

    sys.settrace(enter)
    try:
        target.run(content)
    finally:
        sys.settrace(None)
    return steps
