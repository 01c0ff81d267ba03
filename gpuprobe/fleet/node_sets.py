"""Names of machines as cluster tools write them: `n[01-40,44]` to names, and names to the shortest such text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import product

MOST = 100_000  # machines that one text may name
_LONGEST = 100_000  # characters
_MOST_RANGES = 4  # in one name
_NUMBER = re.compile(r"([0-9]{1,9})")
_RANGE = re.compile(r"([0-9]{1,9})(?:-([0-9]{1,9}))?")
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:@-]{0,254}")


def expanded(text: str) -> tuple[str, ...] | None:
    """`n[01-02],m5` → n01, n02, m5. None: this is no such text, or it names more than `MOST` machines."""
    if not text or len(text) > _LONGEST:
        return None
    names: list[str] = []
    for part in _parts(text):
        found = _of_part(part.strip())
        if found is None or len(names) + len(found) > MOST:
            return None
        names += found
    return tuple(names)


def _parts(text: str) -> Iterator[str]:
    """Split at the commas outside of brackets."""
    begin = depth = 0
    for place, character in enumerate(text):
        depth += (character == "[") - (character == "]")
        if character == "," and not depth:
            yield text[begin:place]
            begin = place + 1
    yield text[begin:]


def _of_part(part: str) -> list[str] | None:
    pieces = re.split(r"\[([0-9,-]{1,4096})\]", part)  # texts and ranges take turns
    if len(pieces) // 2 > _MOST_RANGES or not _NAME.fullmatch("0".join(pieces[::2])):
        return None
    choices: list[list[str]] = []
    count = 1
    for place, piece in enumerate(pieces):
        found = [piece] if place % 2 == 0 else _numbers(piece)
        if found is None:
            return None
        count *= len(found)
        if count > MOST:
            return None
        choices.append(found)
    return ["".join(each) for each in product(*choices)]


def _numbers(text: str) -> list[str] | None:
    numbers: list[str] = []
    for piece in text.split(","):
        found = _RANGE.fullmatch(piece)
        if found is None:
            return None
        first, last = int(found[1]), int(found[2] or found[1])
        if not 0 <= last - first < MOST - len(numbers):
            return None
        width = len(found[1]) if found[1].startswith("0") else 0
        numbers += [f"{number:0{width}d}" for number in range(first, last + 1)]
    return numbers


def natural(name: str) -> tuple[tuple[int, int, str], ...]:
    """A key by which n2 stands before n10."""
    return tuple(
        (1, int(piece), piece) if place % 2 else (0, 0, piece) for place, piece in enumerate(_NUMBER.split(name)) if piece
    )


def folded(names: Iterable[str]) -> str:
    """The shortest text: `n[01-40]`, `n01,m[1-2].example.org`; one number of a name is folded, that which differs most."""
    alike: dict[tuple[str, ...], list[list[str]]] = {}
    for name in sorted(set(names), key=natural):
        pieces = _NUMBER.split(name)
        alike.setdefault(tuple(pieces[::2]), []).append(pieces)
    return ",".join(text for group in alike.values() for text in _folded(group))


def _folded(group: list[list[str]]) -> Iterator[str]:
    """`group`: names that differ in their numbers alone, each in pieces; numbers stand at the odd places."""
    places = range(1, len(group[0]), 2)
    varying = max(places, key=lambda place: len({pieces[place] for pieces in group}), default=None)
    if varying is None or len(group) == 1:
        yield from ("".join(pieces) for pieces in group)
        return
    rest: dict[tuple[str, str], list[str]] = {}
    for pieces in group:
        around = "".join(pieces[:varying]), "".join(pieces[varying + 1 :])
        rest.setdefault(around, []).append(pieces[varying])
    for (before, after), numbers in rest.items():
        yield before + (numbers[0] if len(numbers) == 1 else f"[{_ranges(numbers)}]") + after


def _ranges(numbers: list[str]) -> str:
    """Numbers of one width, where any of that width begins with a zero, are apart from the rest: `01` is not `1`."""
    padded = {len(number) for number in numbers if number.startswith("0") and len(number) > 1}
    runs: list[list[str]] = []
    for number in sorted(numbers, key=lambda text: (len(text) in padded and len(text), int(text))):
        follows = runs and int(number) == int(runs[-1][-1]) + 1 and _joins(runs[-1][-1], number, padded)
        if follows:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ",".join(run[0] if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)


def _joins(one: str, other: str, padded: set[int]) -> bool:
    if len(one) in padded or len(other) in padded:
        return len(one) == len(other)
    return True
