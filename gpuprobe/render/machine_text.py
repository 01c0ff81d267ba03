"""The machine in lines: the processor with its memory, and adapters that are not GPUs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from gpuprobe import machine
from gpuprobe.render.ink import Text
from gpuprobe.strings import printable, size_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rich.console import RenderableType

    from gpuprobe.facts import Host
    from gpuprobe.machine import Bystander


def processor_line(host: Host) -> RenderableType:
    """`CPU: AMD Ryzen 9 7950X, 16 cores, 32 threads, AVX2 …; 41.2 GiB of 62.7 GiB memory available; 8.0 GiB swap`."""
    processor, memory = machine.processor(host), machine.memory(host)
    chip = [
        printable(processor.model or "model unknown"),
        *(_counted(number, noun) for number, noun in ((processor.cores, "core"), (processor.threads, "thread")) if number),
        " ".join(processor.features or ()),
    ]
    limit = f" (container's limit {size_text(memory.limit)})" if memory.limit is not None else ""
    room = f"{_size(memory.available)} of {_size(memory.total)} memory available{limit}"
    parts = (", ".join(part for part in chip if part), room, _swap(memory.swap_total))
    return Text.assemble(("CPU:", "bold"), f" {'; '.join(parts)}")


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' if number != 1 else ''}"


def _size(size: int | None) -> str:
    return "?" if size is None else size_text(size)


def _swap(total: int | None) -> str:
    return "no swap" if total == 0 else f"{_size(total)} swap"


def bystanders(found: Iterable[Bystander]) -> Iterator[RenderableType]:
    """What a person might take for a GPU, named as what it is."""
    for one in found:
        yield Text(f"{printable(one.pci_id)} is not a compute GPU: {printable(one.what)}")
