"""Lines that are answered without Typer are read as Typer reads them, and every other line is Typer's."""

from __future__ import annotations

import inspect
import io
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpuprobe.command import commands, examining, exiting, plain_lines, refreshing, running, running_watch, selecting, watching
from gpuprobe.command.options import Options
from gpuprobe.command.reply import Reply
from gpuprobe.exits import Exit
from gpuprobe.render.screen import Screen

ANSWERING: tuple[tuple[Any, str], ...] = (
    (commands, "list_devices"),
    (examining, "doctor"),
    (selecting, "env"),
    (refreshing, "refresh"),
    (watching, "watch"),
    (running, "running"),
    (running_watch, "watch"),
)
FLAGS = ("--json", "--no-color", "--no-wake", "--quiet", "-q", "--verbose", "-v", "--allow-software")
VALUED = ("--from", "--timeout", "--deadline", "--library", "--lib-dir", "--software")
COMMANDS = ("list", "doctor", "env", "refresh", "running")
OTHER = ("-", "", "cuda,vk", "/a b", "--json=1", "--timeout=2", "--watch", "1", "0.5", ".", "CUDA:0", "--all", "--", "--help")
WORDS = (*FLAGS, *VALUED, *VALUED, *COMMANDS, *OTHER)

Call = tuple[str, dict[str, Any]]


def both(line: Sequence[str], plain: plain_lines.Line) -> tuple[list[Call], Options, Options]:
    """What is asked for by either road, and the options with which."""
    made: list[Call] = []
    screen = Screen(io.StringIO(), io.StringIO(), {})
    with pytest.MonkeyPatch.context() as patch:
        for module, name in ANSWERING:
            patch.setattr(module, name, _noted(f"{module.__name__}.{name}", getattr(module, name), made))
        options, _ = plain.answer(screen)
        by_typer, _ = exiting._read_by_typer(line, screen)
    return made, options, by_typer


def _noted(name: str, function: Callable[..., Any], made: list[Call]) -> Callable[..., Reply]:
    signature = inspect.signature(function)

    def note(*given: Any, **named: Any) -> Reply:
        bound = signature.bind(*given, **named)
        bound.apply_defaults()
        made.append((name, {key: tuple(value) if isinstance(value, list) else value for key, value in bound.arguments.items()}))
        return Reply(Exit.ANSWERED, dict, lambda screen: ())

    return note


LINES: tuple[tuple[str, ...], ...] = (
    (),
    ("--json",),
    ("-q", "--json"),
    *((command, *flags) for command in COMMANDS for flags in ((), ("--json",), FLAGS)),
    *((command, "--watch") for command in ("refresh", "running")),
    *((command, "--watch", "0.5", "--json") for command in ("refresh", "running")),
    *((command, "--json", "--watch", "--no-color") for command in ("refresh", "running")),
    ("refresh", "--json", "--json"),
    *((option, "1", "--json") for option in VALUED),
    *((command, "--json", option, "/a b") for command in COMMANDS for option in VALUED),
    ("list", "--lib-dir", "a", "--library", "cuda", "--lib-dir", "b", "--library", "vk"),
    ("refresh", "--watch", "1.2.3"),
)


@pytest.mark.parametrize("line", LINES, ids=" ".join)
def test_a_plain_line_asks_for_what_typer_would_ask_for(line: tuple[str, ...]) -> None:
    plain = plain_lines.read(line)

    assert plain is not None
    (ours, typers), options, by_typer = both(line, plain)
    assert ours == typers
    assert options == by_typer


@given(line=st.lists(st.sampled_from(WORDS), max_size=5))
def test_whatever_is_taken_for_plain_is_read_by_typer_in_the_same_way(line: list[str]) -> None:
    plain = plain_lines.read(line)
    if plain is None:
        return
    (ours, typers), options, by_typer = both(line, plain)

    assert ours == typers
    assert options == by_typer


@pytest.mark.parametrize(
    "line",
    [
        ("list", "CUDA:0"),
        ("--help",),
        ("--json", "list"),
        ("list", "--watch"),
        ("--watch",),
        ("refresh", "--watch", "soon"),
        ("refresh", "--watch", "1", "2"),
        ("refresh", "--watch", "1", "--watch", "2"),
        ("env", "--", "true"),
        ("list", "--timeout"),
        ("list", "--timeout", ""),
        ("list", "--timeout", "1", "--timeout", "2"),
        ("list", "--from", "-"),
        ("list", "--lib-dir", "--json"),
        ("list", "--timeout=1"),
        ("--version", "--timeout", "1"),
        ("lsit",),
        ("plan",),
        ("--version", "--json"),
    ],
    ids=" ".join,
)
def test_any_other_line_is_left_to_typer(line: tuple[str, ...]) -> None:
    assert plain_lines.read(line) is None


def test_the_version_is_the_same_by_either_road() -> None:
    def printed(*arguments: str) -> bytes:
        return subprocess.run([sys.executable, "-m", "gpuprobe", *arguments], capture_output=True, check=True).stdout

    assert printed("--version") == printed("version") == printed("-V")


@pytest.mark.parametrize("line", [("--version",), ("list", "--json"), ("env",), ("doctor", "--json"), ("refresh", "--json")])
def test_neither_typer_nor_rich_is_loaded_for_a_plain_line(line: tuple[str, ...]) -> None:
    ran = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "gpuprobe", *line], capture_output=True, text=True, check=False
    )

    loaded = {each.rpartition("|")[2].strip() for each in ran.stderr.splitlines() if each.startswith("import time:")}
    assert "gpuprobe.command.plain_lines" in loaded
    assert {"typer", "rich"}.isdisjoint(loaded)
