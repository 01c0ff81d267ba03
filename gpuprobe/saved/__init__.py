"""The saved discovery: the evidence of the last complete run, for commands that need not ask anew.

It is believed only while everything that would change the answer is as it was (key.py), for a day at most, and only where
the file is ours (file.py). Whatever is wrong with it is named, and the machine is asked instead.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from gpuprobe import json_texts as json
from gpuprobe.facts import Host
from gpuprobe.libraries import LIBRARIES
from gpuprobe.model import Device, Evidence, Outcome, Status
from gpuprobe.record_classes import NamedTuple
from gpuprobe.saved import file
from gpuprobe.saved.key import Difference, differences, key_of
from gpuprobe.strings import seconds_between
from gpuprobe.survey.clock import moment

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

KIND = "gpuprobe saved discovery"
SCHEMA_VERSION = 6  # raised with every change of the records in it and of what stands in its key
MOST_SECONDS = 24 * 3600.0  # what no key sees, such as a card that broke, is noticed within a day
_SLOW = 1.0  # seconds for a call, by which something may be judged
_CLOCK_SECONDS = 60.0  # by which a clock may be set back without a discovery seeming to come from the future

# Nobody has to be told of these: they are how it should be.
ORDINARY = frozenset({"none", "no_place", "too_old", "changed"})


class Problem(NamedTuple):
    """Why a saved discovery is not used: "none", "no_place", "not_ours", "damaged", "other_version", "too_old", "changed"."""

    slug: str
    because: str  # a sentence without its end


class Saved(NamedTuple):
    """What was found. `evidence` is there also where it does not fit any more: something may be compared with it."""

    evidence: Evidence | None
    problem: Problem | None = None
    differences: tuple[Difference, ...] = ()


class _Unusable(Exception):
    def __init__(self, slug: str, because: str) -> None:
        super().__init__(because)
        self.problem = Problem(slug, because)


def load(host: Host, path: str | None = None, now: str | None = None) -> Saved:
    """The saved discovery, judged against the survey of this machine as it is now; `now` as in `Evidence.gathered_at`."""
    path = path or file.place(os.environ)
    try:
        if path is None:
            raise _Unusable("no_place", "this account has no home directory to save results in")
        said = _document(path)
        evidence = _evidence(said.get("evidence"), path)
    except _Unusable as unusable:
        return Saved(None, unusable.problem)
    changed = differences(said.get("key"), key_of(host))
    if changed:
        more = f", and {len(changed) - 1} more" if len(changed) > 1 else ""
        return Saved(evidence, Problem("changed", f"the saved results no longer fit: {changed[0].because}{more}"), changed)
    return Saved(evidence, _too_old(evidence.gathered_at, now or moment()))


def save(evidence: Evidence, host: Host, path: str | None = None, devices: Iterable[Device] = ()) -> str | None:
    """Saves the evidence as the answer for a machine like `host`, surveyed after all was asked. None, or why not.
    `devices` are what it found: shells propose them.

    Asking may load kernel modules and create device nodes. Anything else that changed meanwhile, a driver's version among it,
    leaves the evidence without a machine that it fits.
    """
    path = path or file.place(os.environ)
    if path is None:
        return "this account has no home directory to save results in"
    key = key_of(host)
    meanwhile = [each for each in differences(key_of(evidence.host), key) if not _comes_of_asking(each)]
    if meanwhile:
        return f"while the libraries were asked, something changed: {meanwhile[0].because}"
    from gpuprobe.saved import proposals
    from gpuprobe.wire import to_json

    said = {"kind": KIND, "schema_version": SCHEMA_VERSION, "key": key, "evidence": to_json(_kept(evidence))}
    discovery = json.dumps(said, separators=(",", ":")).encode()
    for place, content in ((path, discovery), (proposals.beside(path), proposals.text(devices))):
        try:
            file.write(place, content)
        except (file.Untrusted, OSError, ValueError) as problem:
            return f"`{place}` cannot be written: {getattr(problem, 'strerror', None) or problem}"
    return None


def _kept(evidence: Evidence) -> Evidence:
    """Without the quick calls of who answered, by which nothing is judged: three quarters of the records that a start reads."""
    return evidence._replace(outcomes=tuple(map(_with_slow_calls, evidence.outcomes)))


def _with_slow_calls(outcome: Outcome) -> Outcome:
    if outcome.status is not Status.OK:
        return outcome
    last = outcome.calls[-1:]  # which says how far it came
    return outcome._replace(calls=(*(call for call in outcome.calls[:-1] if (call.seconds or 0.0) >= _SLOW), *last))


def _comes_of_asking(difference: Difference) -> bool:
    return difference.section in ("drivers", "nodes") and difference.verb == "is new"


def forget(path: str | None = None) -> None:
    """Takes the saved discovery away: a later run has put it in doubt."""
    path = path or file.place(os.environ)
    if path is not None:
        from gpuprobe.saved import proposals

        file.remove(path)
        file.remove(proposals.beside(path))


def _document(path: str) -> dict[str, Any]:
    said = _parsed(_content(path), path)
    if not isinstance(said, dict) or said.get("kind") != KIND:
        raise _Unusable("damaged", f"`{path}` is not a file of saved results")
    if said.get("schema_version") != SCHEMA_VERSION:
        version = f"{said.get('schema_version')!r:.20}"
        raise _Unusable("other_version", f"`{path}` is of version {version}, and this gpuprobe reads version {SCHEMA_VERSION}")
    return said


def _content(path: str) -> bytes:
    try:
        return file.read(path)
    except FileNotFoundError as problem:
        raise _Unusable("none", "no results are saved") from problem
    except file.Untrusted as untrusted:
        raise _Unusable("not_ours", f"`{path}` is not used: {untrusted}") from untrusted
    except (OSError, ValueError) as problem:
        raise _Unusable("not_ours", f"`{path}` cannot be read: {getattr(problem, 'strerror', None) or problem}") from problem


def _parsed(content: bytes, path: str) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as problem:
        raise _Unusable("damaged", f"`{path}` is damaged: {problem}") from problem


def _evidence(said: object, path: str) -> Evidence:
    from gpuprobe.wire import ShapeError, from_json

    try:
        evidence: Evidence = from_json(Evidence, said)
    except (ShapeError, RecursionError) as problem:
        raise _Unusable("damaged", f"`{path}` is damaged: {problem}") from problem
    known = {library.name for library in LIBRARIES}
    named = {outcome.probe.library for outcome in evidence.outcomes}
    named |= {device.library for outcome in evidence.outcomes for device in outcome.devices}
    if not named <= known:
        raise _Unusable("damaged", f"`{path}` is damaged: it names an unknown library, {min(named - known)!r:.60}")
    return evidence


def _too_old(then: str, now: str) -> Problem | None:
    age = seconds_between(then, now)
    if age is None or age < -_CLOCK_SECONDS:
        return Problem("too_old", "the time of the saved results is not in the past")
    if age > MOST_SECONDS:
        return Problem("too_old", f"the saved results are {age / 3600:.0f} hours old, and are used for a day at most")
    return None
