"""The manual page: what the records of the command line, the exit codes and the variables become in man(7)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from textwrap import wrap

from gpuprobe.environment import CONSUMER, ENGINE, OVERRIDE, OWN, PLACE, SEARCH, VISIBILITY, Variable
from gpuprobe.exits import Exit
from gpuprobe.render.grammar import Command, Option, Program

WIDTH = 78  # of the source; the reader's terminal decides how the page is filled

KINDS = {
    VISIBILITY: "Variables that hide devices from a library",
    OVERRIDE: "Variables that change what a device is taken for, or the order of devices",
    CONSUMER: "Variables of Ollama",
    ENGINE: "Variables of llama.cpp and other engines, which change what they use",
    SEARCH: "Variables that say where libraries and drivers are looked for",
    OWN: "Variables of gpuprobe itself",
}
# What every program reads, as what it is for: nobody looks for it here. So with what tells a container (PLACE).
ORDINARY = {
    *("HOME", "PATH", "SYSTEMROOT", "PROGRAMFILES", "LOCALAPPDATA", "SHELL", "VIRTUAL_ENV", "CONDA_PREFIX"),
    *("XDG_CONFIG_HOME", "XDG_CONFIG_DIRS", "XDG_DATA_HOME", "XDG_DATA_DIRS", "LD_PRELOAD", "DYLD_LIBRARY_PATH"),
    *("GPUPROBE_CHILD", "GGML_NO_BACKTRACE"),
}

_FILES = (
    (
        "~/.cache/gpuprobe/discovery.json",
        "What `list` or `validate` found last, for `env`, `refresh` and the completion of devices. Below `XDG_CACHE_HOME` "
        "where that is set. It may be deleted at any time.",
    ),
    (
        "/usr/share/vulkan/icd.d, /etc/vulkan/icd.d",
        "Vulkan's driver manifests, read as the Vulkan loader does.",
    ),
    (
        "/usr/local/lib/ollama, /usr/lib/ollama",
        "Builds of Ollama, which are tested beside the system's libraries; more with `--lib-dir`.",
    ),
)
_JSON = (
    "With `--json` every command prints one document and nothing else on standard output, errors included; with `--watch` one "
    "document a line. `schema_version` is raised when a field goes or changes its meaning. Sizes are integers in bytes; `null` "
    "is what was asked and is unknown, and what was not asked is left out. The schemas are part of the package, in "
    "`gpuprobe/schemas`.",
    "Of `list`: `summary` (how many cards, how many usable, the first line), `cards` (each with `why`, which holds `reason`, "
    "`because` and `advice`, where it is not usable), `devices` (each with `selector`, such as `CUDA:0`), `dropped`, `probes` "
    "and `warnings`.",
)

SEE_ALSO = (("lspci", 8), ("nvidia-smi", 1), ("vulkaninfo", 1))

_SPECIAL = {"\\": r"\e", "-": r"\-", "'": r"\(aq", "`": r"\(ga", "^": r"\(ha", "~": r"\(ti", '"': r"\(dq"}


def page(program: Program, variables: Iterable[Variable], version: str, date: str) -> str:
    """The same text for the same arguments, whatever the machine and the day."""
    sections = {
        "NAME": [f"{program.name} \\- {_lowered(program.help.summary)}"],
        "SYNOPSIS": _synopsis(program),
        "DESCRIPTION": [*_filled(program.help.paragraphs[0]), *_paragraphs(*program.help.paragraphs[1:])],
        "COMMANDS": _commands(program),
        "OPTIONS": _options(program),
        "EXIT STATUS": _exit_status(),
        "ENVIRONMENT": _environment(variables),
        "FILES": [line for path, text in _FILES for line in _described(rf"\fI{_escaped(path)}\fP", text)],
        "JSON": [*_filled(_JSON[0]), *_paragraphs(*_JSON[1:])],
        "EXAMPLES": _examples(program),
        "SEE ALSO": [",\n".join(rf"\fB{_escaped(name)}\fP({section})" for name, section in SEE_ALSO)],
    }
    head = [
        '.\\" Written by `python -m gpuprobe.manual write`; changes here are lost.',
        f'.TH {program.name.upper()} 1 "{date}" "{program.name} {version}" "User Commands"',
        ".nh",  # commands and names of variables are copied from the page
        ".ad l",
    ]
    lines = [line for name, body in sections.items() for line in (f'.SH "{name}"', *body)]
    return "\n".join([*head, *lines]) + "\n"


def _synopsis(program: Program) -> Iterator[str]:
    yield from (f".B {program.name}", r"[\fIOPTION\fP]...")
    for command in program.commands:
        yield from (".br", f".B {program.name} {_escaped(command.name)}")
        behind = ["[-- COMMAND...]"] if command.runs_another else []
        arguments = (_metavar(each) for each in (*(argument.metavar for argument in command.arguments), *behind))
        yield " ".join([r"[\fIOPTION\fP]...", *arguments])


def _commands(program: Program) -> Iterator[str]:
    common = _common(program)
    for command in program.commands:
        yield f".SS {_escaped(command.name)}"
        yield from _filled(command.help.summary)
        yield from _paragraphs(*command.help.paragraphs)
        for argument in command.arguments:
            yield from _described(_metavar(argument.metavar), argument.summary)
        for option in command.options:
            if option not in common:
                yield from _option(option)
        yield from _paragraphs(_taken(command, common))


def _common(program: Program) -> tuple[Option, ...]:
    """What several commands have alike is described once."""
    names = {command.name for command in program.commands}
    return tuple(option for option, levels in program.placed.items() if len(names.intersection(levels)) > 1)


def _taken(command: Command, common: tuple[Option, ...]) -> str:
    taken = [option for option in common if option in command.options]
    if len(taken) == len(common):
        return "It takes all options of the section OPTIONS."
    return f"Of the section OPTIONS it takes {', '.join(f'`{option.names[-1]}`' for option in taken)}."


def _options(program: Program) -> Iterator[str]:
    common = _common(program)
    for option in (*common, *(option for option in program.options if option not in common)):
        yield from _option(option)


def _option(option: Option) -> Iterator[str]:
    value = f" {_metavar(option.metavar)}" if option.metavar else ""
    text = f"{option.summary} May be repeated." if option.repeatable else option.summary
    return _described(", ".join(rf"\fB{_escaped(name)}\fP" for name in option.names) + value, text)


def _exit_status() -> Iterator[str]:
    for code in Exit:
        yield from _described(rf"\fB{code.value}\fP", _sentence(code.meaning))


def _environment(variables: Iterable[Variable]) -> Iterator[str]:
    rows = list(variables)
    for kind, heading in KINDS.items():
        yield f'.SS "{_escaped(heading)}"'
        for row in rows:
            if row.kind == kind and row.name not in ORDINARY:
                yield from _variable(row)


def _variable(row: Variable) -> Iterator[str]:
    name = rf"\fB{_escaped(row.name)}\fP"
    names = rf"{name}, \fB{_escaped(row.name)}_\fP\fIn\fP" if row.per_device else name
    reader = "" if row.kind in (PLACE, OWN) else f" Read by {row.owner}."
    return _described(f"{names} ({_inline(row.takes)})", _sentence(row.effect) + reader)


def _examples(program: Program) -> Iterator[str]:
    for told in (program.help, *(command.help for command in program.commands)):
        for example in told.examples:
            yield from _described(rf"\fB{_escaped(example.line)}\fP", _sentence(example.meaning))
        if told.remark:
            yield from _paragraphs(told.remark)


def _described(tag: str, text: str) -> Iterator[str]:
    yield from (".TP", tag)
    yield from _filled(text)


def _paragraphs(*texts: str) -> Iterator[str]:
    for text in texts:
        yield ".PP"
        yield from _filled(text)


def _filled(text: str) -> list[str]:
    """Lines of source. One that would begin as a request is kept from it."""
    lines = wrap(_inline(text), WIDTH, break_long_words=False, break_on_hyphens=False)
    return [rf"\&{line}" if line[0] in ".'" else line for line in lines]


def _inline(text: str) -> str:
    """Prose in which what stands in backquotes is bold."""
    return re.sub(r"\\\(ga(.*?)\\\(ga", r"\\fB\1\\fP", _escaped(text))


def _metavar(text: str) -> str:
    """`[DEVICE]...` with what stands for something in italics, and what is typed as it is (`free`) bold."""
    italic = re.sub(r"[A-Z]+", lambda word: rf"\fI{word[0]}\fP", _escaped(text))
    return re.sub(r"(?<!\\)\b[a-z]+", lambda word: rf"\fB{word[0]}\fP", italic)


def _escaped(text: str) -> str:
    return "".join(_SPECIAL.get(character, character) for character in text)


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}" + ("" if text.endswith((".", ":")) else ".") if text else ""


def _lowered(text: str) -> str:
    return _escaped(text[0].lower() + text[1:].rstrip("."))
