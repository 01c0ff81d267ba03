"""Environment maps as shell lines that are safe to evaluate, whatever the values contain."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

SHELLS = ("sh",)


def sh(variables: Mapping[str, str | None]) -> str:
    """Lines for a POSIX shell: `export` for a value, `unset` for None. ValueError for what no environment can hold."""
    return "".join(f"{line}\n" for line in _lines(variables))


def _lines(variables: Mapping[str, str | None]) -> Iterable[str]:
    for name, value in variables.items():
        if not (name.isascii() and name.isidentifier()):
            raise ValueError(f"{name!r} is not the name of a variable")
        yield f"unset {name}" if value is None else f"export {name}={quoted(value)}"


def quoted(value: str) -> str:
    """One word of a POSIX shell. Nothing is special inside single quotes but the single quote itself."""
    if "\0" in value:
        raise ValueError("no variable of an environment can hold a NUL character")
    return "'" + value.replace("'", "'\\''") + "'"
