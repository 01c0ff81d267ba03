"""NVML: ask NVIDIA's management library, through its own binding `pynvml`, which cards are there and what they hold.

It only witnesses: a card that NVML lists and CUDA does not is a finding. It also sees what visibility variables hide from CUDA.
"""

from __future__ import annotations

import sys
import time

from gpuprobe.backends import calling
from gpuprobe.backends.nvml import binding, results
from gpuprobe.backends.nvml.card import Card, answered, raw, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from ctypes import CDLL
    from typing import Any

    from gpuprobe.backends.calling import Announce, Facts

    Json = dict[str, Any]
    Binding = tuple[Any, CDLL | None]  # the module pynvml, and the library where this file loaded it

_LOOK_SECONDS = 10.0


def load(candidates: Sequence[str], paths: Sequence[str]) -> Binding:
    """The binding, with our choice of library under it; Failed("not_loadable") where either is missing."""
    # pynvml opens `libnvidia-ml.so.1` by that name and takes no other. A library that is loaded already answers to its name, so
    # a candidate elsewhere (WSL) is found through it. On Windows pynvml looks in the system's own directory, by full path.
    library = None if sys.platform == "win32" else calling.load(candidates)
    try:
        pynvml = binding.imported()
    except Exception as problem:  # a damaged or foreign module of that name may raise anything
        where = ", ".join(paths) or "no directory"
        words = f"`pynvml` was looked for in {where} and not imported: {type(problem).__name__}: {problem}"
        raise calling.Failed("not_loadable", f"{words}; install the distribution `nvidia-ml-py`") from None
    return pynvml, library


def loaded_path(library: Binding) -> str | None:
    """The real file of the library under the binding."""
    return calling.loaded_path(library[1]) if library[1] is not None else None


def devices(library: Binding, announce: Announce, facts: Facts) -> Iterator[Json]:
    """Every card in NVML's order (by PCI address), each followed by its MIG instances, which are numbered behind all cards."""
    return _listed(library[0], announce, facts)


def readings(library: Binding, announce: Announce, facts: Facts, kept: Json) -> Iterator[Json]:
    """The same with what each card is doing. Started again for each reading, which NVML only counts.

    Of a card that the reading before knew, only what can change is asked. Every ten seconds it is looked for by its number, is
    asked for its UUID, and for what only an administrator changes: the slices of a card that was just cut come with that.
    """
    from gpuprobe.backends.nvml.activity import activity, activity_of_slice

    nvml, count = library[0], _started(library[0], announce, facts, kept)
    before: dict[int, tuple[Any, str]] = kept["cards"]
    now: dict[int, tuple[Any, str]] = {}
    kept["cards"] = now
    closely = _is_time_to_look_closely(kept)
    slices = count
    for number in range(count):
        handle, uuid = before.get(number, (None, None))
        card = Card(nvml, announce, number, kept["driver_version"], None if closely else handle)
        again = card.again(uuid, closely=closely) if uuid is not None else None
        described = again or card.described()
        if card.handle is not None:
            described["capabilities"]["activity"] = activity(card)
        line = card.line_again(again) if again else card.line(described)
        if line.get("uuid") and not (card.problems or card.is_cut):
            now[number] = card.handle, line["uuid"]
        yield line
        for each in card.slices(slices, _doing_of_slices(described, activity_of_slice)):
            slices += 1
            yield each


def _is_time_to_look_closely(kept: Json) -> bool:
    now = time.monotonic()
    if now < kept.get("look_due", now):
        return False
    kept["look_due"] = now + _LOOK_SECONDS
    return True


def _listed(nvml: Any, announce: Announce, facts: Facts) -> Iterator[Json]:
    kept: Json = {}
    slices = count = _started(nvml, announce, facts, kept)
    for number in range(count):
        card = Card(nvml, announce, number, kept["driver_version"])
        yield card.line(card.described())
        for each in card.slices(slices):
            slices += 1
            yield each


def _started(nvml: Any, announce: Announce, facts: Facts, kept: Json) -> int:
    """How many cards there are. `kept`: what is known from before, if the driver is as it was."""
    start(nvml, announce)
    announce("nvmlSystemGetDriverVersion")
    driver = text(answered(nvml, raw(nvml.nvmlSystemGetDriverVersion)))
    if kept.get("driver_version", 0) != driver:
        said = {"driver_version": driver, **_versions(nvml, announce)}
        kept.update(driver_version=driver, cards={}, said={key: value for key, value in said.items() if value is not None})
    facts(kept["said"])
    announce("nvmlDeviceGetCount_v2")
    count = check(nvml, "nvmlDeviceGetCount_v2", nvml.nvmlDeviceGetCount)
    if count == 0:
        raise calling.Failed("no_devices", "NVML started and counts no card")
    return count


def _doing_of_slices(described: Json, of_slice: Callable[[Any, Json], Json]) -> Callable[[Card], Json] | None:
    doing = described["capabilities"].get("activity") if described else None
    return None if doing is None else lambda one: of_slice(one, doing)


def start(nvml: Any, announce: Announce) -> None:
    announce("nvmlInitWithFlags")
    try:
        nvml.nvmlInitWithFlags(0)
    except nvml.NVMLError as error:
        status = "not_loadable" if error.value == results.LIBRARY_NOT_FOUND else "init_failed"
        raise results.failure(status, "nvmlInitWithFlags", error.value) from None


def check(nvml: Any, function: str, call: Callable[[], int]) -> int:
    try:
        return call()
    except nvml.NVMLError as error:
        raise results.failure("call_failed", function, error.value) from None


def _versions(nvml: Any, announce: Announce) -> dict[str, str | None]:
    announce("nvmlSystemGetNVMLVersion")
    own = text(answered(nvml, raw(nvml.nvmlSystemGetNVMLVersion)))
    announce("nvmlSystemGetCudaDriverVersion")
    cuda = answered(nvml, nvml.nvmlSystemGetCudaDriverVersion_v2) or answered(nvml, nvml.nvmlSystemGetCudaDriverVersion)
    return {"nvml_version": own, "cuda_version": f"{cuda // 1000}.{cuda % 1000 // 10}" if cuda else None}
