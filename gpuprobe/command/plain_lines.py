"""Command lines that can be read in one way only are answered without Typer, which takes longer to load than the rest.

Such a line is a command without arguments, and after it only the options below. `tests/unit/test_plain_lines.py` holds that
Typer reads each of them the same; whatever else is given, also what is wrong, is Typer's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gpuprobe import __version__
from gpuprobe.command.options import WATCH, WATCH_SECONDS, DoctorOptions, Options
from gpuprobe.command.reply import Reply, Stream
from gpuprobe.exits import Exit
from gpuprobe.record_classes import NamedTuple
from gpuprobe.render.screen import Screen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_FLAGS = {
    "--allow-software": "allow_software",
    "--json": "json",
    "--no-color": "no_color",
    "--no-wake": "no_wake",
    "--quiet": "quiet",
    "-q": "quiet",
    "--verbose": "verbose",
    "-v": "verbose",
}
_VALUES = {"--from": "source", "--timeout": "timeout", "--deadline": "deadline"}
_LISTS = {"--library": "library", "--lib-dir": "lib_dir", "--software": "software"}  # may be given several times
_VERSION = "--version"
_NUMBER = frozenset("0123456789.")


class Line(NamedTuple):
    """`given`: fields of Options. `watch`: the seconds as they were given; None without the option."""

    command: str
    given: dict[str, Any]
    watch: str | None = None

    def answer(self, screen: Screen) -> tuple[Options, Reply | Stream]:
        options = Options(screen, **self.given)
        return options, _COMMANDS[self.command](options, self.watch)


def read(arguments: Sequence[str]) -> Line | None:
    """None: it is for Typer to read."""
    words = list(arguments)
    if not words or words[0] in _FLAGS or words[0] in _VALUES or words[0] in _LISTS:
        words.insert(0, "list")
    return _read(words[0], words[1:]) if words[0] in _COMMANDS else None


def _read(command: str, words: list[str]) -> Line | None:
    given: dict[str, Any] = {}
    watch = None
    while words:
        word = words.pop(0)
        if word == WATCH and command in _WATCHED and watch is None:
            watch = words.pop(0) if words and _is_number(words[0]) else WATCH_SECONDS
            if words and not words[0].startswith("-"):
                return None
        elif command == _VERSION or not _took(word, words, given):
            return None
    return Line(command, given, watch)


def _took(word: str, rest: list[str], given: dict[str, Any]) -> bool:
    """Whether it is an option of all commands, which stands in `given` then; its value is taken from the rest."""
    if word in _FLAGS:
        given[_FLAGS[word]] = True
        return True
    if not rest or rest[0][:1] in ("", "-"):
        return False
    if word in _LISTS:
        given[_LISTS[word]] = (*given.get(_LISTS[word], ()), rest.pop(0))
        return True
    if word in _VALUES and _VALUES[word] not in given:
        given[_VALUES[word]] = rest.pop(0)
        return True
    return False


def _is_number(word: str) -> bool:
    return bool(word) and _NUMBER.issuperset(word)


def _version(options: Options, watch: str | None) -> Reply:
    return Reply(Exit.ANSWERED, dict, lambda screen: (), lines=f"gpuprobe {__version__}\n")


def _list(options: Options, watch: str | None) -> Reply:
    from gpuprobe.command import commands

    return commands.list_devices(options)


def _doctor(options: Options, watch: str | None) -> Reply:
    from gpuprobe.command import examining

    return examining.doctor(options, (), DoctorOptions())


def _env(options: Options, watch: str | None) -> Reply:
    from gpuprobe.command import selecting
    from gpuprobe.command.choosing import Choice

    return selecting.env(options, (), Choice())


def _refresh(options: Options, watch: str | None) -> Reply | Stream:
    from gpuprobe.command import refreshing, watching

    return refreshing.refresh(options) if watch is None else watching.watch(options, watch, diff=False)


def _running(options: Options, watch: str | None) -> Reply | Stream:
    from gpuprobe.command import running, running_watch

    return running.running(options, ()) if watch is None else running_watch.watch(options, watch, ())


_COMMANDS: dict[str, Callable[[Options, str | None], Reply | Stream]] = {
    _VERSION: _version,
    "list": _list,
    "doctor": _doctor,
    "env": _env,
    "refresh": _refresh,
    "running": _running,
}
_WATCHED = ("refresh", "running")
