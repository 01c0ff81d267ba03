"""How each runtime reads the list of devices that its variable holds.

Nothing here knows which variable or library a list belongs to; `visibility.py` does.
"""

from __future__ import annotations

from gpuprobe import patterns as re

_UUID_PREFIXES = ("GPU-", "MIG-")


def parse_list(value: str) -> tuple[str, ...]:
    """The devices a list like `CUDA_VISIBLE_DEVICES` names, in order: numbers as "0", UUIDs and beginnings as given.

    Reading stops at the first entry that is neither, such as "-1" or an empty one. Whether a device exists cannot be
    said here. Numbers are read as C does, blanks before and anything behind the digits ignored.
    Sources: CUDA Programming Guide, `CUDA_VISIBLE_DEVICES`; ROCm documentation, GPU isolation techniques.
    """
    tokens = []
    for entry in value.split(","):
        token = _token(entry.strip())
        if token is None:
            break
        tokens.append(token)
    return tuple(tokens)


def _token(entry: str) -> str | None:
    if entry.startswith(_UUID_PREFIXES):
        return entry
    digits = re.match(r"\+?([0-9]{1,9})", entry)
    return str(int(digits[1])) if digits else None


def resolve(value: str | None, number: int) -> str | None:
    """What a device has to be called outside, that a process under the user's list `value` numbers `number`.

    A child counts within the list it inherited, so its numbers mean other devices once the list is replaced.
    `value` None: no list is set, and the number stands. None: the list does not reach that far.
    """
    if value is None:
        return str(number)
    tokens = parse_list(value)
    return tokens[number] if number < len(tokens) else None


def resolve_mask(value: str | None, number: int) -> str | None:
    """The same for Level Zero's mask: a set of devices (`1`) and tiles (`1.0`), whose devices keep the library's order.

    Entries that name no number are passed over, where other lists end. Source: as for the mask in libraries.py.
    """
    if value is None:
        return str(number)
    entries = dict.fromkeys(entry.strip() for entry in value.split(","))
    devices: dict[int, list[str]] = {}
    for entry in entries:
        found = re.match(r"([0-9]{1,9})(\.[0-9]+)?$", entry)
        if found is not None:
            devices.setdefault(int(found[1]), []).append(entry)
    tokens = [",".join(devices[each]) for each in sorted(devices)]
    return tokens[number] if number < len(tokens) else None


def ggml_positions(value: str, count: int | None = None) -> tuple[int, ...]:
    """The raw positions that `GGML_VK_VISIBLE_DEVICES=value` makes visible, each once; see `ggml_list`."""
    return tuple(dict.fromkeys(ggml_list(value, count)))


def ggml_list(value: str, count: int | None = None) -> tuple[int, ...]:
    """The raw positions that ggml lists under `GGML_VK_VISIBLE_DEVICES=value`, one that is named twice as two devices;
    empty where it shows no device at all.

    ggml takes commas for blanks and reads unsigned numbers of 64 bits until something is not one: a sign may stand before
    each, and what is below zero counts on from 2^64. One number that is out of range makes it give up Vulkan altogether;
    "-1" relies on that. A number of more bits ends the list. `count` is the length of the raw list, where it is known.
    Source: ggml-vulkan; seen with ggml 0.25.1 and its 30 oddest values (tests/test_real_ggml.py), and with a llama.cpp build
    of 2025: `1` with one device gives "Invalid device index" and none.
    """
    positions: list[int] = []
    text, place = value.replace(",", " "), 0
    unsigned = re.compile(_UNSIGNED, re.ASCII)
    while (number := unsigned.match(text, place)) is not None:
        sign, digits = number.groups()
        size = int(digits) if len(digits) <= _MOST_DIGITS else _NUMBERS
        if size >= _NUMBERS:
            break
        position = -size % _NUMBERS if sign == "-" else size
        if position >= (_NUMBERS // 2 if count is None else count):
            return ()
        positions.append(position)
        place = number.end()
    return tuple(positions)


_NUMBERS = 1 << 64  # std::size_t, as std::istream reads it
_MOST_DIGITS = 20  # of such a number, zeros before it aside
_UNSIGNED = r"[ \t\n\v\f\r]*([+-]?)0*([0-9]+)"
