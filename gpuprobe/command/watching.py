"""What `refresh --watch` does: a reading every few seconds, drawn in its place on a terminal, else one after another."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Generator, Iterable, Sequence
from itertools import chain

from gpuprobe.command.gathering import request_of, seconds_of
from gpuprobe.command.options import WATCH
from gpuprobe.command.refreshing import discovered, refreshed, reply_of, start_of
from gpuprobe.command.reply import Stream
from gpuprobe.contexts import closing
from gpuprobe.doctor.refreshed import Refreshment
from gpuprobe.exits import WrongUsage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeVar

    from rich.console import RenderableType

    from gpuprobe.command.options import Options
    from gpuprobe.render.screen import Screen

    _Answer = TypeVar("_Answer")

_SHORTEST, _LONGEST = 0.1, 86400.0  # seconds
_MOST_REMARKS = 3
_WITHOUT_DIGITS = str.maketrans("", "", "0123456789")
_REMEMBERED = 1000  # readings; no terminal has more columns

Show = Callable[[Refreshment], None]


def watch(options: Options, text: str, devices: Sequence[str] = (), *, diff: bool) -> Stream:
    every = interval_of(text)
    request_of(options)
    if options.source is not None:
        raise WrongUsage("a capture cannot be watched, so `--from` has no meaning with `--watch`", "leave one of them out")

    def run(screen: Screen) -> None:
        if options.json:
            _one_after_another(options, devices, every, _writing(options, diff))
        elif screen.can_be_drawn_on:
            _in_place(options, devices, every, diff, screen)
        else:
            _one_after_another(options, devices, every, _printing(options, every, diff, screen))

    return Stream(run)


def interval_of(text: str) -> float:
    """Seconds between two readings, as `--watch` was given them; WrongUsage where they are none."""
    takes = f"the seconds between two readings, {_SHORTEST:g} to {_LONGEST:g}"
    return seconds_of(WATCH, text, lambda seconds: _SHORTEST <= seconds <= _LONGEST, takes)


def readings(options: Options, devices: Sequence[str] = ()) -> Generator[Refreshment]:
    """The first is that of the discovery, where one had to be made."""
    from gpuprobe.readings import Watching

    start = start_of(options, devices)
    if start.anew is not None:
        yield discovered(start)
    known = start.inventory
    watching = Watching(known.kept, known.evidence, request_of(options), start.host)
    try:
        while True:
            reading = watching.read()
            yield refreshed(known, reading.refreshed, reading.remarks)
    finally:
        watching.close()


def paced(found: Iterable[_Answer], every: float, show: Callable[[_Answer], None], wait: Callable[[float], None]) -> None:
    """In even steps from the first reading on; one that takes longer than a step is not made up for."""
    due = time.monotonic()
    for place, answer in enumerate(found):
        show(answer)
        if place == 0:
            collected_from_now_on()
        due = max(due + every, time.monotonic())
        wait(due)


def collected_from_now_on() -> None:
    """Garbage is looked for, as it is not in commands that end at once; what a start has loaded stays, and is passed over."""
    gc.freeze()
    gc.enable()


def _writing(options: Options, diff: bool) -> Show:
    from gpuprobe.doctor.lasting_notes import LastingNotes

    lasting = LastingNotes()
    return lambda answer: written(answer, options, diff=diff, machine_notes=lasting.on(answer))


def written(answer: Refreshment, options: Options, *, diff: bool, machine_notes: Sequence[str] | None = None) -> None:
    """One reading as a document in a line of its own; what was asked for it is half of the line, and mostly says nothing."""
    document = reply_of(answer, options, diff, machine_notes=machine_notes).document()
    failed = any(outcome.status.failed or outcome.status.undecided for outcome in answer.evidence.outcomes)
    if not (failed or options.verbose):
        del document["probes"]
    options.screen.write_line(document)


def _one_after_another(options: Options, devices: Sequence[str], every: float, show: Show) -> None:
    with closing(readings(options, devices)) as found:
        paced(found, every, show, sleep_until)


def sleep_until(until: float) -> None:
    time.sleep(max(0.0, until - time.monotonic()))


class Picture:
    """What is to be seen now: the latest reading, what each device did before, and what became of children lately."""

    def __init__(self, options: Options, every: float, diff: bool, screen: Screen) -> None:
        from gpuprobe.doctor.lasting_notes import LastingNotes
        from gpuprobe.render.live import Remembered

        self._options, self._every, self._diff, self._screen = options, every, diff, screen
        self._histories: dict[int, str] = {}
        self.remarks: dict[str, tuple[str, int]] = {}  # without numbers: as it was last said, and how often
        self._answer: Refreshment | None = None
        self._notes: Sequence[str] = ()  # on the machine
        self._lasting, self._drawn = LastingNotes(), Remembered()

    def take(self, answer: Refreshment) -> None:
        from gpuprobe.render.live import level, share_of

        for place, figure in enumerate(answer.figures):
            self._histories[place] = (self._histories.get(place, "") + level(share_of(figure)))[-_REMEMBERED:]
        for remark in answer.remarks:
            same = remark.translate(_WITHOUT_DIGITS)
            _, often = self.remarks.pop(same, ("", 0))
            self.remarks[same] = f"{answer.evidence.gathered_at}: {remark}", often + 1
        for forgotten in list(self.remarks)[:-_MOST_REMARKS]:  # a driver that says something else each time fills no memory
            del self.remarks[forgotten]
        remarks = (f"{said} ({often} times so far)" if often > 1 else said for said, often in self.remarks.values())
        notes = () if self._options.quiet else self._lasting.on(answer)
        self._answer, self._notes = answer._replace(remarks=tuple(remarks)), notes

    def parts(self, height: int | None = None, *, is_last: bool = False) -> Iterable[RenderableType]:
        from gpuprobe.render.texts import watch_text

        if self._answer is None:
            return ()
        width, diff, every = self._screen.width, self._diff, self._every
        return watch_text(
            self._answer,
            self._options,
            width,
            diff=diff,
            every=every,
            histories=self._histories,
            notes=self._notes,
            height=height,
            is_last=is_last,
            remembered=self._drawn,
        )


def _printing(options: Options, every: float, diff: bool, screen: Screen) -> Show:
    picture = Picture(options, every, diff, screen)

    def show(answer: Refreshment) -> None:
        picture.take(answer)
        screen.show([*picture.parts(), ""])

    return show


def _in_place(options: Options, devices: Sequence[str], every: float, diff: bool, screen: Screen) -> None:
    """The last picture stays when the terminal is as it was."""
    from gpuprobe.render.painter import Ended, Painter, Quit

    picture, painter = Picture(options, every, diff, screen), Painter(screen)
    with closing(readings(options, devices)) as found:
        first = next(found)  # a discovery shows what it asks on the ordinary screen
        try:
            with painter:

                def show(answer: Refreshment) -> None:
                    picture.take(answer)
                    painter.paint(lambda: picture.parts(painter.height))

                paced(chain([first], found), every, show, painter.wait)
        except Quit:
            pass
        except Ended as ended:
            found.close()
            ended.end()
        finally:
            screen.show(picture.parts(painter.height, is_last=True))
