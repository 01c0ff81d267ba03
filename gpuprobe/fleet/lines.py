"""Lines as engines write them, of many machines in one stream: what each machine left, found while the lines come.

Of a machine whose document has not come yet only the beginning of what it said is kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from gpuprobe.fleet import prefixes
from gpuprobe.fleet.node_sets import MOST, expanded
from gpuprobe.fleet.prefixes import Split
from gpuprobe.fleet.rows import Found, Problem, Trouble
from gpuprobe.fleet.shape import parsed
from gpuprobe.fleet.standing import is_document
from gpuprobe.fleet.wrappers import documents_in, first_line

LONGEST = 32 << 20  # characters that one machine may leave
_DASHES = re.compile(r"-{5,200}")
_COUNT = re.compile(r" \([0-9]{1,9}\)$")


def of_lines(lines: Iterable[str]) -> Iterator[Found]:
    """Everything that stands for a machine. A stream in which nothing does leaves one problem without a name."""
    reading = _Lines()
    for line in lines:
        yield from reading.take(line.rstrip("\r\n"))
    yield from reading.end()


class _Lines:
    def __init__(self) -> None:
        self._said: dict[str, str] = {}  # machine → the first that it said, where that was no document
        self._begun: dict[str | None, list[str]] = {}  # machine → lines of a document that has not ended
        self._block: _Block | None = None
        self._heading: str | None = None  # between two lines of dashes
        self._first, self._documents, self._others = "", 0, 0

    def take(self, line: str) -> Iterator[Found]:
        if _DASHES.fullmatch(line):
            yield from self._dashes()
        elif self._heading is not None:
            self._heading += line
        elif (told := prefixes.heading(line)) is not None:
            yield from self._close()
            self._block = _Block((told.name,), told.failed, told.code)
            self._block.take(told.rest)
        elif self._block is not None:
            self._block.take(line)
        elif line.strip():
            yield from self._line(prefixes.split(line))

    def end(self) -> Iterator[Found]:
        yield from self._close()
        for name, lines in self._begun.items():
            yield self._problem(None if name is None else (name,), "a document that does not end", "\n".join(lines))
        # A name and a colon may stand in any text: it is a machine's where documents stand so, or everything does.
        if self._documents or (self._said and not self._others):
            yield from (Found(name, Problem(Trouble.SILENT, said)) for name, said in self._said.items())
        elif not self._begun and (self._others or self._said):
            yield Found(None, Problem(Trouble.UNREADABLE, f"no document of gpuprobe: `{self._first}`"))

    def _dashes(self) -> Iterator[Found]:
        if self._heading is None:
            yield from self._close()
            self._heading = ""
            return
        names = expanded(_COUNT.sub("", self._heading.strip()))
        self._block = _Block(names or (self._heading.strip()[:255],))
        self._heading = None

    def _close(self) -> Iterator[Found]:
        if self._block is not None:
            yield from self._counted(self._block.found())
            self._block = None

    def _counted(self, found: Iterable[Found]) -> Iterator[Found]:
        for each in found:
            self._documents += 1
            if each.name is not None:
                self._said.pop(each.name, None)
            yield each

    def _line(self, split: Split) -> Iterator[Found]:
        self._first = self._first or first_line(split.rest)[:80]
        if split.only_text:
            self._keep(split.names, split.rest)
            return
        name = split.names[0] if split.names else None
        if name in self._begun:
            yield from self._goes_on(name, split.rest)
        elif split.rest.startswith(("{", "[")):
            yield from self._opens(name, split.rest)
        else:
            self._keep(split.names, split.rest)

    def _keep(self, names: tuple[str, ...] | None, said: str) -> None:
        self._others += names is None
        for name in names or ():
            if name not in self._said and len(self._said) < MOST:
                self._said[name] = first_line(said)[:200]

    def _opens(self, name: str | None, text: str) -> Iterator[Found]:
        try:
            value = parsed(text)
        except ValueError:
            if text.rstrip() in ("{", "[") or len(text) < 200:
                self._begun[name] = [text]
            else:
                yield self._problem(None if name is None else (name,), "no JSON that can be read", text)
            return
        found = list(documents_in(value, name))
        if not found:
            self._keep(None if name is None else (name,), text)
        yield from self._counted(found)

    def _goes_on(self, name: str | None, line: str) -> Iterator[Found]:
        lines = self._begun[name]
        lines.append(line)
        if not line.startswith(("}", "]")):
            if len(lines) > 1 << 20:
                del self._begun[name]
            return
        try:
            value = parsed("\n".join(lines))
        except ValueError:
            return
        del self._begun[name]
        yield from self._counted(documents_in(value, name))

    def _problem(self, names: tuple[str, ...] | None, what: str, text: str) -> Found:
        self._documents += names is not None
        return Found(names[0] if names else None, Problem(Trouble.UNREADABLE, f"{what}: `{first_line(text)[:80]}`"))


class _Block:
    """What stands under a heading, for one machine or for all that left the same."""

    def __init__(self, names: tuple[str, ...], failed: bool = False, code: str | None = None) -> None:
        self._names, self._failed, self._code = names, failed, code
        self._lines: list[str] = []
        self._length = 0

    def take(self, line: str) -> None:
        self._length += len(line)
        if self._length <= LONGEST:
            self._lines.append(line)

    def found(self) -> Iterator[Found]:
        contents = [each.content for each in self._contents()]
        for name in self._names:
            yield from (Found(name, content) for content in contents or [self._problem()])

    def _contents(self) -> Iterator[Found]:
        text = "\n".join(self._lines).strip()
        begin = text.find("{")
        if begin < 0:
            return
        try:
            value = parsed(text[begin:])
        except ValueError:
            yield from (each for each in of_lines(self._lines) if is_document(each.content))
            return
        yield from documents_in(value)

    def _problem(self) -> Problem:
        said = first_line("\n".join(self._lines[:20]))
        if not said:
            ended = f" and ended with exit code {self._code}" if self._code else ""
            return Problem(Trouble.SILENT, f"it wrote nothing{ended}")
        if self._failed or self._code not in (None, "0"):
            return Problem(Trouble.SILENT, said)
        return Problem(Trouble.UNREADABLE, f"no document of gpuprobe: `{said[:80]}`")
