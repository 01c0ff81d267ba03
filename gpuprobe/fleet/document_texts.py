"""One text, as a whole or piece by piece, to everything in it that stands for a machine. Its form is known by its content."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gpuprobe.fleet.lines import LONGEST, of_lines
from gpuprobe.fleet.long_json import NotJson, members
from gpuprobe.fleet.rows import Found, Problem, Trouble
from gpuprobe.fleet.shape import parsed
from gpuprobe.fleet.wrappers import PLAY, cut_off, documents_in, instead, is_cut_off, of_member


def of_text(text: str) -> Iterator[Found]:
    """A text that is whole in memory. One without a document leaves one problem, whose machine its file names."""
    if not text.strip():
        yield Found(None, instead(""))
        return
    if text.lstrip()[0] not in "{[":
        yield from of_lines(text.split("\n"))  # other breaks may stand in a text of JSON
        return
    try:
        value = parsed(text)
    except ValueError:
        yield from _not_one(text)
        return
    found = False
    for each in documents_in(value):
        found = True
        yield each
    if not found:
        yield Found(None, instead(text))


def _not_one(text: str) -> Iterator[Found]:
    """Several, one after the other; or one that was cut off."""
    lines = text.split("\n")
    if len(lines) > 1:
        yield from of_lines(lines)
    else:
        yield Found(None, cut_off(text) if is_cut_off(text) else instead(text))


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
