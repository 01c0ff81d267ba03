"""What `running --watch` does: a reading every few seconds, drawn in its place on a terminal, else one after another."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing
from itertools import chain
from typing import TYPE_CHECKING

from gpuprobe.command import running_options
from gpuprobe.command.gathering import request_of
from gpuprobe.command.reply import Stream
from gpuprobe.command.running import Answer, answer_of, machine_of, reply_of
from gpuprobe.command.watching import interval_of, paced, sleep_until
from gpuprobe.doctor.process_summary import Absent
from gpuprobe.running_now import RunningNow, numbers_of_unit

if TYPE_CHECKING:
    from gpuprobe.command.options import Options
    from gpuprobe.render.screen import Screen


def watch(options: Options, text: str, targets: Sequence[str]) -> Stream:
    every = interval_of(text)
    wanted = running_options.read(targets)
    inventory = machine_of(options)

    def run(screen: Screen) -> None:
        answers = readings(RunningNow(inventory, request_of(options)), wanted)
        if options.json:
            with closing(answers) as found:
                paced(found, every, lambda answer: screen.write_line(reply_of(answer, options).document()), sleep_until)
        elif screen.can_be_drawn_on:
            _in_place(options, answers, every, screen)
        else:
            with closing(answers) as found:
                paced(found, every, lambda answer: screen.show([*reply_of(answer, options).text(screen), ""]), sleep_until)

    return Stream(run)


def readings(now: RunningNow, wanted: running_options.Wanted) -> Generator[Answer]:
    """A named process that has ended is said so in the last of them; a unit may be started again."""
    try:
        answer = answer_of(now, wanted)
        while True:
            yield answer
            if answer.named and not answer.shown and not wanted.units:
                return
            answer = _again(now, wanted, answer)
    finally:
        now.close()


def _again(now: RunningNow, wanted: running_options.Wanted, before: Answer) -> Answer:
    """A process or a unit that was there a moment ago is no wrong usage when it is gone. What belongs to a unit is looked up
    anew: a service that was restarted has other processes."""
    if wanted.is_all:
        return answer_of(now, wanted)
    named = tuple(each.process.number for each in before.shown if each.process.number in wanted.numbers)
    snapshot = now.read(named)
    of_units = {unit: numbers_of_unit(unit, snapshot.table) for unit in wanted.units}
    numbers = {*named, *chain.from_iterable(of_units.values())}
    shown = tuple(each for each in snapshot.processes if each.process.number in numbers)
    there = {each.process.number for each in shown}
    ended = tuple(number for number in named if number not in there)
    return Answer(snapshot, shown, named=True, absent=Absent(ended, tuple(unit for unit in of_units if not of_units[unit])))


def _in_place(options: Options, answers: Generator[Answer], every: float, screen: Screen) -> None:
    """The last picture stays when the terminal is as it was."""
    from gpuprobe.render.painter import Ended, Painter, Quit

    latest: list[Answer] = []
    with closing(answers) as found:
        first = next(found)
        try:
            with Painter(screen) as painter:

                def show(answer: Answer) -> None:
                    latest[:] = [answer]
                    painter.paint(lambda: list(reply_of(answer, options).text(screen)))

                paced(chain([first], found), every, show, painter.wait)
        except Quit:
            pass
        except Ended as ended:
            found.close()
            ended.end()
        finally:
            for answer in latest:
                screen.show(reply_of(answer, options).text(screen))
