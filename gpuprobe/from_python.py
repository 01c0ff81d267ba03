"""`gpuprobe.report()` and `gpuprobe.discover()`: what a Python program may ask, and the errors for what it may not."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from functools import wraps
from inspect import signature
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

if TYPE_CHECKING:
    from gpuprobe import model
    from gpuprobe.python_records import Inventory

Json = dict[str, Any]
_Arguments = ParamSpec("_Arguments")
_Answer = TypeVar("_Answer")


def report(
    *,
    libraries: str | Iterable[str] = (),
    timeout: float | None = None,
    deadline: float | None = None,
    quick: bool = False,
    allow_software: bool = False,
    wake: bool = True,
    lib_dirs: str | os.PathLike[str] | Iterable[str | os.PathLike[str]] = (),
    capture: str | os.PathLike[str] | None = None,
) -> Json:
    """The document of `gpuprobe list --json`, as a dictionary.

    `libraries`: ask only these, in any case ("cuda", "level-zero"). `timeout` (seconds) is for each child, `deadline` for
    everything. `quick` lists without initialising. `allow_software` includes renderers that run on the CPU. `wake=False`
    leaves sleeping cards asleep. `lib_dirs` are further directories with builds of Ollama or llama.cpp. `capture` is a file
    of `gpuprobe capture`, which is judged instead of this machine.

    A driver that crashes or hangs raises nothing: it is part of the answer. Raises TypeError and ValueError for arguments that
    mean nothing, with what is taken, and `NotStarted` where this program has no Python to start children with. It takes as
    long as the slowest library; nothing is loaded into this process, and nothing is written.
    """
    from gpuprobe.command import listing
    from gpuprobe.model import Request, ValidationScope

    request = Request(
        libraries=_libraries(libraries),
        validate=ValidationScope.NONE if _flag("quick", quick) else ValidationScope.NEEDED,
        seconds=_seconds("timeout", timeout),
        deadline=_seconds("deadline", deadline),
        allow_software=_flag("allow_software", allow_software),
        wake=_flag("wake", wake),
        lib_dirs=_directories(lib_dirs),
    )
    inventory = _judged(request, capture)
    part = listing.part_of(inventory, None)
    text, leave_with = listing.headline(inventory, part, quick, None)
    return listing.document(inventory, part, text, leave_with)


def _asked_as(ask: Callable[_Arguments, Json]) -> Callable[[Callable[[Json], _Answer]], Callable[_Arguments, _Answer]]:
    """Makes a function of a document one that takes the arguments for which `ask` gives such a document."""

    def asking(made_of: Callable[[Json], _Answer]) -> Callable[_Arguments, _Answer]:
        @wraps(made_of)
        def asked(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> _Answer:
            return made_of(ask(*args, **kwargs))

        # What `help` and editors show; `wraps` alone would show the document as the argument.
        asked.__dict__["__signature__"] = signature(ask).replace(return_annotation=made_of.__annotations__["return"])
        return asked

    return asking


@_asked_as(report)
def discover(document: Json) -> Inventory:
    """The answer of `gpuprobe list` as records; the arguments and the errors are those of `report`."""
    from gpuprobe.python_records import inventory_of

    return inventory_of(document)


def _judged(request: model.Request, capture: str | os.PathLike[str] | None) -> model.Inventory:
    from gpuprobe.command.gathering import refuse_an_unmatched_choice
    from gpuprobe.deepening import judged
    from gpuprobe.exits import WrongUsage
    from gpuprobe.judging.rules import judge

    try:
        if capture is not None:
            return judge(_replayed(request, capture), request)
        from gpuprobe.discovery import gather
        from gpuprobe.probing.start import interpreter
        from gpuprobe.survey.host import read_host

        interpreter()
        host = read_host(lib_dirs=request.lib_dirs, software_dirs=request.software_dirs)
        refuse_an_unmatched_choice(host)
        return judged(gather(host, request), request)
    except WrongUsage as wrong:
        raise ValueError(f"{wrong.message}; {wrong.hint}") from wrong


def _replayed(request: model.Request, capture: str | os.PathLike[str]) -> model.Evidence:
    from pathlib import Path

    from gpuprobe.capture import load
    from gpuprobe.discovery import replay

    if not isinstance(capture, str | os.PathLike):
        raise TypeError(f"capture takes the path of a file that `gpuprobe capture` wrote, not {capture!r}")
    return replay(load(Path(capture), request.deadline), request)


def _libraries(given: object) -> tuple[str, ...]:
    from gpuprobe.libraries import LIBRARIES, spelled

    what = f"libraries takes names, of {', '.join(library.name for library in LIBRARIES)}"
    texts = given.split(",") if isinstance(given, str) else _several(given, what)
    found = {text: spelled(text.strip()) if isinstance(text, str) else None for text in texts}
    unknown = [text for text, library in found.items() if library is None]
    if unknown:
        raise ValueError(f"{what}; {unknown[0]!r} is none of them")
    return tuple(dict.fromkeys(library.name for library in found.values() if library is not None))


def _seconds(name: str, given: object) -> float | None:
    what = f"{name} takes seconds, more than 0 and less than 1000000, or None"
    if given is None:
        return None
    if isinstance(given, bool) or not isinstance(given, int | float):
        raise TypeError(f"{what}, not {given!r}")
    if not 0 < given < 1e6:
        raise ValueError(f"{what}, not {given!r}")
    return float(given)


def _flag(name: str, given: object) -> bool:
    if not isinstance(given, bool):
        raise TypeError(f"{name} takes True or False, not {given!r}")
    return given


def _directories(given: object) -> tuple[str, ...]:
    from pathlib import Path

    what = "lib_dirs takes directories that hold builds"
    paths = [given] if isinstance(given, str | os.PathLike) else _several(given, what)
    for path in paths:
        if not isinstance(path, str | os.PathLike):
            raise TypeError(f"{what}, not {path!r}")
        if not Path(path).is_dir():
            raise ValueError(f"{what}, and {os.fspath(path)!r} is none")
    return tuple(dict.fromkeys(str(Path(path).absolute()) for path in paths if isinstance(path, str | os.PathLike)))


def _several(given: object, what: str) -> list[object]:
    if not isinstance(given, Iterable) or isinstance(given, bytes):
        raise TypeError(f"{what}, not {given!r}")
    return list(given)
