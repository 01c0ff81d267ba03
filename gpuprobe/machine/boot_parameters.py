"""The words of the kernel's command line that concern GPUs; the survey keeps no others."""

from __future__ import annotations

import re

from gpuprobe.facts import Host
from gpuprobe.machine.asked import reading, text

CMDLINE = "/proc/cmdline"


def is_known(host: Host) -> bool:
    """Whether the command line could be read: without that no parameter is known to be missing."""
    found = reading(host, CMDLINE)
    return found is not None and found.text is not None


def has_word(host: Host, word: str) -> bool | None:
    """Whether this word stands there, with or without a value: `nomodeset`, `nokaslr`; None: nobody could look."""
    return word in _pairs(host) if is_known(host) else None


def value_of(host: Host, name: str) -> str | None:
    """The value of a parameter, of several the last one; "" for a word without; None: not set, or nobody could look."""
    return _pairs(host).get(name)


def values_of(host: Host, beginning: str) -> dict[str, str]:
    """Parameters by what is left of their name: `amdgpu.` gives {"gttsize": "65536"}. A whole name gives {"": value}."""
    found = {name[len(beginning) :]: value for name, value in _pairs(host).items() if name.startswith(beginning)}
    return found if beginning.endswith(".") else {rest: value for rest, value in found.items() if not rest}


def _pairs(host: Host) -> dict[str, str]:
    """Module names with underscores, as the kernel takes either."""
    words = (text(host, CMDLINE) or "").split()
    pairs = (word.partition("=") for word in words)
    return {_spelled(name): value for name, _, value in pairs}


def _spelled(name: str) -> str:
    module, dot, parameter = name.partition(".")
    return re.sub("-", "_", module) + dot + parameter if dot and module != "modprobe" else name
