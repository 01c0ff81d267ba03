"""What Typer says of a command line that it cannot read, in our words: what was given, what would do, and an example."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from gpuprobe.command import command_tree, guesses
from gpuprobe.render.grammar import Command, Option, Program


def explained(wrong: Any, root: Any, arguments: Sequence[str]) -> tuple[str, str]:
    """The message and the hint for a usage error of Typer's; `root`: the whole command line, as Typer has built it."""
    program = command_tree.program(root)
    message = wrong.format_message().strip().rstrip(".").replace("'", "`")
    name = getattr(wrong, "option_name", None)
    if name and f"`{name}`" not in message:
        message = message.replace(name, f"`{name}`", 1)
    place = _place(wrong, program, arguments)
    if place is None:
        return _no_command(program, message, arguments)
    if place.runs_another and "--" not in arguments:
        given = list(arguments[arguments.index(place.name) + 1 :]) if place.name in arguments else []
        if instead := guesses.before_a_program(given):
            return message, instead
    if name and _option(place, name) is None and message.startswith("No such option"):
        return _no_option(program, place, name)
    extra = _EXTRA.search(message)
    if extra:
        most = {0: "takes no argument", 1: f"takes one {place.arguments[0].metavar.strip('[]')}" if place.arguments else ""}
        message = f"`{program.name} {place.name}` {most.get(len(place.arguments), 'cannot take')}, and `{extra[1]}` is too many"
    return message, _hint(program, place, _option(place, name))


# Typer: "Got unexpected extra argument(s) (CUDA:1)".
_EXTRA = re.compile(r"unexpected extra argument(?:s|\(s\))? \(([^()]{1,500})\)")
_NO_COMMAND = re.compile(r"No such command `([^`]*)`")


def _no_command(program: Program, message: str, arguments: Sequence[str]) -> tuple[str, str]:
    if device := next((word for word in arguments if _names_a_device(word)), None):
        return message, f"to see one device: `{program.name} {program.default} {device}`"
    found = _NO_COMMAND.search(message)
    if found is None:
        return message, _commands(program)
    word, names = found[1], [command.name for command in program.commands]
    if word in guesses.COMMANDS:
        return f"no such command: `{word}`", guesses.COMMANDS[word]
    meant = guesses.close(word.lower(), names)
    return f"no such command: `{word}`.{f' Did you mean `{meant}`?' if meant else ''}", _commands(program)


def _commands(program: Program) -> str:
    return f"Commands: {', '.join(command.name for command in program.commands)}"


def _no_option(program: Program, place: Command, name: str) -> tuple[str, str]:
    names = [each for option in place.options for each in option.names]
    said = f"`{program.name} {place.name}` has no option `{name}`"
    if name in guesses.OPTIONS:
        return said, guesses.OPTIONS[name]
    meant = guesses.close(name, names)
    return f"{said}{f'. Did you mean `{meant}`?' if meant else ''}", _all_options(program, place)


def _all_options(program: Program, place: Command) -> str:
    return f"`{program.name} {place.name} --help` shows the options"


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


def _hint(program: Program, place: Command, option: Option | None) -> str:
    if option is not None:
        spelled = f"{option.names[-1]} {option.metavar}".strip()
        return f"`{spelled}`: {option.summary[0].lower()}{option.summary[1:]}"
    usage = " ".join((program.name, place.name, "[OPTION]...", *(argument.metavar for argument in place.arguments)))
    return f"usage: `{usage}`, for example `{place.help.examples[0].line}`; {_all_options(program, place)}"
