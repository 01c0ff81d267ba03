"""A picture drawn in its place: whole at once, never longer than the terminal, and the terminal as it was at the end."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from io import StringIO

import pytest
from rich.text import Text

from gpuprobe.render import painter
from gpuprobe.render.painter import Ended, Painter
from gpuprobe.render.screen import Screen

pytestmark = pytest.mark.skipif(os.name != "posix", reason="Windows has none of these signals")

NAMES = ("SIGWINCH", "SIGTSTP", "SIGTERM", "SIGHUP")


class Out(StringIO):
    encoding = "utf-8"


@pytest.fixture
def screen() -> Screen:
    """One that is no terminal, and has 24 rows therefore."""
    return Screen(Out(), StringIO(), {"COLUMNS": "40"})


@pytest.fixture(autouse=True)
def usual_signals() -> Iterator[None]:
    """Whoever runs the tests may ignore some, and a painter leaves those alone."""
    before = {name: signal.signal(getattr(signal, name), signal.SIG_DFL) for name in NAMES}
    yield
    for name, handler in before.items():
        signal.signal(getattr(signal, name), handler)


def written(screen: Screen) -> str:
    assert isinstance(screen.out, StringIO)
    return screen.out.getvalue()


def lines_of(*words: str) -> Callable[[], list[Text]]:
    return lambda: [Text(word) for word in words]


def test_the_terminal_is_left_as_it_was_also_where_something_breaks(screen: Screen) -> None:
    before = {name: signal.getsignal(getattr(signal, name)) for name in NAMES}

    with pytest.raises(ZeroDivisionError), Painter(screen):
        assert signal.getsignal(signal.SIGTERM) != before["SIGTERM"]
        raise ZeroDivisionError

    assert written(screen) == painter._ENTER + painter._LEAVE
    assert {name: signal.getsignal(getattr(signal, name)) for name in NAMES} == before


def test_a_picture_is_one_write_from_the_first_place_on_with_what_was_there_cleared(screen: Screen) -> None:
    """Each line is cleared before it is written: behind one as wide as the terminal that would take its last character."""
    with Painter(screen) as drawing:
        drawing.paint(lines_of("one", "two"))

    picture = written(screen).removeprefix(painter._ENTER).removesuffix(painter._LEAVE)
    assert picture == "\x1b[?2026h\x1b[H\x1b[Kone\n\x1b[Jtwo\x1b[?2026l"


@pytest.mark.parametrize(("count", "last"), [(24, "line 24"), (25, "… lines 1 to 23 of 25"), (100, "… lines 1 to 23 of 100")])
def test_what_does_not_fit_is_counted_and_scrolls_nothing(screen: Screen, count: int, last: str) -> None:
    with Painter(screen) as drawing:
        drawing.paint(lines_of(*(f"line {number}" for number in range(1, count + 1))))

    drawn = written(screen).partition("\x1b[H")[2].partition("\x1b[?2026l")[0].split("\n")
    assert (len(drawn), drawn[-1]) == (24, f"\x1b[J{last}")


def test_a_new_size_is_drawn_at_once_without_being_asked_to(screen: Screen) -> None:
    with Painter(screen) as drawing:
        drawing.paint(lines_of("one"))
        before = written(screen)
        signal.raise_signal(signal.SIGWINCH)

        assert painter._BEGIN in written(screen).removeprefix(before)


def test_a_new_size_in_the_middle_of_a_drawing_is_made_up_for_at_its_end(screen: Screen) -> None:
    sizes = [None, signal.SIGWINCH]

    def parts() -> list[Text]:
        if sizes and (number := sizes.pop()) is not None:
            signal.raise_signal(number)
        return [Text("one")]

    with Painter(screen) as drawing:
        drawing.paint(parts)

    assert written(screen).count(painter._BEGIN) == 2
    assert f"{painter._BEGIN}{painter._BEGIN}" not in written(screen)


def test_before_there_is_a_picture_a_new_size_draws_none(screen: Screen) -> None:
    with Painter(screen):
        signal.raise_signal(signal.SIGWINCH)

    assert painter._BEGIN not in written(screen)


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_signal_that_ends_programs_restores_the_terminal_on_its_way(screen: Screen, name: str) -> None:
    with pytest.raises(Ended), Painter(screen):
        signal.raise_signal(getattr(signal, name))

    assert written(screen).endswith(painter._LEAVE)


def test_a_signal_that_its_caller_ignores_stays_ignored(screen: Screen) -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)

    with Painter(screen):
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
