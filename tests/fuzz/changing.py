"""How an input is changed besides bit by bit: as JSON, of which each change leaves JSON that can be read."""

from __future__ import annotations

import json
from random import Random
from typing import Any

_ODD: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2**31, 2**53 + 1, 2**63, -(2**63), 10**30, 0.5, -0.0, 1e308, float("nan"), float("inf")),
    *(
        "",
        " ",
        "\0",
        "\ud800",
        "\x1b[31m",
        "ä…",
        "a" * 5000,
        "-1",
        "0000:01:00.0",
        "GPU-1",
        "gfx1100",
        "13.0",
        "[bold]",
        "\n",
        "`$(x)`",
    ),
    *([], {}, [[]], [None], {"": None}, {"x": {"y": []}}),
)


def changed(content: bytes, random: Random) -> bytes:
    """The first JSON in it with a value replaced, left out, doubled, or taken from another place; as it was without any."""
    begin = min((place for mark in (b"{", b"[") if (place := content.find(mark)) >= 0), default=-1)
    if begin < 0:
        return content
    lines = content[begin:].split(b"\n")
    whole, place = (True, 0) if _read(content[begin:]) is not None else (False, random.randrange(len(lines)))
    value = _read(content[begin:] if whole else lines[place])
    if not isinstance(value, dict | list):
        return content
    try:
        for _ in range(random.choice((1, 1, 1, 2, 4))):
            _change(value, random)
        said = json.dumps(value, separators=(",", ":")).encode("utf-8", "backslashreplace")
    except RecursionError:  # the parser goes deeper than a walk does
        return content
    return content[:begin] + (said if whole else b"\n".join([*lines[:place], said, *lines[place + 1 :]]))


def _read(content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


def _change(value: dict[str, Any] | list[Any], random: Random) -> None:
    places = list(_places(value))
    if not places:
        return
    holder, key = random.choice(places)
    how = random.randrange(8)
    if how == 0:
        del holder[key]
    elif how == 1 and isinstance(holder, list):
        holder.insert(key, json.loads(json.dumps(holder[key])))
    elif how == 2 and isinstance(holder, dict):
        holder[random.choice(("x", key.upper(), f"{key}s"))] = holder.pop(key)
    elif how <= 4:
        other, there = random.choice(places)
        holder[key] = json.loads(json.dumps(other[there]))
    elif how == 5 and isinstance(holder[key], int | str):
        holder[key] = _near(holder[key], random)
    else:
        holder[key] = random.choice(_ODD)


def _near(value: int | str, random: Random) -> int | str:
    if isinstance(value, str):
        at = random.randrange(len(value) + 1)
        put: str = random.choice((*"0-:. é\n\x1b", "", value))
        return value[:at] + put + value[at + 1 :]
    numbers: tuple[int, ...] = (value + 1, value - 1, -value, value * 1024, value ^ 0xFF)
    return random.choice(numbers)


def _places(value: Any) -> Any:
    """(what holds it, key) of every value inside."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in list(pairs):
        yield value, key
        yield from _places(each)
