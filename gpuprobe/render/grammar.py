"""What can be typed after `gpuprobe`, as records: commands, options, arguments, and what a shell can propose for each."""

from __future__ import annotations

import re
from typing import NamedTuple


class Takes(NamedTuple):
    """What a shell can propose for a value. Nothing at all: a number, a new name, whatever no list can hold."""

    words: tuple[str, ...] = ()
    listed: bool = False  # several words with commas between them
    paths: str = ""  # "files" or "directories"
    devices: bool = False  # also what the saved discovery found


class Example(NamedTuple):
    line: str
    meaning: str  # empty where the line speaks for itself


class Help(NamedTuple):
    """A command's help: its first sentence, the paragraphs under it, the examples, and what is said under those."""

    summary: str
    paragraphs: tuple[str, ...] = ()
    examples: tuple[Example, ...] = ()
    remark: str = ""


class Option(NamedTuple):
    names: tuple[str, ...]
    summary: str
    metavar: str = ""  # empty for a switch, which takes no value
    takes: Takes = Takes()
    repeatable: bool = False
    optional: bool = False  # its value may be left out: it does not surely take the next word

    @property
    def takes_a_word(self) -> bool:
        return bool(self.metavar) and not self.optional


class Argument(NamedTuple):
    metavar: str  # as the usage line shows it: `[DEVICE]...`
    summary: str
    takes: Takes = Takes()
    repeatable: bool = False

    @property
    def kind(self) -> str:
        """What it is without the signs around it: `DEVICE`."""
        return re.sub(r"[^A-Z].*", "", self.metavar.lstrip("["))


class Command(NamedTuple):
    name: str
    help: Help
    options: tuple[Option, ...] = ()
    arguments: tuple[Argument, ...] = ()
    runs_another: bool = False  # what stands behind `--` is a command line of its own


class Program(NamedTuple):
    name: str
    help: Help
    options: tuple[Option, ...]  # its own, which stand before any command
    commands: tuple[Command, ...]
    default: str  # the command that is taken where none is given, with its options

    @property
    def leading(self) -> Command:
        """What may be typed before a command: the program's own options and those of the command that is the default."""
        own = {name for option in self.options for name in option.names}
        (default,) = (command for command in self.commands if command.name == self.default)
        borrowed = (option for option in default.options if own.isdisjoint(option.names))
        return Command("", self.help, (*self.options, *borrowed))

    @property
    def levels(self) -> tuple[Command, ...]:
        """Every place where options are typed: before a command, under an empty name, and behind each of them."""
        return (self.leading, *self.commands)

    @property
    def placed(self) -> dict[Option, tuple[str, ...]]:
        """Each option once, with the names of the levels that have it."""
        found: dict[Option, tuple[str, ...]] = {}
        for level in self.levels:
            for option in level.options:
                found[option] = (*found.get(option, ()), level.name)
        return found

    @property
    def with_a_value(self) -> tuple[str, ...]:
        """The options that take the next word, wherever they stand."""
        names = (name for level in self.levels for option in level.options if option.takes_a_word for name in option.names)
        return tuple(dict.fromkeys(names))


def explained(text: str) -> Help:
    """A docstring of the command line as a record. A block behind `\\b` holds examples, two blanks before each meaning."""
    blocks = [block for block in text.split("\n\n") if block.strip()]
    prose = tuple(" ".join(block.split()) for block in blocks if not block.lstrip("\n").startswith("\b"))
    kept = [line for block in blocks if block.lstrip("\n").startswith("\b") for line in block.strip("\b\n").splitlines()[1:]]
    examples = tuple(_example(line) for line in kept if line.startswith(" "))
    remark = " ".join(line for line in kept if not line.startswith(" "))
    return Help(prose[0], prose[1:], examples, remark)


def _example(line: str) -> Example:
    typed, _, meaning = line.strip().partition("  ")
    return Example(typed, meaning.strip())
