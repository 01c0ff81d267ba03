"""The first line of `running`, and what has to be said besides: what may not be read, and what is not seen from here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gpuprobe.doctor.process_verdicts import Judged, Where
from gpuprobe.machine.process_records import Table

_COUNTED = (
    (Where.ON_THE_GPU, "on the GPU"),
    (Where.PARTLY, "partly on the GPU"),
    (Where.ON_THE_CPU, "on the CPU although a GPU is usable"),
    (Where.RIGHTLY, "on the CPU, and rightly so"),
    (Where.CANNOT_TELL, "cannot be told"),
)


def headline(shown: Sequence[Judged], gone: Sequence[int]) -> str:
    if not shown:
        return f"process {gone[0]} ended while it was looked at" if gone else "no process that runs models was found"
    counts = [(sum(each.where is where for each in shown), words) for where, words in _COUNTED]
    said = ", ".join(f"{count} {words}" for count, words in counts if count)
    noun = "process" if len(shown) == 1 else "processes"
    return f"{len(shown)} {noun}: {said}"


def remarks(table: Table, elsewhere: Sequence[int], gone: Sequence[int], shown: Sequence[Judged]) -> Iterator[str]:
    yield from (f"process {number} ended while it was looked at" for number in gone if shown)
    if table.hidden:
        yield "/proc is mounted with `hidepid`: processes of other accounts are not seen; `sudo gpuprobe running` sees them"
    if table.namespace:
        yield "this is a container with processes of its own: what runs outside is not seen, and drivers count in other numbers"
    if table.unreadable:
        noun = "process" if table.unreadable == 1 else "processes"
        accounts = ", ".join(table.unreadable_accounts[:4]) + (", …" if len(table.unreadable_accounts) > 4 else "")
        whose = f" (of {accounts})" if accounts else ""
        yield f"{table.unreadable} {noun} of other accounts{whose} may not be looked into; `sudo gpuprobe running` may"
    if elsewhere and not table.namespace:
        noun = "process" if len(elsewhere) == 1 else "processes"
        yield f"the driver names {len(elsewhere)} {noun} that cannot be seen here: {', '.join(map(str, elsewhere[:6]))}"
