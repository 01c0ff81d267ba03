"""The documents of all commands but `list`: unknown is null, and what a driver says cannot break a reader's terminal."""

from __future__ import annotations

import json

import pytest

from gpuprobe.doctor.refreshed import Refreshment
from gpuprobe.exits import Exit
from gpuprobe.judging.changes import Change, ChangeKind
from gpuprobe.judging.figures import Activity, Figure, ServerAnswer, Silence, User
from gpuprobe.judging.rules import judge
from gpuprobe.judging.under_map import Check
from gpuprobe.judging.views import View, views
from gpuprobe.model import Call, GiB, Json, Outcome, Probe, Purpose, Request, Status, Validation, Verdict
from gpuprobe.render import replies
from tests.cli.documents import checked
from tests.records import a_device, evidence_of

RED, SHOWN = "\x1b[31mred", "\\x1b[31mred"
CARD = a_device("CUDA", uuid="GPU-11111111-2222-3333-4444-555555555555", ordinal=0)
INVENTORY = judge(evidence_of(CARD), Request())
NOW, BEFORE = "2026-11-21T09:01:00Z", "2026-11-21T09:00:00Z"


def valid(kind: str, document: Json) -> Json:
    return checked(kind, json.dumps(document))


def validated(view: View) -> Json:
    document = valid("validate", replies.validate_document(INVENTORY, [view], (), "so it is", Exit.FAILED))
    record: Json = document["views"][0]
    return record


def test_a_view_that_nobody_validated_has_no_verdict_and_no_outcome() -> None:
    record = validated(views(INVENTORY)[0])

    unknown = ("verdict", "depth", "because", "status", "seconds", "failed_step", "code", "wrong", "exit_code", "signal")
    assert {record[key] for key in unknown} == {None}
    assert (record["rungs"], record["steps"], record["attempts"]) == ([], [], [])


@pytest.mark.parametrize(
    ("verdict", "step"), [(Verdict.SUPPORTED, None), (Verdict.UNSUPPORTED, "cuInit"), (Verdict.INCONCLUSIVE, "cuInit")]
)
def test_only_a_view_that_did_not_pass_has_a_step_in_which_it_failed(verdict: Verdict, step: str | None) -> None:
    outcome = Outcome(Probe("CUDA", Purpose.PROVE), Status.CRASHED, calls=(Call("cuInit", None),), seconds=1.0, signal=11)
    device = CARD._replace(validation=Validation(verdict, None, RED, Status.CRASHED))

    record = validated(View(device, outcome))

    assert (record["failed_step"], record["because"], record["signal"]) == (step, SHOWN, 11)


def test_notes_of_the_command_stand_before_those_of_the_machine() -> None:
    document = replies.validate_document(INVENTORY, (), (), "so it is", Exit.ANSWERED, notes=(RED,))

    assert valid("validate", document)["warnings"][0] == SHOWN


def refreshed(*figures: Figure, diff: bool = False, **more: object) -> Json:
    evidence = evidence_of(CARD)._replace(gathered_at=NOW)
    known = {"inventory": INVENTORY, "figures": figures, "evidence": evidence, "discovered_at": BEFORE, "anew": None}
    answer = Refreshment(**{**known, **more})  # type: ignore[arg-type]
    return valid("refresh", replies.refresh_document(answer, "so it is", Exit.ANSWERED, diff))


def test_a_stale_figure_has_its_age_and_the_reason_and_no_activity() -> None:
    (device,) = refreshed(Figure(CARD, "NVML", BEFORE, Silence(RED)))["devices"]

    assert (device["stale"], device["age_seconds"], device["because"]) == (True, 60.0, SHOWN)
    assert "activity" not in device


def test_what_a_card_does_not_tell_of_its_activity_is_null() -> None:
    (device,) = refreshed(Figure(CARD, "NVML", NOW, None, Activity()))["devices"]

    assert (device["stale"], device["because"]) == (False, None)
    assert set(device["activity"].values()) == {None}


def test_who_uses_a_card_is_told_with_what_is_known_of_each() -> None:
    activity = Activity(throttle_reasons=(RED,), users=(User(7, GiB, RED), User(8, None)))

    told = refreshed(Figure(CARD, "NVML", NOW, None, activity))["devices"][0]["activity"]

    assert told["throttle_reasons"] == [SHOWN]
    assert [(each["pid"], each["name"], each["used_memory_bytes"]) for each in told["processes"]] == [
        (7, SHOWN, GiB),
        (8, None, None),
    ]


def test_changes_are_told_only_where_one_asked_for_the_difference() -> None:
    changes = (Change(ChangeKind.MEMORY, CARD.id, RED, 1, 2),)

    asked = refreshed(diff=True, changes=changes, compared_with=BEFORE)

    assert [(each["kind"], each["text"], each["before"], each["after"]) for each in asked["changes"]] == [
        ("memory", SHOWN, 1, 2)
    ]
    assert asked["compared_with"] == BEFORE
    assert "changes" not in refreshed(changes=changes)


def test_a_server_that_said_nothing_says_why() -> None:
    servers = (ServerAnswer(1, 11434, (CARD,)), ServerAnswer(2, 11435, problem=RED))

    assert [(each["answered"], each["because"]) for each in refreshed(servers=servers)["servers"]] == [
        (True, None),
        (False, SHOWN),
    ]


def test_a_variable_without_a_value_is_unset_and_a_check_is_there_where_it_was_made() -> None:
    variables = (("CUDA_VISIBLE_DEVICES", "0"), ("HIP_VISIBLE_DEVICES", None))
    check = Check("CUDA", (CARD,), (), None, (RED,))
    common = {"text": "so it is", "leave_with": Exit.ANSWERED}

    without = valid("env", replies.env_document(INVENTORY, [CARD], variables, checks=None, **common))  # type: ignore[arg-type]
    with_it = valid("env", replies.env_document(INVENTORY, [CARD], variables, checks=[check], **common))  # type: ignore[arg-type]

    assert [(each["value"], each["action"]) for each in without["variables"]] == [("0", "set"), (None, "unset")]
    assert "check" not in without
    assert [(each["answer"], each["expected"], each["seen"], each["because"]) for each in with_it["check"]] == [
        (None, [CARD.id], [], [SHOWN])
    ]


def test_undoing_asks_nothing_and_counts_nothing() -> None:
    document = valid("env", replies.undo_document((("CUDA_VISIBLE_DEVICES", None),), NOW, "undone"))

    assert (document["summary"], document["devices"]) == ({"text": "undone", "exit_code": 0}, [])
