"""What is drawn without Rich is what Rich draws, to the byte."""

from __future__ import annotations

from collections.abc import Sequence
from io import StringIO
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as some
from rich.cells import cell_len as measured

from gpuprobe.render.ink import Indented, NotSimple, Table, Text, cell_len, fitted
from gpuprobe.render.screen import ByRich, Screen

STYLES = ["", "bold", "dim", "green", "bold green", "bold red", "yellow", "dim yellow"]
SIMPLE = "abc XY-.:0 1234  ░█▁…→é·/"
WIDE = SIMPLE + "日本👍🏽\u200d\u0301\ufe0f☃"

styles = some.sampled_from(STYLES)
words, few_words = some.text(SIMPLE, max_size=60), some.text(SIMPLE, max_size=14)
any_words = some.text(WIDE, max_size=30)
widths = some.integers(1, 90)
wraps = some.sampled_from(
    [{}, {"no_wrap": True}, {"no_wrap": True, "overflow": "ellipsis"}, {"no_wrap": True, "overflow": "crop"}]
)


def lines_of(text: some.SearchStrategy[str]) -> some.SearchStrategy[str]:
    return some.lists(text, min_size=1, max_size=3).map("\n".join)


@some.composite
def texts(draw: Any, of: some.SearchStrategy[str] = words) -> Text:
    parts = draw(some.lists(some.tuples(lines_of(of), styles), max_size=4))
    made = Text.assemble(*(part if part[1] else part[0] for part in parts), **draw(wraps))
    made.style = draw(styles)
    return made


@some.composite
def tables(draw: Any, of: some.SearchStrategy[str] = few_words) -> Table:
    count = draw(some.integers(1, 4))
    table = Table(draw(some.integers(1, 3)), header=draw(some.booleans()))
    for _ in range(count):
        table.add_column(Text(draw(of)), no_wrap=True, overflow="ellipsis")
    for _ in range(draw(some.integers(0, 4))):
        table.add_row(*(Text(draw(lines_of(of)), draw(styles)) for _ in range(count)))
    return table


def drawn(part: Any, width: int, colour: bool) -> str:
    environ = {"COLUMNS": str(width), **({"FORCE_COLOR": "1"} if colour else {})}
    return Screen(StringIO(), StringIO(), environ).drawn([part])


def by_rich(part: Any, width: int, colour: bool) -> str:
    return "".join(f"{line.rstrip()}\n" for line in ByRich(colour, width).lines(part))


@given(part=some.one_of(texts(), texts(any_words)), width=widths, colour=some.booleans())
@example(part=Text("one two  three", "bold"), width=7, colour=True)
@example(part=Text(""), width=7, colour=True)
def test_a_text(part: Text, width: int, colour: bool) -> None:
    assert drawn(part, width, colour) == by_rich(part, width, colour)


@given(part=texts(), by=some.integers(0, 6), width=some.integers(8, 90), colour=some.booleans())
def test_an_indented_text(part: Text, by: int, width: int, colour: bool) -> None:
    assert drawn(Indented(part, by), width, colour) == by_rich(Indented(part, by), width, colour)


@given(part=some.one_of(tables(), tables(some.text(WIDE, max_size=8))), width=widths, colour=some.booleans())
def test_a_table(part: Table, width: int, colour: bool) -> None:
    assert drawn(part, width, colour) == by_rich(part, width, colour)


@given(part=some.one_of(texts(), texts(any_words)), width=some.integers(0, 40), pad=some.booleans(), follows=words)
def test_a_text_that_is_cut_padded_and_appended(part: Text, width: int, pad: bool, follows: str) -> None:
    theirs = part.__rich__()
    theirs.truncate(width, overflow="ellipsis", pad=pad)
    line = part.copy()
    line.truncate(width, overflow="ellipsis", pad=pad)

    assert line.plain == theirs.plain

    whole, their_whole = (
        Text("«", "dim").append(line).append(follows),
        Text("«", "dim").__rich__().append(theirs).append(follows),
    )
    whole.rstrip()
    their_whole.rstrip()
    assert by_rich(whole, 200, True) == by_rich(_Theirs(their_whole), 200, True)


@given(
    column=some.lists(some.one_of(few_words, some.text(WIDE, max_size=14)), min_size=1, max_size=4), width=some.integers(0, 20)
)
@example(column=["narrow", "日本"], width=3)
@example(column=["12345", "1234", "123"], width=4)
def test_a_column_of_texts_is_cut_and_padded_as_each_of_them(column: list[str], width: int) -> None:
    theirs = [Text(text).__rich__() for text in column]
    for text in theirs:
        text.truncate(width, overflow="ellipsis", pad=True)

    assert fitted(column, width) == [text.plain for text in theirs]


class _Theirs:
    def __init__(self, text: Any) -> None:
        self._text = text

    def __rich__(self) -> Any:
        return self._text


@given(text=some.one_of(words, any_words, some.text(max_size=20)))
def test_how_many_cells_a_text_takes(text: str) -> None:
    assert cell_len(text) == measured(text)


def test_what_is_simple_needs_no_rich() -> None:
    parts: Sequence[Any] = [Text("a", "bold"), Indented(Text("b"), 2), Text.assemble(("CPU:", "bold"), " 8 cores; ░█ …")]
    table = Table(2)
    table.add_column("NAME")
    table.add_column("")
    table.add_row(Text("x"), Text("y", "bold green"))

    for part in (*parts, table):
        try:
            part.lines(80)
        except NotSimple:
            raise AssertionError(part) from None
