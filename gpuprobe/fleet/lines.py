"""Lines as engines write them, of many machines in one stream: what each machine left, found while the lines come.

Of a machine whose document has not come yet only the beginning of what it said is kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from gpuprobe.fleet import prefixes
from gpuprobe.fleet.machine_standing import is_document
from gpuprobe.fleet.node_sets import MOST, expanded
from gpuprobe.fleet.prefixes import Split
from gpuprobe.fleet.rows import Found, Problem
from gpuprobe.fleet.shape import begun, parsed
from gpuprobe.fleet.wrappers import cut_off, documents_in, first_line, instead, is_cut_off, other_words

LONGEST = 32 << 20  # characters that one machine may leave
_MOST_TRIES = 16
_DASHES = re.compile(r"-{5,200}")
_ENDED = re.compile(r"[Ee]xit(?:ed with exit)? code:? ([0-9]{1,5})$")
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
        self._told: dict[str, str] = {}  # machine → what the tool said of it
        self._begun: dict[str | None, _Pile] = {}  # machine → lines of a document that has not ended
        self._block: _Block | None = None
        self._heading: list[str] | None = None  # a line of dashes, and the line behind it
        self._first, self._named, self._unnamed, self._others = "", 0, 0, 0

    def take(self, line: str) -> Iterator[Found]:
        if self._heading is not None:
            yield from self._under_dashes(line)
        elif _DASHES.fullmatch(line):
            self._heading = [line]
        elif (told := prefixes.heading(line)) is not None:
            if self._block is None:  # what Ansible says before the first of them is about nobody
                self._said.clear()
            yield from self._close()
            self._block = _Block((told.name,), told.code)
            self._block.take(told.rest)
        else:
            yield from self._ordinary(line)

    def _under_dashes(self, line: str) -> Iterator[Found]:
        """One line with names and dashes again, as `dshbak` and `clush -b` write them; anything else is ordinary text."""
        heading, self._heading = self._heading or [], None
        if len(heading) == 1:
            self._heading = [*heading, line]
        elif _DASHES.fullmatch(line):
            yield from self._close()
            names = expanded(_COUNT.sub("", heading[1].strip()))
            self._block = _Block(names or (heading[1].strip()[:255] or "?",))
        else:
            for each in (*heading, line):
                yield from self._ordinary(each)

    def _ordinary(self, line: str) -> Iterator[Found]:
        if self._block is None:
            if line.strip():
                yield from self._line(prefixes.split(line))
            return
        split = prefixes.split(line) if line.startswith(prefixes.TOOLS) else None
        if split is not None and split.only_text:
            self._keep(split.names, split.rest, self._told)
        else:
            self._block.take(line)

    def end(self) -> Iterator[Found]:
        for line in self._heading or ():
            yield from self._ordinary(line)
        yield from self._close()
        for name, pile in self._begun.items():
            yield from self._unfinished(name, pile.text)
        yield from (Found(name, self._instead(name)) for name in self._told if name not in self._said)
        # A name and a colon may stand in any text: it is a machine's where documents stand so, or everything does.
        if self._named or (self._said and not self._others and not self._unnamed):
            yield from (Found(name, self._instead(name)) for name in self._said)
        elif not self._unnamed and (self._others or self._said):
            yield Found(None, instead(self._first))

    def _instead(self, name: str) -> Problem:
        if said := self._said.get(name):
            return instead(said)
        told = self._told.get(name, "")
        ended = _ENDED.search(told)
        return instead("", ended[1]) if ended else instead(told)

    def _close(self) -> Iterator[Found]:
        if self._block is not None:
            yield from self._counted(self._block.found())
            self._block = None

    def _counted(self, found: Iterable[Found]) -> Iterator[Found]:
        for each in found:
            if each.name is None:
                self._unnamed += 1
            else:
                self._named += 1
            yield each

    def _line(self, split: Split) -> Iterator[Found]:
        self._first = self._first or first_line(split.rest)[:80]
        if split.only_text:
            self._keep(split.names, split.rest, self._told)
            return
        name = split.names[0] if split.names else None
        if name in self._begun:
            yield from self._goes_on(name, split.rest)
        elif split.rest.startswith("{") or split.rest.rstrip() == "[":
            yield from self._opens(name, split.rest)
        else:
            self._keep(split.names, split.rest, self._said)

    def _keep(self, names: tuple[str, ...] | None, said: str, where: dict[str, str]) -> None:
        self._others += names is None
        for name in names or ():
            if name not in where and len(where) < MOST:
                where[name] = first_line(said)[:200]

    def _opens(self, name: str | None, text: str) -> Iterator[Found]:
        try:
            value = parsed(text)
        except ValueError:
            if text.rstrip() in ("{", "["):
                self._begun[name] = _Pile(text)
            else:
                yield from self._unfinished(name, text)
            return
        yield from self._in(value, name, text)

    def _in(self, value: object, name: str | None, text: str) -> Iterator[Found]:
        """`text`: as `value` stood there, which is what its machine said where it holds no document."""
        found = list(documents_in(value, name))
        if not found:
            who, said = (name, text) if name is not None else other_words(value) or (None, text)
            self._keep(None if who is None else (who,), said, self._said)
        yield from self._counted(found)

    def _goes_on(self, name: str | None, line: str) -> Iterator[Found]:
        pile = self._begun[name]
        pile.take(line)
        if not line.startswith(("}", "]")) and not pile.is_over:
            return
        try:
            value = parsed(pile.text)
        except ValueError:
            if pile.is_over:
                del self._begun[name]
                yield from self._unfinished(name, pile.text)
            return
        del self._begun[name]
        yield from self._in(value, name, pile.text)

    def _unfinished(self, name: str | None, text: str) -> Iterator[Found]:
        if is_cut_off(text):
            yield from self._counted([Found(name, cut_off(text))])
        else:
            self._keep(None if name is None else (name,), text, self._said)


class _Pile:
    """Lines that may become a document. Each line that may be its last is a try, and there are few tries."""

    def __init__(self, first: str) -> None:
        self._lines, self._length, self._tries = [first], len(first), 0

    def take(self, line: str) -> None:
        self._lines.append(line)
        self._length += len(line) + 1
        self._tries += line.startswith(("}", "]"))

    @property
    def is_over(self) -> bool:
        return self._length > LONGEST or self._tries >= _MOST_TRIES

    @property
    def text(self) -> str:
        return "\n".join(self._lines)


class _Block:
    """What stands under a heading, for one machine or for all that left the same."""

    def __init__(self, names: tuple[str, ...], code: str | None = None) -> None:
        self._names, self._code = names, code
        self._lines: list[str] = []
        self._length = 0

    def take(self, line: str) -> None:
        if not self._lines:
            line = line.removeprefix(" (stderr) ")
        self._length += len(line)
        if self._length <= LONGEST:
            self._lines.append(line)

    def found(self) -> Iterator[Found]:
        # Ansible adds its own words to those of the program, without a break.
        text = "\n".join(self._lines).strip().removesuffix("non-zero return code")
        contents = [each.content for each in self._contents(text)] or [instead(text, self._code)]
        for name in self._names:
            yield from (Found(name, content) for content in contents)

    def _contents(self, text: str) -> Iterator[Found]:
        """Behind a document Ansible may say what went wrong elsewhere, and before it a shell what it thinks."""
        begin = text.find("{")
        if begin < 0:
            return
        try:
            value = begun(text[begin:])
        except ValueError:
            found = [each for each in of_lines(self._lines) if is_document(each.content)]
            yield from found or ([Found(None, cut_off(text))] if is_cut_off(text) else [])
            return
        yield from documents_in(value)
