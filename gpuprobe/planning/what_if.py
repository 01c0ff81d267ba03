"""`--what-if 'CUDA:0 total=24GiB free=20GiB'`: a device as it might be, or the host's memory, read from one text."""

from __future__ import annotations

import re
from typing import NamedTuple

from gpuprobe.judging.requirement import size_of
from gpuprobe.libraries import spelled
from gpuprobe.model import DeviceType
from gpuprobe.strings import printable

EXAMPLE = "CUDA:0 total=24GiB free=20GiB"
HOST = "host"
_FIELDS = ("total", "free", "type", "compute", "name")
_TYPES = (DeviceType.DISCRETE.value, DeviceType.INTEGRATED.value)
_WORD = re.compile(r'\s*([A-Za-z]+)=("[^"]*"|[^\s"]+)(?=\s|$)')
_SELECTOR = re.compile(r"\s*(\S+)")
_NUMBERED = re.compile(r"([A-Za-z][A-Za-z _-]*):([0-9]{1,3})", re.ASCII)


class WhatIfError(ValueError):
    """What was given describes no device; the message is one line for the user."""


class WhatIf(NamedTuple):
    """What is to be changed, or made. `library` and `number` are those of a device that can be made: of `CUDA:0`."""

    selector: str
    library: str | None = None
    number: int | None = None
    total: int | None = None
    free: int | None = None
    type: DeviceType | None = None
    compute: tuple[int, int] | None = None
    name: str | None = None

    @property
    def is_host(self) -> bool:
        return self.selector == HOST


def parse(text: str) -> WhatIf:
    """A selector, then `total=`, `free=` (sizes), `type=`, `compute=` or `name=`. Raises WhatIfError."""
    start = _SELECTOR.match(text)
    selector = start[1] if start else ""
    if not selector or "=" in selector:
        raise WhatIfError(f"`{printable(text)}` does not begin with a device")
    given = _given(text, start.end() if start else 0)
    if not given:
        raise WhatIfError(f"`{printable(text)}` changes nothing: it needs one of {_named()}")
    numbered = _NUMBERED.fullmatch(selector)
    library = spelled(numbered[1]) if numbered else None
    is_library = library is not None and not library.witness
    read = WhatIf(
        selector=HOST if selector.lower() == HOST else selector,
        library=library.name if library is not None and is_library else None,
        number=int(numbered[2]) if numbered and is_library else None,
        total=_size("total", given),
        free=_size("free", given),
        type=_type(given),
        compute=_compute(given),
        name=printable(given["name"]) if "name" in given else None,
    )
    if read.total is not None and read.free is not None and read.free > read.total:
        raise WhatIfError(f"`{printable(text)}`: more is free than the device has in all")
    return read


def _given(text: str, place: int) -> dict[str, str]:
    given: dict[str, str] = {}
    while text[place:].strip():
        found = _WORD.match(text, place)
        field = found[1].lower() if found else ""
        if found is None or field not in _FIELDS or field in given:
            raise WhatIfError(f"`{printable(text[place:].strip())}`: it takes {_named()}, each once")
        given[field] = found[2].strip('"')
        place = found.end()
    return given


def _named() -> str:
    return ", ".join(f"`{field}=`" for field in _FIELDS)


def _size(field: str, given: dict[str, str]) -> int | None:
    if field not in given:
        return None
    size = size_of(given[field])
    if size is None:
        raise WhatIfError(f"`{field}={printable(given[field])}`: it takes a size in GiB, GB, MiB, MB or bytes")
    return size


def _type(given: dict[str, str]) -> DeviceType | None:
    if "type" not in given:
        return None
    if given["type"].lower() not in _TYPES:
        raise WhatIfError(f"`type={printable(given['type'])}`: it takes {' or '.join(_TYPES)}")
    return DeviceType(given["type"].lower())


def _compute(given: dict[str, str]) -> tuple[int, int] | None:
    if "compute" not in given:
        return None
    found = re.fullmatch(r"([0-9]{1,2})\.([0-9]{1,2})", given["compute"], re.ASCII)
    if found is None:
        raise WhatIfError(f"`compute={printable(given['compute'])}`: it takes a compute capability, such as `compute=8.9`")
    return int(found[1]), int(found[2])
