"""What is remembered between two readings of the same devices changes nothing that a reading says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from hypothesis import given, settings
from hypothesis import strategies as st

from gpuprobe.facts import Reading
from gpuprobe.judging.figures import Figure
from gpuprobe.memory_refresh import Questions, questions_about, refresh
from gpuprobe.model import Device, DeviceType, Evidence, GiB, Outcome, Probe, Request, Status
from gpuprobe.probing.persistent import PersistentChildren
from tests.records import a_card, a_device, a_host, an_outcome, evidence_of

PLACES = ("0000:01:00.0", "0000:02:00.0")


def view(library: str, place: int, **fields: Any) -> Device:
    """A card of 24 GiB."""
    uuid = f"GPU-00000000-0000-0000-0000-00000000000{place}"
    known = {"number": place, "uuid": uuid, "pci_id": PLACES[place], "total_memory": 24 * GiB, "free_memory": 20 * GiB}
    return a_device(library, **{**known, **fields})


class Scripted:
    """Children that answer as it is written, each question once a reading."""

    def __init__(self, answers: dict[str, Outcome]) -> None:
        self._answers, self._asked = answers, cast("list[Probe]", [])
        self.beside: object = None

    @property
    def running(self) -> tuple[Probe, ...]:
        return tuple(self._asked)

    def start(self, probe: Probe, request: object, seconds: float) -> None:
        self._asked.append(probe)

    def next(self, deadline: float | None = None) -> Outcome | None:
        if not self._asked:
            return None
        probe = self._asked.pop(0)
        said = self._answers.get(probe.library)
        return Outcome(probe, status=Status.CRASHED) if said is None else said._replace(probe=probe)


_FREE = st.sampled_from((None, 0, GiB, 20 * GiB))
_DOING = st.sampled_from(({}, {"activity": {"utilization_percent": 5}}, {"activity": {"utilization_percent": 90}}))


@st.composite
def answers(draw: st.DrawFn) -> dict[str, Outcome]:
    """Of NVML and CUDA, each maybe of the one card, of both, or with something else than devices to say."""
    said = {}
    for library in draw(st.sets(st.sampled_from(("NVML", "CUDA")))):
        places = draw(st.lists(st.sampled_from((0, 1)), max_size=2, unique=True))
        devices = tuple(view(library, place, free_memory=draw(_FREE), capabilities=draw(_DOING)) for place in places)
        status = draw(st.sampled_from((Status.OK, Status.OK, Status.UNREADABLE, Status.CALL_FAILED)))
        outcome = an_outcome(view(library, 0))
        said[library] = outcome._replace(
            devices=devices, status=status, facts=draw(st.sampled_from(({}, {"free_memory": GiB})))
        )
    return said


def readings_like(said: list[dict[str, Outcome]]) -> st.SearchStrategy[list[tuple[dict[str, Outcome], int]]]:
    """These and what differs from them in one respect, one after another."""
    others = [
        {**each, library: changed}
        for each in said
        for library, outcome in each.items()
        for changed in (
            outcome._replace(status=Status.UNREADABLE),
            outcome._replace(facts={"free_memory": 2 * GiB}),
            outcome._replace(devices=outcome.devices[::-1]),
            outcome._replace(devices=()),
        )
    ]
    return st.lists(st.tuples(st.sampled_from([*said, *others]), st.sampled_from((8 * GiB, 9 * GiB))), min_size=2, max_size=6)


def known_devices(kind: DeviceType, free: int | None) -> tuple[list[Device], Evidence]:
    """Without a figure of a listing, a context on the card is asked for it."""
    devices = [view("CUDA", 0, type=kind, free_memory=free), view("CUDA", 1, free_memory=free)]
    host = a_host(pci=tuple(map(a_card, PLACES)))
    return devices, evidence_of(*devices, view("NVML", 0), view("NVML", 1), host=host)


def read(
    devices: Sequence[Device], known: Evidence, said: dict[str, Outcome], available: int, questions: Questions | None
) -> tuple[Figure, ...]:
    host = known.host._replace(texts={"/proc/meminfo": Reading(f"MemAvailable: {available >> 10} kB\n")})
    children = cast("PersistentChildren", Scripted(said))
    thought_out = questions or questions_about(devices, known, host, Request())
    found = refresh(devices, known, host, Request(), lasting=children, questions=thought_out)
    return tuple(figure._replace(measured_at="") for figure in found.figures)


@given(
    st.sampled_from((DeviceType.DISCRETE, DeviceType.INTEGRATED)),
    st.sampled_from((None, 20 * GiB)),
    st.lists(answers(), min_size=1, max_size=2).flatmap(readings_like),
)
@settings(deadline=None)
def test_each_reading_says_the_same_as_if_it_were_the_first(
    kind: DeviceType, free: int | None, readings: list[tuple[dict[str, Outcome], int]]
) -> None:
    devices, known = known_devices(kind, free)
    questions = questions_about(devices, known, known.host, Request())

    for said, available in readings:
        found = read(devices, known, said, available, questions)
        assert found == read(devices, known, said, available, None)
        devices = [figure.device for figure in found]


def test_what_a_card_does_is_asked_also_where_its_memory_is_known_from_the_system() -> None:
    devices, known = known_devices(DeviceType.INTEGRATED, 20 * GiB)
    said = {"NVML": an_outcome(view("NVML", 0, capabilities={"activity": {"utilization_percent": 90}}))}

    (first,) = read(devices[:1], known, said, 8 * GiB, None)

    assert (first.source, first.device.free_memory) == ("system", 8 * GiB)
    assert first.activity is not None and first.activity.utilization == 90


def test_what_a_context_told_is_not_what_the_one_before_told() -> None:
    devices, known = known_devices(DeviceType.DISCRETE, None)
    questions = questions_about(devices, known, known.host, Request())
    told = (Outcome(questions.probes[0][-1], status=Status.OK, facts={"free_memory": size}) for size in (GiB, 2 * GiB))

    free = [read(devices, known, {"CUDA": each}, 8 * GiB, questions)[0].device.free_memory for each in told]

    assert free == [GiB, 2 * GiB]


def test_what_a_context_told_is_measured_against_the_memory_that_is_known_by_then() -> None:
    """Where as much is free as there is, nobody measured it."""
    devices, known = known_devices(DeviceType.DISCRETE, None)
    devices = [device._replace(total_memory=None) for device in devices]
    questions = questions_about(devices, known, known.host, Request())
    context = {"CUDA": Outcome(questions.probes[0][-1], status=Status.OK, facts={"free_memory": 24 * GiB})}
    witness = {"NVML": an_outcome(view("NVML", 0, free_memory=5 * GiB), view("NVML", 1, free_memory=5 * GiB))}

    found = []
    for said in (context, witness, context):
        figures = read(devices, known, said, 8 * GiB, questions)
        assert figures == read(devices, known, said, 8 * GiB, None)
        devices = [figure.device for figure in figures]
        found.append((figures[0].device.free_memory, figures[0].stale))
    assert found == [(24 * GiB, False), (5 * GiB, False), (5 * GiB, True)]
