"""From a document of `list`, `validate` or `doctor` to what a row says of its machine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from gpuprobe.fleet.rows import LONGEST_REASON, Problem, Reading, Standing, Trouble, Verdict
from gpuprobe.fleet.shape import Json, record, records, text, whole
from gpuprobe.judging.requirement import Requirement, meets
from gpuprobe.libraries import library_named
from gpuprobe.model import SYSTEM, DeviceType, GiB, Purpose, Reason, Status

_MOST_CARDS = 4096
_MOST_SOFTWARE = 40  # names that are compared


def is_document(value: object) -> bool:
    """Whether gpuprobe wrote it: an answer, an error, or a capture."""
    return isinstance(value, dict) and "schema_version" in value and bool({"summary", "error", "evidence"} & value.keys())


def standing_of(document: Json, reading: Reading) -> Standing:
    problem = _problem(document, reading)
    if problem is not None:
        return without_answer(problem)
    summary = record(document, "summary")
    cards, usable = whole(summary, "cards") or 0, whole(summary, "usable") or 0
    models, driver = tuple(_models(document)), _driver(document)
    return Standing(
        kind=_kind(document),
        cards=min(cards, _MOST_CARDS),
        usable=min(usable, cards, _MOST_CARDS),
        models=models,
        driver=driver,
        reasons=tuple(_reasons(document, cards > usable)),
        traits=tuple(_traits(document, models, driver)),
        verdict=None if reading.requirement is None else _verdict(document, reading.requirement),
    )


def without_answer(problem: Problem) -> Standing:
    return Standing(kind="", problem=problem._replace(because=problem.because[:LONGEST_REASON]))


def _problem(document: Json, reading: Reading) -> Problem | None:
    version = document.get("schema_version")
    if "evidence" in document:
        return Problem(Trouble.UNREADABLE, "this is a capture; `gpuprobe list --json --from FILE` makes a document of it")
    if version != reading.schema_version:
        theirs = text(document, "gpuprobe", 40) or "an unknown version"
        shown = version if isinstance(version, int) else "unknown"
        said = f"its document has schema {shown} (gpuprobe {theirs}), and this gpuprobe reads {reading.schema_version}"
        return Problem(Trouble.OTHER_SCHEMA, said)
    if "error" in document:
        return Problem(Trouble.ERROR, text(record(document, "error"), "message", 2000) or "an error without a message")
    summary = record(document, "summary")
    if whole(summary, "cards") is None or whole(summary, "usable") is None:
        return Problem(Trouble.UNREADABLE, "its document has no count of cards: it is none of `list`, `validate` or `doctor`")
    return None


_KINDS = (("views", "validate"), ("findings", "doctor"), ("probes", "list"))


def _kind(document: Json) -> str:
    return next((kind for key, kind in _KINDS if key in document), "other")


def _models(document: Json) -> Iterator[tuple[str, int]]:
    """By the name that a library gives a card of that kind, because the bus has another one for a card that is lost."""
    names: dict[tuple[str, str], str] = {}
    found: list[tuple[tuple[str, str], str | None]] = []
    devices = {text(each, "id"): text(each, "name") for each in records(document, "devices")}
    for card in records(document, "cards"):
        kind = (text(card, "vendor_id") or "", text(card, "device_id") or text(card, "name") or "")
        ids = card.get("device_ids")
        first = ids[0] if isinstance(ids, list) and ids and isinstance(ids[0], str) else None
        if name := devices.get(first):
            names.setdefault(kind, name)
        found.append((kind, text(card, "name")))
    told = [names.get(kind) or name or "a GPU without a name" for kind, name in found]
    if "cards" not in document:
        told = [name or "a GPU without a name" for name in devices.values()]
    yield from sorted(Counter(told).items(), key=lambda each: (-each[1], each[0]))


def _driver(document: Json) -> str | None:
    """`580.95.05`; with the library where they have different ones: `CUDA 580.95.05, Vulkan Mesa 25.0.7`."""
    told: dict[str, list[str]] = {}
    for device in _views(document):
        driver = record(device, "driver")
        version = text(driver, "kernel_version", 60) or text(driver, "runtime_version", 60)
        if version and version not in told.setdefault(text(device, "library") or "?", []):
            told[text(device, "library") or "?"].append(version)
    lines = {library: " and ".join(versions) for library, versions in told.items() if versions}
    if len(set(lines.values())) == 1:
        return next(iter(lines.values()))
    return ", ".join(f"{library} {line}" for library, line in sorted(lines.items())) or None


def _views(document: Json) -> list[Json]:
    """The kept devices; where none is kept, the views that were dropped know the driver as well."""
    return list(records(document, "devices")) or [record(drop, "view") for drop in records(document, "dropped")]


def _reasons(document: Json, some_are_not: bool) -> Iterator[str]:
    """For each card that is not usable its address and why; of a document that lists no cards, what it says first."""
    said = False
    for card in records(document, "cards"):
        why = record(card, "why")
        because = text(why, "brief") or text(why, "because")
        if because:
            said = True
            yield f"{text(card, 'pci_id') or text(card, 'name') or 'a GPU'}: {because}"[:LONGEST_REASON]
    for view in records(document, "views"):
        if text(view, "verdict") not in (None, "supported"):
            said = True
            yield f"{text(view, 'selector') or text(view, 'pci_id') or 'a view'}: {text(view, 'because') or 'failed'}"
    for card in records(document, "cards_without_views"):
        said = True
        why = record(card, "why")
        because = text(why, "brief") or text(why, "because") or "no library shows it"
        yield f"{text(card, 'pci_id') or 'a GPU'}: {because}"[:LONGEST_REASON]
    first = text(record(document, "summary"), "text", LONGEST_REASON)
    if not said and first and (some_are_not or not whole(record(document, "summary"), "cards")):
        yield first


def _traits(document: Json, models: Iterable[tuple[str, int]], driver: str | None) -> Iterator[tuple[str, str]]:
    """What equal machines have equal: (what it is, as a sentence names it; its value)."""
    host = record(document, "host")
    devices = list(records(document, "devices"))
    candidates: Iterable[tuple[str, str | None]] = (
        ("cards", ", ".join(f"{count} x {name}" for name, count in models)),
        ("driver", driver),
        ("builds", _each(text(device, "build") for device in devices if device.get("build") != SYSTEM)),
        ("memory per card", _each(_size(device) for device in devices)),
        ("PCIe link", _each(_link(card) for card in records(document, "cards"))),
        ("kernel", text(host, "kernel")),
        ("system", text(host, "os")),
        *_software(document),
        ("gpuprobe", text(document, "gpuprobe")),
    )
    yield from ((name, value) for name, value in candidates if value)


def _each(values: Iterable[str | None]) -> str | None:
    return ", ".join(sorted({value for value in values if value})) or None


def _size(device: Json) -> str | None:
    size = whole(device, "total_memory_bytes")
    return None if size is None else f"{size / GiB:.0f} GiB"


def _link(card: Json) -> str | None:
    """The width alone: the speed falls while a card has nothing to do."""
    width = whole(record(card, "link"), "current_width")
    return f"x{width}" if width else None


def _software(document: Json) -> Iterator[tuple[str, str]]:
    versions: dict[str, set[str]] = {}
    for each in records(document, "software"):
        name, version = text(each, "name", 60), text(each, "version", 60) or text(each, "release", 60)
        if name and version:
            versions.setdefault(name, set()).add(version)
    for name in sorted(versions)[:_MOST_SOFTWARE]:
        yield name, ", ".join(sorted(versions[name]))


class Listed(NamedTuple):
    """A device as `--require` looks at it."""

    library: str
    name: str | None
    type: DeviceType
    compute_major: int | None
    compute_minor: int | None
    total_memory: int | None
    free_memory: int | None


def _verdict(document: Json, requirement: Requirement) -> Verdict:
    met = meets(requirement, [_listed(device) for device in records(document, "devices")])
    doubt = met.undecided or (not met.answer and _in_doubt(document))
    missing = list(_reasons(document, some_are_not=False))
    gone = f" ({missing[0]}{', …' if len(missing) > 1 else ''})" if missing and not met.answer else ""
    return Verdict(None if doubt else met.answer, f"{met.because}{gone}"[:LONGEST_REASON])


_TYPES = {member.value: member for member in DeviceType}


def _listed(device: Json) -> Listed:
    return Listed(
        library=text(device, "library") or "",
        name=text(device, "name"),
        type=_TYPES.get(text(device, "type") or "", DeviceType.UNKNOWN),
        compute_major=whole(device, "compute_major"),
        compute_minor=whole(device, "compute_minor"),
        total_memory=whole(device, "total_memory_bytes"),
        free_memory=whole(device, "free_memory_bytes"),
    )


_LOST = frozenset(status.value for status in Status if status.undecided)
_UNWOKEN = Status.SKIPPED.value


def _in_doubt(document: Json) -> bool:
    """Whether a crash, a timeout or a sleeping card could change the answer. Where every card is covered, none could."""
    summary = record(document, "summary")
    covered = bool(summary.get("cards")) and summary.get("cards") == summary.get("usable")
    return (
        any(drop.get("reason") == Reason.NOT_DECIDED.value for drop in records(document, "dropped"))
        or any(record(card, "why").get("reason") == _UNWOKEN for card in records(document, "cards"))
        or (not covered and any(_is_lost(probe) for probe in records(document, "probes")))
    )


def _is_lost(probe: Json) -> bool:
    if text(probe, "status") not in _LOST or probe.get("purpose") != Purpose.LIST.value:
        return False
    return not _is_witness(probe.get("library"))


def _is_witness(name: Any) -> bool:
    try:
        return library_named(name).witness
    except (KeyError, LookupError, TypeError, ValueError):  # a library that this version does not know
        return False
