"""The first line of `running`, and what has to be said besides: what may not be read, and what is not seen from here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from gpuprobe.doctor.judged_process import Judged, Where
from gpuprobe.machine.process_records import Table

_COUNTED = (
    (Where.ON_THE_GPU, "on the GPU"),
    (Where.PARTLY, "partly on the GPU"),
    (Where.ON_THE_CPU, "on the CPU although a GPU is usable"),
    (Where.RIGHTLY, "on the CPU, and rightly so"),
    (Where.CANNOT_TELL, "cannot be told"),
)


class Absent(NamedTuple):
    """What was asked for and is not there: processes that ended while they were looked at, and units of which none computes."""

    ended: tuple[int, ...] = ()
    units: tuple[str, ...] = ()

    @property
    def sentences(self) -> Iterator[str]:
        yield from (f"process {number} ended while it was looked at" for number in self.ended)
        yield from (f"no process that computes belongs to the unit `{unit}` now" for unit in self.units)


def headline(shown: Sequence[Judged], absent: Absent, table: Table) -> str:
    if not table.looked_at:
        return "no process can be seen: there is nothing in /proc"
    if not shown:
        return next(absent.sentences, "no process that runs models was found")
    counts = [(sum(each.where is where for each in shown), words) for where, words in _COUNTED]
    said = ", ".join(f"{count} {words}" for count, words in counts if count)
    noun = "process" if len(shown) == 1 else "processes"
    return f"{len(shown)} {noun}: {said}"


def remarks(table: Table, elsewhere: Sequence[int], absent: Absent, shown: Sequence[Judged], *, as_root: bool) -> Iterator[str]:
    """`as_root`: this is root already, which may be forbidden to look, too (a container without CAP_SYS_PTRACE)."""
    yield from absent.sentences if shown else list(absent.sentences)[1:]
    if table.hidden:
        yield "/proc is mounted with `hidepid`: processes of other accounts are not seen; `sudo gpuprobe running` sees them"
    if table.namespace:
        yield "this is a container with processes of its own: what runs outside is not seen, and drivers count in other numbers"
    if table.unreadable:
        noun = "process" if table.unreadable == 1 else "processes"
        accounts = ", ".join(table.unreadable_accounts[:4]) + (", …" if len(table.unreadable_accounts) > 4 else "")
        whose = f" of {accounts}" if accounts else ""
        how = "CAP_SYS_PTRACE is missing here" if as_root else "`sudo gpuprobe running` may"
        # Which are the kernel's own threads stands in files that `hidepid` closes, too. A container sees none of them.
        may_be_threads = table.hidden and not table.namespace and table.unreadable > 1 and "root" in table.unreadable_accounts
        among = ", perhaps with the kernel's own threads" if may_be_threads else ""
        yield f"{table.unreadable} {noun}{whose} cannot be looked into{among}; {how}"
    if table.failures:
        noun = "process" if len(table.failures) == 1 else "processes"
        yield f"{len(table.failures)} {noun} could not be read ({table.failures[0]}): whether they compute is not known"
    if elsewhere and not table.namespace:
        noun = "process" if len(elsewhere) == 1 else "processes"
        yield f"the driver names {len(elsewhere)} {noun} that cannot be seen here: {', '.join(map(str, elsewhere[:6]))}"


def line_for(consumer: str, processes: Sequence[Judged]) -> str | None:
    """One line for `doctor --for CONSUMER`: what of that program runs now, the worst first. None: none of it runs.

    `consumer` as `doctor --for` is given it: "ollama", "llama.cpp", "vLLM", "pytorch".
    """
    called = consumer.strip().casefold()
    consumer = _ALSO_CALLED.get(called, called)
    own = [each for each in processes if each.program is not None and each.program.doctor == consumer and each.through is None]
    if not own:
        return None
    worst = max(own, key=lambda each: (_GRAVITY[each.where], -each.process.number))
    others = f"; {len(own) - 1} more of it {'runs' if len(own) == 2 else 'run'}" if len(own) > 1 else ""
    number = worst.process.number
    said = f"{worst.name} ({number}) is {_SHORT[worst.where]}: {worst.because}"
    return f"running now: {said}{others}; see `gpuprobe running {number}`"


_ALSO_CALLED = {"llama-server": "llama.cpp", "llamacpp": "llama.cpp", "pytorch": "torch"}
_GRAVITY = {Where.ON_THE_CPU: 4, Where.PARTLY: 3, Where.CANNOT_TELL: 2, Where.RIGHTLY: 1, Where.ON_THE_GPU: 0}
_SHORT = {
    Where.ON_THE_GPU: "on the GPU",
    Where.PARTLY: "partly on the GPU",
    Where.ON_THE_CPU: "on the CPU although a GPU is usable",
    Where.RIGHTLY: "on the CPU, and rightly so",
    Where.CANNOT_TELL: "not to be judged",
}
