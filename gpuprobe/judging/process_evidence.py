"""What was seen of a process, in the order of trust: each where it was read, and what stood there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from gpuprobe.judging.engine_words import Said
from gpuprobe.judging.held_memory import Holding
from gpuprobe.judging.mapped_libraries import Mapped
from gpuprobe.machine.known_programs import Asked
from gpuprobe.machine.process_records import Gathered, Interface, Process
from gpuprobe.strings import printable, size_text

KERNEL, DRIVER, MAPS, LOG, INTERFACE, COMMAND = "kernel", "driver", "maps", "log", "interface", "command line"
_MOST_FILES, _MOST_LINES, _LONGEST = 6, 4, 200
_DENIED = "cannot be read by this account"


class Finding(NamedTuple):
    source: str  # one of the words above
    place: str  # "/proc/12/fd", "NVML", "/var/log/server.log", "http://127.0.0.1:11434/api/ps"
    said: str


def evidence_of(gathered: Gathered, holding: Holding, mapped: Mapped, said: Said, asked: Asked) -> Iterator[Finding]:
    process = gathered.process
    yield _open_files(process)
    yield from _memory(holding)
    yield from _replaced(process)
    yield _mapped(process, mapped)
    yield from _log(gathered, said)
    for interface in gathered.interfaces:
        yield Finding(INTERFACE, f"http://127.0.0.1:{interface.port}{interface.path}", claim_text(interface))
    yield from (
        Finding(COMMAND, f"/proc/{process.number}", printable(each))
        for each in dict.fromkeys((asked.layers_by, asked.cpu_by))
        if each
    )


def _open_files(process: Process) -> Finding:
    place = f"/proc/{process.number}/fd"
    if process.nodes is None:
        return Finding(KERNEL, place, _DENIED)
    return Finding(KERNEL, place, f"open: {_names(process.nodes)}" if process.nodes else "no device file of a GPU is open")


def _names(paths: tuple[str, ...]) -> str:
    """Libraries by their names alone: their folders are long, and stand in the document."""
    more = f" and {len(paths) - _MOST_FILES} more" if len(paths) > _MOST_FILES else ""
    return ", ".join(map(printable, paths[:_MOST_FILES])) + more


def _memory(holding: Holding) -> Iterator[Finding]:
    for each in holding.held:
        size = "uses it; how much it holds is not told" if each.size is None else f"{size_text(each.size)} held"
        yield Finding(DRIVER, each.teller, f"{printable(each.device)}: {size}")
    if not holding.held and holding.is_told:
        tellers = ", ".join(dict.fromkeys(teller for _, teller in holding.counted))
        yield Finding(DRIVER, tellers or "the driver", "it lists nothing of this process")


def _replaced(process: Process) -> Iterator[Finding]:
    if process.replaced:
        yield Finding(MAPS, f"/proc/{process.number}/maps", f"replaced since it was started: {_names(process.replaced)}")


def _mapped(process: Process, mapped: Mapped) -> Finding:
    place = f"/proc/{process.number}/maps"
    if process.mapped is None:
        return Finding(MAPS, place, _DENIED)
    parts = tuple(part.path.rpartition("/")[2] for part in (*mapped.backends, *mapped.drivers))
    engines = f" ({', '.join(mapped.engines)} is loaded)" if mapped.engines else ""
    return Finding(MAPS, place, f"mapped: {_names(parts)}" if parts else f"nothing is mapped that computes on a GPU{engines}")


def _log(gathered: Gathered, said: Said) -> Iterator[Finding]:
    for log in gathered.logs:
        if log.text is None:
            yield Finding(
                LOG, printable(log.place), _DENIED if log.problem == "denied" else printable(log.problem or "not read")
            )
    place = next((log.place for log in gathered.logs if log.text is not None), None)
    if place is None:
        return
    lines = [*([said.line] if said.line else []), *(each.line for each in said.complaints[:_MOST_LINES])]
    weights = [f"{buffer.device} {size_text(buffer.size)}" for buffer in said.weights]
    if weights:
        yield Finding(LOG, printable(place), f"weights: {printable(', '.join(weights[:_MOST_FILES]))}")
    for line in lines:
        yield Finding(LOG, printable(place), printable(line[:_LONGEST]))
    if not lines and not weights:
        yield Finding(LOG, printable(place), "it says nothing about layers, buffers or a GPU")


def claim_text(interface: Interface) -> str:
    if interface.problem is not None:
        return printable(interface.problem)
    model = f"{printable(interface.model)}" if interface.model else "a model"
    if interface.size and interface.on_gpu is not None:
        share = min(100, round(interface.on_gpu * 100 / interface.size))
        return f"it says that {share} % of {model} are on a GPU"
    return f"it says that it serves {model}"
