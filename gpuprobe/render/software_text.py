"""Software that was found and how it fits a device: in documents, and in the text of `list DEVICE`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from gpuprobe.strings import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rich.console import RenderableType

    from gpuprobe.facts import CodeFile, FoundEngine, FoundSoftware
    from gpuprobe.judging.architecture import Fit
    from gpuprobe.judging.compatibility import Compatibility
    from gpuprobe.model import Device, Evidence, Json
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
    return {"compatibility": [_judged(each) for each in answers]}


def _judged(each: Compatibility) -> Json:
    return {
        **_software(each.software),
        "answer": each.fit.answer.value,
        "because": printable(each.fit.because),
        "source": each.fit.source,
        "files": [{**_file(file), **_answer(fit)} for file, fit in each.files],
    }


def _answer(fit: Fit) -> Json:
    return {"answer": fit.answer.value, "because": printable(fit.because)}


def _software(found: FoundSoftware) -> Json:
    return {
        "name": found.name,
        "library": found.library,
        "through": found.through,
        "version": found.version,
        "release": found.release,
        "distribution": found.distribution,
        "path": found.path,
        "where": found.where,
        "architectures": list(found.architectures),
        "compiles": found.compiles,
        "files": [_file(file) for file in found.files],
        "needs": [{"name": need.name, "path": need.path, "others": list(need.others)} for need in found.needs],
        "damage": None if found.damage is None else printable(found.damage),
        "problem": None if found.problem is None else printable(found.problem),
    }


def _file(file: CodeFile) -> Json:
    return {
        "path": file.path,
        "architectures": list(file.architectures),
        "unread": None if file.unread is None else printable(file.unread),
        "packed": list(file.packed),
        "ptx": file.ptx,
        "main": file.main,
    }


def engine_records(engines: Iterable[FoundEngine]) -> Json:
    """The key `engines`, or nothing at all where there is none."""
    known = [
        {"name": each.name, "path": each.path, "where": each.where, "serves": each.serves, "status": "not_asked"}
        for each in engines
    ]
    return {"engines": known} if known else {}


def with_loads(record: Json, loads: Mapping[str, Loads]) -> Json:
    """A device's record with whether each library loads, where that was tried."""
    if not loads:
        return record
    known = [{**each, **_load(loads[each["path"]])} if each["path"] in loads else each for each in record["compatibility"]]
    return {**record, "compatibility": known}


def _load(load: Loads) -> Json:
    return {"loads": load.answer, "load_because": None if load.because is None else printable(load.because)}


def lines(answers: Iterable[Json]) -> Iterator[RenderableType]:
    """For each what it is and the answer, then why, and below that what of it differs or is missing."""
    from gpuprobe.render.everything import heading
    from gpuprobe.render.tables import indented

    known = list(answers)
    if known:
        yield from heading("Software found, judged for this device by its files")
    for each in known:
        yield indented(printable(f"{_title(each)}: {each['answer']}, {each['where']} {each['path']}"))
        yield indented(each["because"], by=6)
        for sentence in (*_files(each), *_needs(each)):
            yield indented(printable(sentence), by=6)
        if "loads" in each:
            said = f": {each['load_because']}" if each["load_because"] else ""
            yield indented(_LOADS[each["loads"]] + said, by=6)


def _title(each: Json) -> str:
    version = each["version"] or each["release"] or ""
    return f"{each['name']} {version}".rstrip() + (f" through {each['through']}" if each["through"] else "")


def _files(each: Json) -> Iterator[str]:
    """The files by their names, where there are several: what one of them lacks another may have."""
    for file in each["files"] if len(each["files"]) > 1 else ():
        yield f"{file['path'].rpartition('/')[2]}: {file['answer']}; {file['because']}"


def _needs(each: Json) -> Iterator[str]:
    missing = [need for need in each["needs"] if need["path"] is None]
    for need in missing:
        others = f"; there is {', '.join(need['others'])}" if need["others"] else ""
        yield f"{need['name']} was not found{others}"
    if each["needs"] and not missing:
        yield f"what it needs was found: {', '.join(need['name'] for need in each['needs'])}"


_LOADS = {True: "it loads", False: "it does not load", None: "whether it loads is not known"}
