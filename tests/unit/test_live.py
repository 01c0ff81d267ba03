"""The live view: it fits every width, whatever the figures are, and nothing in it moves or is guessed."""

from __future__ import annotations

from io import StringIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from gpuprobe.judging.figures import Activity, Figure, Silence, User, activity_from, why_silent
from gpuprobe.model import GiB, Outcome, Probe, Purpose, Status
from gpuprobe.render.ink import Text
from gpuprobe.render.live import Remembered, level, live_table, share_of
from gpuprobe.render.live_lines import latest
from gpuprobe.render.memory import age_of
from gpuprobe.render.screen import ByRich, Screen
from tests.records import a_device

NOW, BEFORE = "2026-11-21T09:01:00Z", "2026-11-21T09:00:00Z"
BUSY = Activity(
    utilization=37,
    temperature=61,
    power=215.4,
    power_limit=450.0,
    clock=2520,
    throttle_reasons=("software_power_cap", "hardware_thermal"),
    users=(User(1, GiB, "small"), User(2, None), User(3, 20 * GiB, "python3"), User(4, 2 * GiB), User(5, GiB)),
)


def figure(activity: Activity | None = BUSY, silence: Silence | None = None, **fields: object) -> Figure:
    known = {"name": "NVIDIA GeForce RTX 4090", "total_memory": 24 * GiB, "free_memory": 20 * GiB, "used_memory": 4 * GiB}
    device = a_device("CUDA", **{**known, "ordinal": 0, **fields})
    return Figure(device, "NVML", BEFORE, silence, activity)


def drawn(
    *figures: Figure, width: int = 80, height: int | None = None, history: tuple[float | None, ...] = (0.0, 0.5, None, 1.0)
) -> list[str]:
    screen = Screen(StringIO(), StringIO(), {"COLUMNS": str(width)})
    histories = dict.fromkeys(range(len(figures)), "".join(map(level, history)))
    return screen.drawn(live_table(figures, histories, NOW, width, height)).splitlines()


_DEVICES = tuple(
    figure(name=name, used_memory=used).device for name, used in (("RTX 4090", 4 * GiB), ("名前の長いカード", 24 * GiB))
)
_READ = tuple(
    Figure(device, "NVML", BEFORE, silence, activity)
    for activity in (BUSY, BUSY._replace(utilization=100, temperature=None), None)
    for silence in (None, Silence("it hangs"))
    for device in _DEVICES
)


@given(
    st.lists(
        st.tuples(
            st.lists(st.sampled_from(_READ), min_size=1, max_size=4),
            st.sampled_from((40, 80, 120, 200)),
            st.sampled_from((None, 12, 40)),
            st.text("▁▅·", max_size=40),
        ),
        min_size=2,
        max_size=6,
    )
)
@settings(deadline=None)
def test_what_is_remembered_of_the_readings_before_changes_nothing_that_is_seen(
    readings: list[tuple[list[Figure], int, int | None, str]],
) -> None:
    remembered = Remembered()
    for figures, width, height, history in readings:
        screen = Screen(StringIO(), StringIO(), {"COLUMNS": str(width), "FORCE_COLOR": "1"})
        histories = dict.fromkeys(range(len(figures)), history)
        again, anew = (
            screen.drawn(live_table(figures, histories, NOW, width, height, remembered=known)) for known in (remembered, None)
        )
        assert again == anew


def test_a_history_shows_the_latest_readings_and_leaves_a_dot_where_nobody_told() -> None:
    assert "".join(map(level, (0.0, 0.13, 0.5, None, 0.99, 1.0))) == "▁▂▅·██"
    assert latest("▁▅█", 10) == "▁▅█"
    assert latest("▁▅█", 2) == "▅█"
    assert latest("▅", 0) == ""


def test_a_history_is_of_how_busy_a_device_is_and_else_of_its_memory() -> None:
    assert share_of(figure()) == 0.37
    assert share_of(figure(activity=None)) == pytest.approx(4 / 24)
    assert share_of(figure(silence=Silence("why"))) is None
    assert share_of(figure(activity=None, used_memory=None)) is None
    assert share_of(figure(activity=None, total_memory=0)) is None


def test_a_wide_terminal_has_a_line_for_each_device_and_a_narrow_one_two() -> None:
    wide, folded = drawn(figure(), width=160), drawn(figure(), width=80)

    assert wide[0].split() == ["DEVICE", "NAME", "USED", "UTIL", "TEMP", "POWER", "CLOCK", "HISTORY"]
    assert wide[1].split("  ")[0] == "CUDA:0"
    assert wide[1].endswith(" 4.0 of 24.0 GiB   37 %   61 °C  215 of 450 W  2520 MHz  load ▁▅·█")
    assert folded[0].split() == ["DEVICE", "NAME", "USED", "UTIL", "TEMP", "POWER"]
    assert folded[2].split() == ["load", "▁▅·█", "██░░░░░░░░", "2520", "MHz"]


@pytest.mark.parametrize("width", [60, 80, 160, 200])
def test_a_device_that_its_driver_calls_by_a_dash_has_no_name(width: int) -> None:
    unnamed = figure(None, name="-", total_memory=None, free_memory=None, used_memory=None)

    assert drawn(unnamed, width=width)[1].startswith("CUDA:0")


def test_below_sixty_columns_a_device_is_a_block() -> None:
    assert drawn(figure(), width=50)[:4] == [
        "CUDA:0  NVIDIA GeForce RTX 4090",
        "  4.0 of 24.0 GiB ██░░░░░░░░",
        "  37 % load, 61 °C, 215 of 450 W, 2520 MHz",
        "  load ▁▅·█",
    ]


def test_how_busy_a_device_is_stays_away_from_a_block_where_nobody_tells_it() -> None:
    idle = Activity(utilization=None, temperature=61, power=None, power_limit=None, clock=None, throttle_reasons=(), users=())

    assert drawn(figure(idle), width=50)[2] == "  61 °C"
    assert "load" not in "\n".join(drawn(figure(activity=None), width=50))


def test_a_figure_that_nobody_ever_told_is_unknown_and_not_stale() -> None:
    lines = drawn(figure(None, Silence("Vulkan does not tell it"), free_memory=None, used_memory=None))

    assert "  unknown: Vulkan does not tell it" in lines


def test_what_nobody_tells_has_no_column_and_beside_a_card_that_tells_it_is_a_dash() -> None:
    alone, beside = drawn(figure(activity=None)), drawn(figure(activity=None), figure(), width=160)

    assert alone[0].split() == ["DEVICE", "NAME", "USED", "HISTORY"]
    assert "-" in beside[1] and "memory ▁▅·█" in beside[1]
    assert not any(" 0 " in line for line in beside)


def test_what_holds_a_card_back_who_uses_it_and_why_a_figure_is_old_stand_under_it() -> None:
    below = [line.strip() for line in drawn(figure(silence=Silence("NVML: it hung")), width=160)[2:]]

    assert below[:5] == [
        "last reading 1 minute old: NVML: it hung",
        "slowed down by: software power cap, hardware thermal",
        "DEVICE    MEMORY  USER  PROCESS",
        "CUDA:0  20.0 GiB  ?     python3 (3)",
        "CUDA:0   2.0 GiB  ?     (4)",
    ]


def test_after_a_clock_was_set_back_the_age_of_a_figure_is_unknown_and_not_nothing() -> None:
    ahead = figure(silence=Silence("NVML: it hung"))._replace(measured_at="2026-11-21T10:00:00Z")

    assert drawn(ahead, width=160)[2].strip() == "last reading of unknown age: NVML: it hung"
    assert age_of(ahead, NOW) == "?, stale"


def test_figures_that_change_move_nothing() -> None:
    def places(used: int, busy: int) -> list[int]:
        activity = BUSY._replace(utilization=busy, temperature=busy, power=float(busy), clock=busy)
        line = drawn(figure(activity, used_memory=used * GiB), width=160, history=())[1]
        return [line.index(mark) for mark in (" of 24.0 GiB", " %", " °C", " W", " MHz", "load")]

    assert places(4, 9) == places(23, 100)


_NUMBERS = st.none() | st.integers(0, 2**62)
_USERS = st.builds(User, st.integers(1, 2**31), _NUMBERS, st.none() | st.text(max_size=20))
_ACTIVITIES = st.none() | st.builds(
    Activity,
    utilization=st.none() | st.integers(0, 100),
    temperature=_NUMBERS,
    power=st.none() | st.floats(0, 1e6),
    power_limit=st.none() | st.floats(0, 1e6),
    clock=_NUMBERS,
    throttle_reasons=st.none() | st.lists(st.text(max_size=30)).map(tuple),
    users=st.none() | st.lists(_USERS, max_size=9).map(tuple),
)
_FIGURES = st.builds(
    figure,
    _ACTIVITIES,
    st.none() | st.builds(Silence, st.text(max_size=40)),
    name=st.none() | st.text(max_size=60),
    total_memory=_NUMBERS,
    free_memory=_NUMBERS,
    used_memory=_NUMBERS,
)


@settings(max_examples=150, deadline=None)
@given(st.lists(_FIGURES, max_size=4), st.integers(20, 220), st.lists(st.none() | st.floats(0, 1), max_size=300).map(tuple))
def test_whatever_is_told_fits_the_width_and_controls_nothing(
    figures: list[Figure], width: int, history: tuple[float | None, ...]
) -> None:
    lines = drawn(*figures, width=width, history=history)

    assert all(cell_len(line) <= width for line in lines)
    assert all(line.isprintable() for line in lines)


@settings(max_examples=50, deadline=None)
@given(st.lists(_FIGURES, max_size=3), st.integers(20, 220), st.booleans(), st.text("▁▄█·", max_size=300))
def test_what_is_drawn_is_what_rich_draws_of_it(figures: list[Figure], width: int, colour: bool, history: str) -> None:
    parts = list(live_table(figures, dict.fromkeys(range(3), history), NOW, width))
    environ = {"COLUMNS": str(width), **({"FORCE_COLOR": "1"} if colour else {})}
    by_rich = ByRich(colour, width)

    lines = Screen(StringIO(), StringIO(), environ).drawn(parts).splitlines()

    assert lines == [line.rstrip() for part in parts for line in by_rich.lines(part)]


def test_the_blanks_behind_a_cell_have_its_style_and_those_between_columns_none() -> None:
    screen = Screen(StringIO(), StringIO(), {"COLUMNS": "80", "FORCE_COLOR": "1"})
    parts = live_table([figure(BUSY._replace(users=(), throttle_reasons=(), utilization=80))], {0: "▁▄"}, NOW, 80)

    head, upper, lower = screen.drawn(parts).splitlines()

    assert head.startswith("\x1b[1mDEVICE\x1b[0m  \x1b[1mNAME ")
    assert upper.startswith("\x1b[1;32mCUDA:0\x1b[0m  NVIDIA GeForce RTX 4090 ")
    assert upper.endswith(" 4.0 of 24.0 GiB  \x1b[33m 80 %\x1b[0m   61 °C   215 W")
    assert lower.startswith("        \x1b[2mload \x1b[0m▁▄   ")
    assert lower.endswith("  \x1b[32m██░░░░░░░░      \x1b[0m                 2520 MHz")


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["pid", "used_memory_bytes", "name"]), inner),
    max_leaves=20,
)
_KEYS = (
    *("utilization_percent", "memory_utilization_percent", "temperature_celsius", "power_watts", "power_limit_watts"),
    *("clock_mhz", "memory_clock_mhz", "throttle_reasons", "processes"),
)


@given(_JSON | st.fixed_dictionaries({}, optional=dict.fromkeys(_KEYS, _JSON)))
def test_what_has_not_the_right_shape_in_a_childs_answer_is_unknown(said: object) -> None:
    activity = activity_from(said)

    assert (activity is None) == (not isinstance(said, dict))
    for value in activity or ():
        assert value is None or isinstance(value, tuple) or value >= 0


def test_a_process_without_a_number_is_none() -> None:
    said = {"processes": [{"pid": 7, "used_memory_bytes": 5}, {"pid": 0}, {"pid": "9"}, "rubbish", {"used_memory_bytes": 3}]}

    activity = activity_from(said)

    assert activity is not None
    assert activity.users == (User(7, 5),)


def test_eight_cards_and_who_uses_them_fit_a_terminal_of_80_columns_and_24_lines() -> None:
    cards = [figure(BUSY._replace(throttle_reasons=())) for _ in range(8)]

    lines = drawn(*cards, height=24)

    assert len(lines) <= 24 - 3, "the title, the time and a note stand above and below"
    assert [line.split()[0] for line in lines[1:9]] == ["CUDA:0"] * 8
    assert lines[0].split() == ["DEVICE", "NAME", "USED", "UTIL", "TEMP", "POWER"]


@pytest.mark.parametrize(("load", "degrees", "colours"), [(50, 60, set()), (80, 80, {"yellow"}), (99, 90, {"bold red"})])
def test_a_load_and_a_temperature_near_their_limits_are_coloured(load: int, degrees: int, colours: set[str]) -> None:
    near = figure(BUSY._replace(utilization=load, temperature=degrees))

    line = list(live_table([near], {}, NOW, 160))[1]
    assert isinstance(line, Text)
    styles = {style for _, style in line.pieces}

    assert styles & {"yellow", "bold red"} == colours


def test_of_the_witness_that_hangs_and_the_library_for_which_no_time_was_left_the_first_is_named() -> None:
    witness, library = Probe("NVML", Purpose.LIST), Probe("CUDA", Purpose.VALIDATE)
    hung = Outcome(witness, Status.TIMED_OUT, message="no answer within 3 s")
    late = Outcome(library, Status.SKIPPED, message="no time left")

    assert why_silent(figure().device, (witness, library), (hung, late)).because == "NVML: no answer within 3 s"


def test_a_high_terminal_shows_every_process_and_a_low_one_the_largest() -> None:
    users = tuple(User(number, number * GiB, "python3") for number in range(1, 21))
    crowd = figure(BUSY._replace(users=users))

    high, low = drawn(crowd, height=60), drawn(crowd, height=24)

    assert sum("python3" in line for line in high) == 20
    assert not any("more processes" in line for line in high)
    assert len(low) <= 24 - 4
    assert f"and {20 - sum('python3' in line for line in low)} more processes" in low[-1]


def test_a_narrow_block_leaves_out_the_limit_rather_than_break_the_line() -> None:
    assert "  37 % load, 61 °C, 215 W, 2520 MHz" in drawn(figure(), width=40)
