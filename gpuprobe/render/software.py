"""Software that was found and how it fits a device: in documents, and in the text of `list DEVICE`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from gpuprobe.model import Device, Evidence, FoundSoftware, Json
from gpuprobe.strings import printable

if TYPE_CHECKING:
    from rich.console import RenderableType


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
        "path": printable(found.path),
        "where": found.where,
        "architectures": list(found.architectures),
        "problem": None if found.problem is None else printable(found.problem),
    }


def lines(answers: Iterable[Mapping[str, object]]) -> Iterator[RenderableType]:
    """Two lines for each: what it is and the answer, then why."""
    from gpuprobe.render.everything import heading
    from gpuprobe.render.tables import indented

    known = list(answers)
    if known:
        yield from heading("Software found, against this device (by its files; nothing was loaded)")
    for each in known:
        version = f" {printable(str(each['version'] or each['release'] or ''))}".rstrip()
        yield indented(f"{printable(str(each['name']))}{version}: {each['answer']}, {each['where']} {each['path']}")
        yield indented(str(each["because"]), by=6)
