"""What `--require` asks of the devices, and whether they meet it."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, Protocol

from gpuprobe.libraries import CUDA, LIBRARIES, spelled
from gpuprobe.model import DeviceType
from gpuprobe.strings import printable

EXAMPLE = "count>=2, free>=20GiB, compute>=8.0, library=cuda"

Value = int | str | tuple[int, int]

_COMPARISONS: dict[str, Callable[[Value, Value], bool]] = {
    ">=": operator.ge,
    ">": operator.gt,
    "<=": operator.le,
    "<": operator.lt,
    "!=": operator.ne,
    "=": operator.eq,
}
_CLAUSE = re.compile(r"\s*([a-z]+)\s*(>=|<=|!=|==|=|>|<)\s*([^\s<>=!](?:.*\S)?)\s*", re.IGNORECASE | re.ASCII)

_BYTES: dict[str, int] = {
    "": 1,
    "b": 1,
    "bytes": 1,
    **{f"{prefix}b": 1000**power for power, prefix in enumerate("kmgt", 1)},
    **{f"{prefix}ib": 1024**power for power, prefix in enumerate("kmgt", 1)},
}


class RequirementError(ValueError):
    """A requirement that cannot be read; the message and `hint`, an example, are one line for the user."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


class Clause(NamedTuple):
    field: str
    comparison: str
    value: Value
    text: str  # as it was written, without blanks

    def holds(self, value: Value) -> bool:
        if self.field == "name" and isinstance(value, str) and isinstance(self.value, str):
            return (self.value in value) == (self.comparison == "=")
        return _COMPARISONS[self.comparison](value, self.value)


class Requirement(NamedTuple):
    """`counts`: how many devices must meet all of `clauses`."""

    counts: tuple[Clause, ...]
    clauses: tuple[Clause, ...]


class Met(NamedTuple):
    """`undecided`: a figure that is unknown could change `answer`. `because` is a sentence."""

    answer: bool
    undecided: bool
    because: str


def parse(text: str) -> Requirement:
    """Clauses separated by commas: a field, one of >= > = != <= <, a value. RequirementError for anything else.

    Fields: `count` (default: at least 1), `free` and `total` memory (bytes, KB to TB, KiB to TiB), `compute` (CUDA's
    compute capability), `library`, `type`, and `name`, where `=` means that the device's name contains the value.
    """
    clauses = [_clause(part) for part in text.split(",")]
    counts = tuple(clause for clause in clauses if clause.field == "count")
    return Requirement(
        counts=counts or (Clause("count", ">=", 1, "count>=1"),),
        clauses=tuple(clause for clause in clauses if clause.field != "count"),
    )


def _clause(part: str) -> Clause:
    found = _CLAUSE.fullmatch(part)
    field = found[1].lower() if found else ""
    if found is None or field not in _FIELDS:
        raise _unreadable(printable(part.strip()), field)
    comparison, value = found[2].replace("==", "="), found[3]
    reader = _FIELDS[field]
    if reader.texts_only and comparison not in ("=", "!="):
        raise RequirementError(
            f"`{printable(part.strip())}`: {field} is compared with = or != only", f"for example `{reader.example}`"
        )
    read = reader.read(value)
    if read is None:
        bare = reader.read is size_of and value.strip().replace(".", "", 1).isdecimal()
        example = f"{field}{comparison}{value.strip()}GiB" if bare else reader.example
        said = "needs a unit" if bare else f"takes {reader.accepts}, and `{printable(value)}` is not one"
        raise RequirementError(f"`{field}` {said}", f"for example `{example}`")
    return Clause(field, comparison, read, f"{field}{comparison}{printable(value)}")


_WRONG_SIGNS = {"=>": ">=", "=<": "<=", "<>": "!=", "=!": "!="}
_WRONG_FIELDS = {
    **dict.fromkeys(("vram", "memory", "mem", "ram"), "total` or `free"),
    **dict.fromkeys(("gpus", "gpu", "cards", "devices", "number"), "count"),
    **dict.fromkeys(("cc", "capability", "sm", "arch"), "compute"),
}


def _unreadable(part: str, field: str) -> RequirementError:
    wrong = next((sign for sign in _WRONG_SIGNS if sign in part), None)
    if wrong:
        return RequirementError(
            f"`{part}`: did you mean `{part.replace(wrong, _WRONG_SIGNS[wrong])}`?", f"For example `{EXAMPLE}`"
        )
    if field in _WRONG_FIELDS:
        return RequirementError(f"`{part}`: did you mean `{_WRONG_FIELDS[field]}`?", "For example `total>=24GiB`")
    fields = ", ".join(_FIELDS)
    said = f"`{part}` is not a requirement: it needs a field ({fields}), one of >= > = != <= < and a value"
    return RequirementError(said, f"for example `{EXAMPLE}`")


def _whole_number(text: str) -> int | None:
    return int(text) if re.fullmatch(r"[0-9]{1,6}", text) else None


def size_of(text: str) -> int | None:
    """Bytes for "20GiB", "24 GB" or a plain number; None: no size. GB and GiB differ."""
    found = re.fullmatch(r"([0-9]{1,18})(?:\.([0-9]{1,6}))?\s*([a-z]*)", text.lower(), re.ASCII)
    unit = _BYTES.get(found[3]) if found else None
    if found is None or unit is None or (found[3] == "" and found[1].strip("0")):
        return None  # "20" means 20 GiB to some and 20 bytes to others
    whole, fraction = found[1], found[2] or ""
    shift: int = 10 ** len(fraction)
    return int(whole + fraction) * unit // shift


def _capability(text: str) -> tuple[int, int] | None:
    found = re.fullmatch(r"([0-9]{1,3})(?:\.([0-9]{1,3}))?", text)
    return (int(found[1]), int(found[2] or 0)) if found else None


def _library(text: str) -> str | None:
    library = spelled(text)
    return library.name if library is not None and not library.witness else None


def _type(text: str) -> str | None:
    return text.lower() if text.lower() in _TYPES else None


class _Field(NamedTuple):
    read: Callable[[str], Value | None]
    accepts: str
    example: str
    texts_only: bool = False


_TYPES = tuple(member.value for member in DeviceType if member is not DeviceType.UNKNOWN)
_LIBRARY_NAMES = ", ".join(library.name for library in LIBRARIES if not library.witness)
_FIELDS = {
    "count": _Field(_whole_number, "a whole number", "count>=2"),
    "free": _Field(size_of, "a size in GiB, GB, MiB, MB or bytes", "free>=20GiB"),
    "total": _Field(size_of, "a size in GiB, GB, MiB, MB or bytes", "total>=24GB"),
    "compute": _Field(_capability, "a CUDA compute capability", "compute>=8.0"),
    "library": _Field(_library, f"one of {_LIBRARY_NAMES}", "library=cuda", texts_only=True),
    "type": _Field(_type, f"one of {', '.join(_TYPES)}", "type=discrete", texts_only=True),
    "name": _Field(str.lower, "a part of a name", "name=4090", texts_only=True),
}


class Measured(Protocol):
    """What clauses speak of: a device of this machine, or one of a document. Sizes in bytes, None: unknown."""

    @property
    def library(self) -> str: ...
    @property
    def name(self) -> str | None: ...
    @property
    def type(self) -> DeviceType: ...
    @property
    def compute_major(self) -> int | None: ...
    @property
    def compute_minor(self) -> int | None: ...
    @property
    def total_memory(self) -> int | None: ...
    @property
    def free_memory(self) -> int | None: ...


def meets(requirement: Requirement, devices: Sequence[Measured]) -> Met:
    """Whether as many devices as required meet every clause. An unknown figure does not meet a clause."""
    verdicts = [_verdict(requirement.clauses, device) for device in devices]
    sure = verdicts.count(True)
    possible = sure + verdicts.count(None)
    answer = _enough(requirement.counts, sure)
    undecided = any(_enough(requirement.counts, count) != answer for count in range(sure, possible + 1))
    return Met(answer, undecided, _because(requirement, sure, possible, len(devices)))


def _verdict(clauses: Iterable[Clause], device: Measured) -> bool | None:
    """None: what is known of the device meets every clause, and something that a clause speaks of is not known."""
    answers = [_answer(clause, device) for clause in clauses]
    return False if False in answers else None if None in answers else True


def _answer(clause: Clause, device: Measured) -> bool | None:
    if clause.field == "compute" and device.library != CUDA.name:
        return False  # other vendors count their architectures differently
    value = _value(clause.field, device)
    return None if value is None else clause.holds(value)


def _value(field: str, device: Measured) -> Value | None:
    if field == "compute":
        major, minor = device.compute_major, device.compute_minor
        return None if major is None or minor is None else (major, minor)
    if field == "type":
        return None if device.type is DeviceType.UNKNOWN else device.type.value
    values = {
        "free": device.free_memory,
        "total": device.total_memory,
        "library": device.library,
        "name": device.name and device.name.lower(),
    }
    return values[field]


def _enough(counts: Iterable[Clause], count: int) -> bool:
    return all(clause.holds(count) for clause in counts)


def _because(requirement: Requirement, sure: int, possible: int, total: int) -> str:
    wanted = ", ".join(_needed(clause) for clause in requirement.counts)
    clauses = ", ".join(clause.text for clause in requirement.clauses)
    devices = f"usable device{'s' if total != 1 else ''}"
    meeting = f"{sure} of {total} {devices} with {clauses}" if clauses else f"{total} {devices}"
    unknown = f", of {possible - sure} more a figure is unknown" if possible > sure else ""
    return f"{meeting}{unknown}, {wanted} needed"


def _needed(count: Clause) -> str:
    return str(count.value) if count.comparison == ">=" else count.text
