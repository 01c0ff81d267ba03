"""Reading after reading of the same devices, by children that stay: what each holds and does now, and what became of whom.

A device that nobody told of keeps the figure of the last reading that did. Every two seconds it is looked which cards and nodes
there are, so that those that come and go are noticed without a library being loaded; what they are, and which drivers serve
them, is looked at every ten seconds, and what is installed every thirty.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence

from gpuprobe.facts import Host
from gpuprobe.judging.completion import shares_memory
from gpuprobe.judging.figures import Activity, Figure, User, old_source
from gpuprobe.judging.verdicts import describe
from gpuprobe.memory_refresh import Questions, Refreshed, questions_about, refresh
from gpuprobe.model import Device, Evidence, Json, Request
from gpuprobe.probing.persistent import Lost, PersistentChildren
from gpuprobe.probing.start import CANNOT_HEAR
from gpuprobe.record_classes import NamedTuple
from gpuprobe.saved.key import differences, key_of
from gpuprobe.strings import of_signal
from gpuprobe.survey.glance import Glance, counted_again, counts, glance
from gpuprobe.survey.host import read_host, survey_again
from gpuprobe.survey.processes import accounts, program_names

GLANCE_SECONDS, LOOK_SECONDS, INSTALLED_SECONDS = 1.9, 10.0, 30.0  # of readings a second apart, every other one


class Reading(NamedTuple):
    """`refreshed` with the figures of the devices; `remarks` are sentences about this reading alone."""

    refreshed: Refreshed
    remarks: tuple[str, ...] = ()


class Watching:
    """The devices of a discovery, watched until `close`. `host`: the machine as it was surveyed just now, if it was."""

    def __init__(self, devices: Sequence[Device], known: Evidence, request: Request, host: Host | None = None) -> None:
        self._known, self._request = known, request
        self._last = tuple(Figure(device, old_source(device), known.gathered_at) for device in devices)
        self._children = PersistentChildren(os.environ)
        self._key: Json | None = None
        self._changes: tuple[str, ...] = ()  # since the first reading
        self._is_looked_at = True  # since the changes were looked for
        self._host = host
        self._seen = glance()
        self._glanced_at = self._looked_at = self._surveyed_at = time.monotonic()
        self._questions: Questions | None = None
        self._shares_memory = any(map(shares_memory, devices))
        self._counts = counts(host, of_the_system=self._shares_memory) if host is not None else ()

    def read(self) -> Reading:
        """One reading. Takes as long as a `refresh` at most, and a fraction of it where the children still live."""
        host, devices = self._look(), [figure.device for figure in self._last]
        if self._questions is None:
            self._questions = questions_about(devices, self._known, host, self._request)
        found = refresh(devices, self._known, host, self._request, lasting=self._children, questions=self._questions)
        self._last = _named([_kept(*pair) for pair in zip(self._last, found.figures, strict=True)])
        remarks = (*map(_said, filter(_is_news, self._children.lost())), *self._changed(host))
        return Reading(found._replace(figures=self._last), remarks)

    def _look(self) -> Host:
        """The machine now; looked at anew where something came or went, and now and then."""
        now = time.monotonic()
        seen = self._seen
        if now - self._glanced_at >= GLANCE_SECONDS:
            self._glanced_at, seen = now, glance()
        if self._host is None or now - self._surveyed_at >= INSTALLED_SECONDS:
            self._surveyed_at = now
            return self._looked(read_host(lib_dirs=self._request.lib_dirs, software=False), seen, now)
        # Whether a card sleeps is all that `--no-wake` goes by, and no name tells it.
        if not self._request.wake or seen != self._seen or now - self._looked_at >= LOOK_SECONDS:
            return self._looked(survey_again(self._host, self._request.lib_dirs), seen, now)
        self._host = counted_again(self._host, self._counts)
        return self._host

    def _looked(self, host: Host, seen: Glance, now: float) -> Host:
        self._host, self._seen, self._looked_at = host, seen, now
        self._questions, self._is_looked_at = None, True
        self._counts = counts(host, of_the_system=self._shares_memory)
        return host

    def close(self) -> None:
        """Ends the children. Called in any case, also on Ctrl-C."""
        self._children.close()

    def _changed(self, host: Host) -> tuple[str, ...]:
        """What would have made a saved discovery unfit since the first reading, whose children may have made device nodes."""
        if self._is_looked_at:
            key, self._is_looked_at = key_of(host), False
            self._key = self._key or key
            found = (difference for difference in differences(self._key, key) if difference.section != "cards")
            self._changes = tuple(f"{difference.because}; run `gpuprobe list` to look again" for difference in found)
        return self._changes


def _kept(last: Figure, now: Figure) -> Figure:
    return last._replace(silence=now.silence, activity=now.activity) if now.stale else now


def _is_news(lost: Lost) -> bool:
    return lost.outcome is None or lost.outcome.status.lost


def _said(lost: Lost) -> str:
    library = lost.probe.library
    if lost.outcome is not None:
        return f"{library}: {describe(lost.outcome)}; restarting it (process {lost.process})"
    if lost.code == CANNOT_HEAR:
        return (
            f"{library}: its process {lost.process} cannot be asked again, because a library changed its stdin; restarting it"
        )
    ended = f"by {of_signal(-lost.code)}" if lost.code is not None and lost.code < 0 else f"with exit code {lost.code}"
    return f"{library}: its process {lost.process} was ended {ended} after its last answer; restarting it"


def _named(figures: Sequence[Figure]) -> tuple[Figure, ...]:
    users = {user.process for figure in figures for user in _users(figure.activity)}
    if not users:
        return tuple(figures)
    names = program_names(users)
    owners = accounts(names) if names else {}
    return tuple(figure._replace(activity=_with_names(figure.activity, names, owners)) for figure in figures)


def _users(activity: Activity | None) -> Sequence[User]:
    return (activity.users or ()) if activity is not None else ()


def _with_names(activity: Activity | None, names: dict[int, str], owners: dict[int, str]) -> Activity | None:
    if activity is None or not activity.users:
        return activity
    named = (user._replace(name=names.get(user.process), account=owners.get(user.process)) for user in activity.users)
    return activity._replace(users=tuple(named))
