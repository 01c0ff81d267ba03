"""The lines of the live view that are kept between two readings, beside the same drawn anew."""

from __future__ import annotations

from io import StringIO

from hypothesis import example, given
from hypothesis import strategies as st

from gpuprobe.render.ink import Drawn, Piece, Text
from gpuprobe.render.live_lines import Line, drawn_line
from gpuprobe.render.screen import Screen

_PIECES = st.lists(st.tuples(st.text("ab █·卡\u0301", max_size=4), st.sampled_from(("", "dim", "bold red"))), max_size=4)


def shown(part: Text | Drawn, **environ: str) -> str:
    return Screen(StringIO(), StringIO(), {"COLUMNS": "200", **environ}).drawn([part])


@example([("a card  ", "dim")], 5, [], "  ")
@example([("a card  ", "dim")], 0, [], "▁▂")
@given(_PIECES, st.one_of(st.none(), st.integers(-3, 30)), _PIECES, st.text("▁█· ", max_size=40))
def test_a_line_with_a_history_is_as_if_it_were_drawn_anew(
    before: list[Piece], room: int | None, after: list[Piece], history: str
) -> None:
    middle = [] if room is None else [((history[-room:] if room > 0 else "").ljust(room), "")]
    anew = Text.line([*before, *middle, *after])
    kept = Line(before, room, after)

    for _ in range(2):
        line = kept.with_history(history)
        assert shown(line, FORCE_COLOR="1") == shown(anew, FORCE_COLOR="1")
        assert shown(line) == shown(anew)


def test_what_rich_is_to_draw_is_left_to_it_and_the_rest_is_not() -> None:
    assert drawn_line([("the card 卡", "")]) is None
    card = drawn_line([("a card", "bold"), ("  ", "")])
    assert isinstance(card, Drawn) and card.__rich__().plain == "a card"
    assert isinstance(Line([("a card ", "bold")], 5, []).with_history("▁▂"), Drawn)
    assert isinstance(Line([("a card ", "bold")], 5, [("!", "dim")]).with_history("▁▂"), Drawn)
    assert isinstance(Line([("卡", "")], 5, []).with_history("▁▂"), Text)
