"""One text, as a whole or piece by piece, to everything in it that stands for a machine. Its form is known by its content."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gpuprobe.fleet.lines import LONGEST, of_lines
from gpuprobe.fleet.long_json import NotJson, members
from gpuprobe.fleet.rows import Found, Problem, Trouble
from gpuprobe.fleet.shape import parsed
from gpuprobe.fleet.wrappers import PLAY, documents_in, first_line, of_member

_NOTHING = Problem(Trouble.SILENT, "it left nothing")


def of_text(text: str) -> Iterator[Found]:
    """A text that is whole in memory. One without a document leaves one problem, whose machine its file names."""
    if not text.strip():
        yield Found(None, _NOTHING)
        return
    if text.lstrip()[0] not in "{[":
        yield from of_lines(text.splitlines())
        return
    try:
        value = parsed(text)
    except ValueError as problem:
        yield from _not_one(text, str(problem))
        return
    found = False
    for each in documents_in(value):
        found = True
        yield each
    if not found:
        yield Found(None, Problem(Trouble.UNREADABLE, f"JSON without a document of gpuprobe: `{first_line(text)[:80]}`"))


def _not_one(text: str, because: str) -> Iterator[Found]:
    """Several, one after the other; or one that was cut off."""
    lines = text.splitlines()
    if len(lines) > 1:
        yield from of_lines(lines)
    else:
        yield Found(None, Problem(Trouble.UNREADABLE, f"no JSON that can be read ({because}): `{first_line(text)[:80]}`"))


def of_pieces(begin: str, pieces: Iterator[str]) -> Iterator[Found]:
    """A text too long to be held. `begin`: what was read of it already, which has its first line if that is not too long."""
    first = begin.lstrip().partition("\n")[0]
    if first[:1] in ("{", "[") and not _is_whole(first) and '"schema_version"' not in begin[:200]:
        try:
            for key, value in members(_chained(begin, pieces), PLAY):
                yield from of_member(key, value)
        except NotJson as problem:
            yield Found(None, Problem(Trouble.UNREADABLE, f"JSON that cannot be read to its end: {problem}"))
        return
    yield from of_lines(_lines(_chained(begin, pieces)))


def _is_whole(line: str) -> bool:
    try:
        parsed(line)
    except ValueError:
        return False
    return True


def _chained(begin: str, pieces: Iterable[str]) -> Iterator[str]:
    yield begin
    yield from pieces


def _lines(pieces: Iterable[str]) -> Iterator[str]:
    """Lines of a stream; of one that is too long the rest is left out, which then is no JSON."""
    held: list[str] = []
    length = 0
    for piece in pieces:
        *whole, last = piece.split("\n")
        for line in whole:
            yield "".join(held) + line
            held, length = [], 0
        if length <= LONGEST:
            held.append(last)
            length += len(last)
    if held:
        yield "".join(held)
