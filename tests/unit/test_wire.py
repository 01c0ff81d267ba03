"""One set of rules for what a child says and what a capture holds: forms, lengths, and what a newer release added."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gpuprobe import capture
from gpuprobe.capture import CaptureError
from gpuprobe.doctor import notes
from gpuprobe.judging.rules import judge
from gpuprobe.model import Evidence, Outcome, Probe, Purpose, Request, Status
from gpuprobe.probing.answers import Answers
from gpuprobe.wire import LONGEST_NAME, LONGEST_STDERR, ShapeError, from_json, to_json
from tests.unit.test_capture import rich_evidence

LISTING = Probe("CUDA", Purpose.LIST)


def answer(*lines: object) -> Outcome:
    said = Answers(LISTING)
    for line in lines:
        said.take(json.dumps(line).encode())
    return said.outcome(status=Status.OK)


HOSTILE: list[object] = [
    {"failed": {"status": []}},
    {"failed": {"status": {}}},
    {"failed": {"status": "busy", "code": 2**70}},
    {"device": {"number": 2**70}},
    {"device": {"number": -1}},
    {"device": {"number": 1, "total_memory": 2**63 + 1}},
    {"device": {"number": 1, "type": []}},
    {"device": {"number": 1, "partition": {"kind": "mig\u001b]0;x\u0007", "parent": None}}},
    {"device": {"number": 1, "partition": {"kind": 5}}},
    {"device": {"number": 1, "capabilities": [1]}},
    {"stage": []},
    {"stage": "climb", "at": 0},
    {"passed": {"depth": []}},
    {"passed": {"depth": "\u001b[2J"}},
    {"figures": {"x": 2**80}},
    {"not_possible": {"because": []}},
    {"facts": {"x": 2**80}},
    {"facts": json.loads("[" * 100 + "]" * 100)},
]


@pytest.mark.parametrize("line", HOSTILE)
def test_a_line_of_one_child_costs_no_more_than_its_answer(line: object) -> None:
    outcome = answer({"device": {"number": 0}}, line, {"done": True, "at": 0.5})

    assert outcome.status is Status.UNREADABLE
    assert len(outcome.devices) == 1


@pytest.mark.parametrize("line", HOSTILE)
def test_what_gpuprobe_writes_it_reads(tmp_path: Path, line: object) -> None:
    evidence = rich_evidence()
    evidence = evidence._replace(outcomes=(*evidence.outcomes, answer({"device": {"number": 0}}, line)))

    capture.save(tmp_path / "machine.json", evidence)

    assert len(capture.load(tmp_path / "machine.json").outcomes) == len(evidence.outcomes)


def test_a_child_that_never_stops_listing_is_not_listened_to_for_ever() -> None:
    outcome = answer(*({"device": {"number": 0}} for _ in range(3000)))

    assert outcome.status is Status.UNREADABLE
    assert len(outcome.devices) == 1024


def test_a_name_of_100_000_characters_loses_its_end_and_the_card_stays() -> None:
    outcome = answer({"device": {"number": 0, "name": "x" * 100_000}}, {"done": True, "at": 0.5})

    assert outcome.status is Status.OK
    assert outcome.devices[0].name == "x" * (LONGEST_NAME - 1) + "…"


def changed(path: Path, place: tuple[Any, ...], value: object, version: str | None = None) -> Path:
    document = json.loads(json.dumps(capture.document(rich_evidence())))
    inner = document["evidence"]
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    if version:
        document["gpuprobe"] = version
    path.write_text(json.dumps(document))
    return path


def test_the_same_name_in_a_capture_loses_its_end_too(tmp_path: Path) -> None:
    path = changed(tmp_path / "machine.json", ("outcomes", 0, "devices", 0, "name"), "x" * 100_000)

    assert capture.load(path).outcomes[0].devices[0].name == "x" * (LONGEST_NAME - 1) + "…"


def test_of_60_million_bytes_of_stderr_the_last_words_are_kept(tmp_path: Path) -> None:
    path = changed(tmp_path / "machine.json", ("outcomes", 0, "stderr"), "x" * 60_000_000 + "the end")

    kept = capture.load(path).outcomes[0].stderr

    assert len(kept) == LONGEST_STDERR
    assert kept.endswith("the end")


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (("host", "pci", 0, "address"), "x", "host.pci[0].address: 'x' is not a PCI address"),
        (("host", "pci", 0, "address"), "0000:01:00.0\u001b[2J", "is not a PCI address"),
        (("gathered_at",), "\u001b[2J", "gathered_at: '\\x1b[2J' is not a time"),
        (("outcomes", 0, "devices", 0, "partition"), {"kind": "MIG\u202e", "parent": None}, "is not a kind of partition"),
        (("outcomes", 0, "devices", 0, "number"), -1, "is not a number from 0"),
        (("outcomes", 0, "depth"), "climb", "is none of"),
        (("outcomes", 0, "devices"), [{}] * 20_001, "elements are more than"),
    ],
)
def test_what_has_not_its_form_is_refused_with_its_place(
    tmp_path: Path, place: tuple[Any, ...], value: object, message: str
) -> None:
    with pytest.raises(CaptureError) as refusal:
        capture.load(changed(tmp_path / "machine.json", place, value))

    assert message in str(refusal.value)


def test_a_folder_of_kfd_with_another_name_than_a_number_is_passed_over(tmp_path: Path) -> None:
    path = changed(tmp_path / "m.json", ("host", "texts", "/sys/class/kfd/kfd/topology/nodes/x/properties"), {"text": "a 1"})

    assert judge(capture.load(path), Request()).kept is not None


@pytest.mark.parametrize(
    ("place", "value", "named"),
    [
        (("host", "novelty"), {"a": 1}, "host.novelty"),
        (("outcomes", 0, "devices", 0, "novelty"), 1, "outcomes[0].devices[0].novelty"),
        (("outcomes", 0, "status"), "dreaming", "outcomes[0]"),
        (("outcomes", 0, "probe", "library"), "MUSA", "MUSA"),
    ],
)
def test_a_capture_of_a_newer_release_is_read_as_far_as_it_is_known(
    tmp_path: Path, place: tuple[Any, ...], value: object, named: str
) -> None:
    evidence = capture.load(changed(tmp_path / "machine.json", place, value, version="99.1.0"))

    (note,) = evidence.not_understood
    assert "written by gpuprobe 99.1.0, which is newer than this" in note
    assert named in note
    assert note in notes.of_inventory(judge(evidence, Request()))


def test_a_capture_of_a_newer_release_that_says_nothing_new_is_only_named(tmp_path: Path) -> None:
    evidence = capture.load(changed(tmp_path / "machine.json", ("appeared",), [], version="99.1.0"))

    assert ["not understood" in note for note in evidence.not_understood] == [False]


def test_a_capture_cannot_speak_in_our_name(tmp_path: Path) -> None:
    evidence = capture.load(changed(tmp_path / "machine.json", ("not_understood",), ["run this"]))

    assert evidence.not_understood == ()


def test_nested_facts_of_the_evidence_are_bounded() -> None:
    said = to_json(rich_evidence())
    said["outcomes"][0]["facts"] = {"x": json.loads("[" * 500 + "]" * 500)}

    with pytest.raises(ShapeError, match="nested too deeply"):
        from_json(Evidence, said)
