"""Asking running servers how much memory is free on their GPUs: `GET /info` of Ollama's runners, on the loopback address.

What they say is trusted for one thing only: the free memory of a device that we know, which they must name as we do and
whose size they must know. All are asked at once; none gets longer than the limit, whatever it does with the connection.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from gpuprobe.judging.figures import ServerAnswer, Told, is_same
from gpuprobe.judging.identity import normal_uuid
from gpuprobe.libraries import library_named, spelled
from gpuprobe.model import Device, MiB
from gpuprobe.probing import loopback
from gpuprobe.probing.loopback import Refusal
from gpuprobe.probing.side_work import started_or_done
from gpuprobe.survey.running_servers import Server, is_its_own

SOURCE = "Ollama"
_WHOLE_ADDRESS = 12  # characters of 0000:01:00.0; older runners write bus, slot and *domain*, which reads as an address


def ask_servers(found: Sequence[Server], seconds: float) -> tuple[ServerAnswer, ...]:
    """The answers in the order of the servers, after `seconds` at most."""
    deadline = time.monotonic() + seconds
    answers: dict[Server, ServerAnswer] = {}

    def ask(server: Server) -> None:
        answers[server] = _answer(server, deadline)

    threads = [started_or_done(ask, server) for server in found]
    for thread in filter(None, threads):
        thread.join(max(0.0, deadline - time.monotonic()) + 0.05)
    late = f"no answer within {seconds:.1f} s"
    return tuple(answers.get(server, ServerAnswer(*server, problem=late)) for server in found)


def told_of(device: Device, answers: Sequence[ServerAnswer]) -> Told | None:
    """The free memory of this device by the servers that use it; the least, where several tell."""
    free = [
        other.free_memory
        for answer in answers
        for other in answer.devices
        if other.library == device.library and _is_about(device, other) and other.free_memory is not None
    ]
    return Told(Device(device.library, device.number, free_memory=min(free)), SOURCE) if free else None


def _is_about(device: Device, other: Device) -> bool:
    """The server's UUID is of the library's own kind, as ours is; sizes must agree, as must every name that both know."""
    if device.total_memory is None or other.total_memory is None:
        return False
    if abs(device.total_memory - other.total_memory) > max(device.total_memory * 0.05, 512 * MiB):
        return False
    return is_same(device, other._replace(uuid_space=device.uuid_space, partition=device.partition))


def _answer(server: Server, deadline: float) -> ServerAnswer:
    try:
        said = loopback.asked(server.port, "/info", deadline)
        # Between the look and the answer the process may have ended, and another one have taken the port.
        if not is_its_own(server):
            raise Refusal("the port is no longer its own")
        return ServerAnswer(*server, _devices(said))
    except Refusal as refusal:
        return ServerAnswer(*server, problem=str(refusal))


def _devices(said: object) -> tuple[Device, ...]:
    if not isinstance(said, list):
        raise Refusal("its answer is not a list of devices")
    return tuple(device for each in said[:256] if (device := _device(each)) is not None)


def _device(said: object) -> Device | None:
    """One entry, if it names a library, a device in it and plausible sizes; else nothing is taken from it."""
    if not isinstance(said, dict):
        return None
    library = spelled(said["backend"]) if isinstance(said.get("backend"), str) else None
    total, free = said.get("total_memory"), said.get("free_memory")
    if library is None or type(total) is not int or type(free) is not int or not 0 <= free <= total:
        return None
    return Device(
        library_named(library.name).name,
        0,
        uuid=_text(said.get("id")) if normal_uuid(_text(said.get("id"))) else None,
        pci_id=address if (address := _text(said.get("pci_id"))) and len(address) >= _WHOLE_ADDRESS else None,
        total_memory=total,
        free_memory=free,
    )


def _text(said: object) -> str | None:
    return said if isinstance(said, str) and len(said) < 100 else None
