"""What Typer says of a command line that it cannot read, with what it leaves out: what is accepted, and an example."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from gpuprobe.command import command_tree
from gpuprobe.render.grammar import Command, Option, Program


def explained(wrong: Any, root: Any, arguments: Sequence[str]) -> tuple[str, str]:
    """The message and the hint for a usage error of Typer's; `root`: the whole command line, as Typer has built it."""
    program = command_tree.program(root)
    message = wrong.format_message().strip().rstrip(".").replace("'", "`")
    name = getattr(wrong, "option_name", None)
    if name and f"`{name}`" not in message:
        message = message.replace(name, f"`{name}`", 1)
    place = _place(wrong, program, arguments)
    if place is None and (device := next((word for word in arguments if _names_a_device(word)), None)):
        return message, f"to see one device: `{program.name} {program.default} {device}`"
    return message, _hint(program, place, _option(place, name))


def _names_a_device(word: str) -> bool:
    """Whether this is how devices are written, rather than a command misspelled."""
    return word.isascii() and re.fullmatch(r"(?=.*[0-9])\w[\w:.#-]*", word) is not None


def _place(wrong: Any, program: Program, arguments: Sequence[str]) -> Command | None:
    """The command in which it arose, which Typer does not always say; None: it is the command that is wrong."""
    by_name = {command.name: command for command in program.commands}
    if wrong.ctx is not None:
        return by_name.get(wrong.ctx.info_name)
    return by_name[next((word for word in arguments if word in by_name), program.default)]


def _option(place: Command | None, name: str | None) -> Option | None:
    return next((option for option in place.options if name in option.names), None) if place else None


def _hint(program: Program, place: Command | None, option: Option | None) -> str:
    if place is None:
        names = [command.name for command in program.commands]
        example = next(each.line for each in program.help.examples if each.line.startswith(f"{program.name} "))
        return f"accepted is {', '.join(names)}, as in `{example}`"
    if option is not None:
        spelled = f"{option.names[-1]} {option.metavar}".strip()
        return f"accepted is `{spelled}`: {option.summary[0].lower()}{option.summary[1:]}"
    usage = " ".join((program.name, place.name, "[OPTION]...", *(argument.metavar for argument in place.arguments)))
    more = f"`{program.name} {place.name} --help` shows the options"
    return f"accepted is `{usage}`, as in `{place.help.examples[0].line}`; {more}"
