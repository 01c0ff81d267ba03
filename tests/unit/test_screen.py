"""Text is made harmless where it leaves, once: whatever a capture, a child or a file says reaches no terminal raw."""

from __future__ import annotations

import io
import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.table import Table
from rich.text import Text

from gpuprobe.render.screen import Screen

OURS = re.compile(r"\x1b\[[0-9;]*m")


class Terminal(io.TextIOWrapper):
    """Standard output as a terminal that understands UTF-8."""

    def __init__(self, is_terminal: bool = True) -> None:
        super().__init__(io.BytesIO(), encoding="utf-8")
        self._is_terminal = is_terminal

    def isatty(self) -> bool:
        return self._is_terminal

    @property
    def shown(self) -> str:
        self.flush()
        return self.buffer.getvalue().decode("utf-8", "surrogateescape")  # type: ignore[attr-defined, no-any-return]


def a_screen(*, terminal: bool = True, **environ: str) -> Screen:
    return Screen(Terminal(terminal), Terminal(terminal), {"FORCE_COLOR": "1", "COLUMNS": "60", **environ})


def raw(text: str) -> list[str]:
    """The characters that a terminal may obey, our own colours aside."""
    return [each for each in OURS.sub("", text).replace("\n", "") if not each.isprintable()]


@given(st.text())
@pytest.mark.parametrize("wrapped", [str, Text, lambda text: Text(text, style="bold red")])
def test_no_text_reaches_a_terminal_raw(wrapped: Any, text: str) -> None:
    screen = a_screen()

    screen.show([wrapped(text)])

    assert raw(screen.out.shown) == []  # type: ignore[attr-defined]


@given(st.text(), st.text())
def test_nor_in_a_table(heading: str, cell: str) -> None:
    table = Table(heading)
    table.add_row(cell)
    screen = a_screen()

    screen.show([table])

    assert raw(screen.out.shown) == []  # type: ignore[attr-defined]


def test_our_own_colours_stay() -> None:
    screen = a_screen()

    screen.show([Text("a\x1b[2Jb", style="bold")])

    assert screen.out.shown == "\x1b[1ma\\x1b[2Jb\x1b[0m\n"  # type: ignore[attr-defined]


@given(st.dictionaries(st.text(), st.text() | st.lists(st.text())))
def test_a_document_is_ascii_without_control_characters_and_keeps_its_texts(said: dict[str, Any]) -> None:
    screen = a_screen(terminal=False)

    screen.write_document(said)

    text = screen.out.shown  # type: ignore[attr-defined]
    assert text.isascii()
    assert raw(text) == []
    assert json.loads(text) == said


def test_a_path_that_is_not_utf_8_is_spelled_as_the_survey_spells_it() -> None:
    screen = a_screen(terminal=False)

    screen.write_document({"path": "/d/\udcff\ud800.json"})

    assert json.loads(screen.out.shown) == {"path": "/d/\\xff\\ud800.json"}  # type: ignore[attr-defined]


def test_lines_for_a_shell_are_exact_in_a_pipe_and_harmless_on_a_terminal() -> None:
    line = "export VK_DRIVER_FILES='/d/\x1b]0;x\x07\udcff'\n"
    pipe, terminal = a_screen(terminal=False), a_screen()

    pipe.write_exactly(line)
    terminal.write_exactly(line)

    assert pipe.out.shown == line  # type: ignore[attr-defined]
    assert raw(terminal.out.shown) == []  # type: ignore[attr-defined]


@pytest.mark.parametrize(("told", "width"), [("9" * 5000, 1000), ("0" * 5000 + "7", 7), ("0" * 5000, 80), ("-1", 80)])
def test_columns_of_any_length_are_no_bug_of_ours(told: str, width: int) -> None:
    assert a_screen(COLUMNS=told).width == width
