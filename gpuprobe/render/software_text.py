"""Software that was found and how it fits a device: in documents, and in the text of `list DEVICE`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from gpuprobe.facts import FoundSoftware
from gpuprobe.model import Device, Evidence, Json
from gpuprobe.strings import printable

if TYPE_CHECKING:
    from rich.console import RenderableType

    from gpuprobe.probing.runtime_loading import Loads


def software_records(found: Iterable[FoundSoftware] | None) -> Json:
    """The key `software`, or nothing at all where it was not looked for."""
    return {} if found is None else {"software": [_software(each) for each in found]}


def compatibility_of(device: Device, evidence: Evidence) -> Json:
    """The key `compatibility`, or nothing at all where nothing was looked for."""
    from gpuprobe.judging import compatibility

    answers = compatibility.of_device(device, evidence)
    if answers is None:
        return {}
    return {
        "compatibility": [
            {
                **_software(each.software),
                "answer": each.fit.answer,
                "because": printable(each.fit.because),
                "source": each.fit.source,
            }
            for each in answers
        ]
    }


def _software(found: FoundSoftware) -> Json:
    return {
        "name": found.name,
        "library": found.library,
        "version": found.version,
        "release": found.release,
        "path": found.path,
        "where": found.where,
        "architectures": list(found.architectures),
        "problem": None if found.problem is None else printable(found.problem),
    }


def with_loads(record: Json, loads: Mapping[str, Loads]) -> Json:
    """A device's record with whether each library loads, where that was tried."""
    if not loads:
        return record
    known = [{**each, **_load(loads[each["path"]])} if each["path"] in loads else each for each in record["compatibility"]]
    return {**record, "compatibility": known}


def _load(load: Loads) -> Json:
    return {"loads": load.answer, "load_because": None if load.because is None else printable(load.because)}


def lines(answers: Iterable[Json]) -> Iterator[RenderableType]:
    """Two lines for each: what it is and the answer, then why."""
    from gpuprobe.render.everything import heading
    from gpuprobe.render.tables import indented

    known = list(answers)
    if known:
        yield from heading("Software found, against this device, by its files")
    for each in known:
        name = f"{each['name']} {each['version'] or each['release'] or ''}".rstrip()
        yield indented(printable(f"{name}: {each['answer']}, {each['where']} {each['path']}"))
        yield indented(each["because"], by=6)
        if "loads" in each:
            said = f": {each['load_because']}" if each["load_because"] else ""
            yield indented(_LOADS[each["loads"]] + said, by=6)


_LOADS = {True: "it loads", False: "it does not load", None: "whether it loads is not known"}
