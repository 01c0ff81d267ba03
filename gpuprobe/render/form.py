"""What a form of environment variables is, and how a whole map is written in one.

A value that a form cannot carry is refused: a line that is nearly right would set something else, or run it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from gpuprobe.record_classes import NamedTuple

Variables = Iterable[tuple[str, str | None]]

LINE_BREAKS = "\n\r"
CONTROL_CHARACTERS = "".join(map(chr, (*range(32), 127)))

_NAMES = {"\n": "a line break", "\r": "a carriage return", "'": "a single quote", '"': "a double quote", "`": "a backquote"}


class Form(NamedTuple):
    """`setting` and `unsetting` give one line without its end; `unsetting` None: the form can only set."""

    named: str  # as a sentence names it
    setting: Callable[[str, str], str]
    unsetting: Callable[[str], str] | None
    forbidden: str = ""  # characters that no value can have in it; NUL is in none
    refuses: Callable[[str], str | None] = lambda value: None  # what else of a value it cannot carry
    carries_bytes: bool = False  # a path that is not UTF-8 comes out as it is
    carries_nothing: bool = True  # False: setting a variable to nothing removes it
    heading: str = ""
    between: str = "\n"


# What the values of a document have to bear as those of every form do; the document itself is written elsewhere.
AS_JSON = Form(named="a JSON document", setting=lambda name, value: name, unsetting=lambda name: name)


class NotCarried(ValueError):
    """A value that the form has no way to write; the message is a clause for the user."""


def written(form: Form, variables: Variables) -> str:
    """The lines that set what has a value and unset what has none, as far as the form can.

    Nothing at all for an empty map. NotCarried for a value that the form cannot carry, ValueError for an impossible name.
    """
    lines = [line for name, value in variables if (line := _line(form, name, value)) is not None]
    return f"{form.heading}{form.between.join(lines)}\n" if lines else ""


def left_set(form: Form, variables: Variables) -> list[str]:
    """The variables of a map that would have to be unset, where the form cannot."""
    return [name for name, value in variables if value is None and form.unsetting is None]


def _line(form: Form, name: str, value: str | None) -> str | None:
    if not (name.isascii() and name.isidentifier()):
        raise ValueError(f"{name!r} is not the name of a variable")
    if value is None:
        return form.unsetting(name) if form.unsetting else None
    problem = _problem(form, value)
    if problem is not None:
        raise NotCarried(f"the value of `{name}` has {problem} in it, which {form.named} cannot carry")
    return form.setting(name, value)


def _problem(form: Form, value: str) -> str | None:
    if not value and not form.carries_nothing:
        return "nothing"
    try:
        value.encode("utf-8", "surrogateescape" if form.carries_bytes else "strict")
    except UnicodeEncodeError:
        return "bytes that are not UTF-8"
    bad = next((character for character in value if character in form.forbidden or character == "\0"), None)
    return form.refuses(value) if bad is None else _NAMES.get(bad) or _described(bad)


def _described(character: str) -> str:
    return f"`{character}`" if character.isprintable() else f"the control character {ord(character):#04x}"
