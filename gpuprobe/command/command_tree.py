"""What Typer has been told, as the records that completion scripts and the manual page are written from.

Typer carries a Click of its own since 0.26, so nothing that looks for Click's classes can hold it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from gpuprobe.command.plan_options import CACHE_TYPES, ENGINES
from gpuprobe.judging.consumers import CONSUMERS
from gpuprobe.libraries import LIBRARIES
from gpuprobe.model import SYSTEM, StageName
from gpuprobe.render.completions import SCRIPTS
from gpuprobe.render.formats import FORMATS
from gpuprobe.render.grammar import Argument, Command, Option, Program, Takes, explained
from gpuprobe.render.shell import SHELLS

BEHIND = "-- COMMAND"  # in the usage of a command that hands over to another

_FILES, _NOTHING = Takes(paths="files"), Takes()
_LITERALS = re.compile(r"[a-z][a-z0-9-]*(\|[a-z][a-z0-9-]*)*")


def program(root: Any, name: str = "gpuprobe") -> Program:
    """`root`: the group that `typer.main.get_command` makes. What is hidden from help is left out."""
    context = root.make_context(name, [], resilient_parsing=True)
    commands = (root.get_command(context, each) for each in root.list_commands(context))
    return Program(
        name,
        explained(root.help),
        _options(root, context),
        tuple(_command(each, context) for each in commands if not each.hidden),
        root.default,
    )


def _command(command: Any, parent: Any) -> Command:
    context = command.context_class(command, info_name=command.name, parent=parent)
    arguments = (each for each in command.params if each.param_type_name == "argument")
    return Command(
        command.name,
        explained(command.help),
        _options(command, context),
        tuple(_argument(each) for each in arguments),
        any(BEHIND in piece for piece in command.collect_usage_pieces(context)),
    )


def _options(command: Any, context: Any) -> tuple[Option, ...]:
    params = (each for each in command.get_params(context) if each.param_type_name == "option" and not each.hidden)
    return tuple(_option(each) for each in params)


def _option(param: Any) -> Option:
    names = tuple(sorted(param.opts, key=len))
    if param.is_flag:
        return Option(names, param.help)
    metavar = param.metavar.strip("[]")
    optional = metavar != param.metavar
    return Option(names, param.help, param.metavar, _proposals(param.opts, metavar), param.multiple, optional)


def _argument(param: Any) -> Argument:
    argument = Argument(param.metavar, param.help, repeatable=param.nargs == -1)
    return argument._replace(takes=_by_kind(argument.kind))


def _proposals(names: Iterable[str], metavar: str) -> Takes:
    """By its metavar where that is the words themselves (`free`, `a|b`), by the option's name, or by its kind."""
    if "|" in metavar and _LITERALS.fullmatch(metavar):
        return Takes(tuple(metavar.split("|")))
    by_name = [_BY_OPTION[name] for name in names if name in _BY_OPTION]
    if by_name:
        return by_name[0]
    if _LITERALS.fullmatch(metavar):
        return Takes(tuple(metavar.split("|")))
    return _by_kind(metavar)


def _by_kind(kind: str) -> Takes:
    if kind not in _BY_KIND:
        raise LookupError(f"what a shell can propose for `{kind}` is not said in {__name__}")
    return _BY_KIND[kind]


def _devices() -> Takes:
    """Selectors that fit without asking the machine anything: names of libraries, and what is saved."""
    return Takes(tuple(library.name.replace(" ", "-") for library in LIBRARIES if not library.witness), devices=True)


_BY_OPTION = {
    "--library": Takes(tuple(library.name.replace(" ", "-").lower() for library in LIBRARIES), listed=True),
    "--build": Takes((SYSTEM,)),
    "--step": Takes(tuple(stage.value for stage in StageName)),
    "--shell": Takes(tuple(SHELLS)),
    "--format": Takes(tuple(FORMATS)),
    "--engine": Takes(ENGINES),
    "--cache-type-k": Takes(CACHE_TYPES),
    "--cache-type-v": Takes(CACHE_TYPES),
}
_BY_KIND = {
    "DEVICE": _devices(),
    "WHO": _NOTHING,
    "ID": _NOTHING,
    "PROCESS": _NOTHING,
    "SHELL": Takes(tuple(SCRIPTS)),
    "CAPTURE": _FILES,
    "FILE": _FILES,
    "MODEL": _FILES,
    "DIR": Takes(paths="directories"),
    "CLAUSES": _NOTHING,
    "DURATION": _NOTHING,
    "NODES": _NOTHING,
    "SECONDS": _NOTHING,
    "N": _NOTHING,
    "SIZE": _NOTHING,
    "TOKENS": _NOTHING,
    "SHARES": _NOTHING,
    "PROGRAM": Takes(tuple(consumer.name for consumer in CONSUMERS)),
}
