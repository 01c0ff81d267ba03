"""A machine as evidence in a file: what `gpuprobe capture` writes and `--from` reads.

A capture is the evidence itself and not its judgement, so a newer gpuprobe judges an old capture by its newer rules.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from gpuprobe import __version__
from gpuprobe.capture import files
from gpuprobe.libraries import LIBRARIES
from gpuprobe.model import Evidence, Json
from gpuprobe.wire import ShapeError, from_json, to_json

KIND = "gpuprobe capture"
SCHEMA_VERSION = 1


class CaptureError(ValueError):
    """A file that cannot be used as a capture; the text says what it is and what would do."""


def document(evidence: Evidence) -> Json:
    """The capture as JSON, redacted; see schemas/capture.schema.json."""
    from gpuprobe.capture.redaction import redacted

    return {
        "kind": KIND,
        "schema_version": SCHEMA_VERSION,
        "gpuprobe": __version__,
        "evidence": redacted(to_json(evidence), evidence.host),
    }


def text(evidence: Evidence) -> str:
    """The file's content."""
    return json.dumps(document(evidence), indent=1, sort_keys=True) + "\n"


def save(path: Path, evidence: Evidence) -> None:
    """Writes the capture whole or not at all, readable by its owner only. Raises OSError, files.Unfit."""
    files.write(path, text(evidence))


def load(path: Path, patience: float | None = None) -> Evidence:
    """The evidence in a capture file; `-` is standard input, and a pipe is waited for `patience` seconds.

    Raises CaptureError with a sentence for a person, also where it cannot be read.
    """
    try:
        content = files.read(str(path), files.PATIENCE_SECONDS if patience is None else patience)
    except (OSError, files.Unfit) as problem:
        raise CaptureError(f"`{path}` cannot be read: {getattr(problem, 'strerror', None) or problem}") from problem
    if len(content) > files.MOST_BYTES:
        raise CaptureError(f"`{path}` is larger than any capture ({files.MOST_BYTES // 1024 // 1024} MiB)")
    return _evidence(_parsed(content, path), path)


def _parsed(content: bytes, path: Path) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as problem:
        hint = "gpuprobe capture machine.json"
        raise CaptureError(f"`{path}` is not a capture: it is not JSON ({problem}); make one with `{hint}`") from problem


def _evidence(said: Any, path: Path) -> Evidence:
    if not isinstance(said, dict) or said.get("kind") != KIND:
        raise CaptureError(f"`{path}` is not a capture{_what_else(said)}; make one with `gpuprobe capture machine.json`")
    if said.get("schema_version") != SCHEMA_VERSION:
        found = said.get("schema_version")
        raise CaptureError(f"`{path}` is a capture of version {found!r:.20}; this gpuprobe reads version {SCHEMA_VERSION}")
    left_out: list[str] | None = [] if _is_newer(said.get("gpuprobe")) else None
    try:
        evidence: Evidence = from_json(Evidence, said.get("evidence"), left_out=left_out)
    except (ShapeError, RecursionError) as problem:
        newer = "" if left_out is None else f" (written by gpuprobe {said['gpuprobe']:.20}; this is {__version__})"
        raise CaptureError(f"`{path}` is a damaged capture: {problem}{newer}") from problem
    if left_out is None:
        _check_libraries(evidence, path)
        return evidence._replace(not_understood=())
    return _as_far_as_known(evidence, said["gpuprobe"], left_out)


def _what_else(said: Any) -> str:
    if isinstance(said, dict) and "summary" in said and "schema_version" in said:
        return " but an answer of `--json`, which holds the judgement and not the evidence"
    return ""


_KNOWN = frozenset(library.name for library in LIBRARIES)


def _check_libraries(evidence: Evidence, path: Path) -> None:
    host = evidence.host
    named = {device.library for outcome in evidence.outcomes for device in outcome.devices}
    named |= {outcome.probe.library for outcome in evidence.outcomes} | {build.library for build in host.builds}
    named |= {each.library for each in host.software or () if each.library is not None}
    if not named <= _KNOWN:
        raise CaptureError(f"`{path}` names a library that this gpuprobe does not know: {min(named - _KNOWN)[:60]!r}")


def _is_newer(version: object) -> bool:
    """Whether a release after this one wrote it: what this one does not know is then no damage."""
    return isinstance(version, str) and _numbers(version) > _numbers(__version__)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version[:40].split(".") if part.isascii() and part.isdigit())


def _as_far_as_known(evidence: Evidence, version: str, left_out: list[str]) -> Evidence:
    """Without the libraries that this release does not know, and with a note of what it could not read."""
    host = evidence.host
    outcomes = tuple(
        outcome
        for outcome in evidence.outcomes
        if {outcome.probe.library, *(device.library for device in outcome.devices)} <= _KNOWN
    )
    builds = tuple(build for build in host.builds if build.library in _KNOWN)
    software = tuple(each for each in host.software or () if each.library is None or each.library in _KNOWN)
    known = host._replace(builds=builds, software=None if host.software is None else software)
    unknown = {outcome.probe.library[:60] for outcome in evidence.outcomes if outcome.probe.library not in _KNOWN}
    places = [*sorted(unknown), *left_out]
    told = f"; not understood here: {', '.join(places[:3])}{_more(places)}" if places else ""
    note = f"the capture was written by gpuprobe {version[:20]}, which is newer than this {__version__}{told}"
    return evidence._replace(host=known, outcomes=outcomes, not_understood=(note,))


def _more(places: list[str]) -> str:
    return f" and {len(places) - 3} more" if len(places) > 3 else ""
