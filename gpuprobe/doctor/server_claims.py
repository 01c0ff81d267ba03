"""A server that computes in processes of its own, says that a model is loaded, and has no such process.

What it says decides nothing: that it says so makes it a case to be judged, by what the kernel and the driver count. That is a
verdict only where they count everything: in a container, under `hidepid`, or where its files are closed, something may compute
for it unseen.
"""

from __future__ import annotations

from collections.abc import Sequence

from gpuprobe.judging.held_memory import Holding
from gpuprobe.machine.known_programs import Family, program_of
from gpuprobe.machine.process_records import Interface, Process, Table


def loaded(interfaces: Sequence[Interface]) -> Interface | None:
    """The first model that it says is loaded. One of size 0 is computed elsewhere."""
    return next((each for each in interfaces if each.size), None)


def why_uncounted(process: Process, holding: Holding, unseen: str | None) -> str | None:
    """A clause: why something that is not counted here may compute for this server; None: all is counted."""
    if unseen is not None:
        return unseen
    if process.is_denied:
        return "what it has open cannot be read"
    return None if holding.is_told else "nobody counts what is held on each device"


def why_unseen(table: Table, elsewhere: Sequence[int]) -> str | None:
    """A clause: why a process that computes may not be in this table; None: it would be. `elsewhere`: processes that a driver
    names and that are not here."""
    if table.namespace:
        return "only the processes of this container are seen"
    if table.hidden:
        return "`hidepid` of /proc hides processes of other accounts"
    if elsewhere:
        return f"the driver names process {elsewhere[0]}, which cannot be seen here"
    there = {each.number for each in table.found}
    stray = next((each for each in table.found if _is_a_runner(each) and each.parent not in there), None)
    return None if stray is None else f"process {stray.number} is a runner whose server is not seen"


def _is_a_runner(process: Process) -> bool:
    program = program_of(process.command)
    return program is not None and program.family is Family.OLLAMA_RUNNER
