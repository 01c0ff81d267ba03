"""What engines leave of many machines: the same rows, whatever the form."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpuprobe.command import fleet_files
from gpuprobe.fleet.document_texts import of_pieces, of_text
from gpuprobe.fleet.outcome import Outcome, outcome_of
from gpuprobe.fleet.roll_call import RollCall
from gpuprobe.fleet.rows import Found, Machine, Origin, Problem, Reading, Trouble
from gpuprobe.judging.requirement import parse
from tests.fleet import forty
from tests.fleet.forms import FORMS, Left

TEXTS = {name: forty.text_of(name) for name in forty.NAMES}
READING = Reading(1)


STDIN = Origin("-", "standard input")


def called(*texts: str, origin: Origin = STDIN) -> RollCall:
    calls = RollCall(READING)
    for text in texts:
        for found in of_text(text):
            calls.take(found, origin)
    return calls


def rows_of(*texts: str) -> list[Machine]:
    return called(*texts).machines()


def told(*texts: str) -> dict[str, str]:
    """Machine → why it has no answer, or how many of its cards are usable."""
    return {
        machine.name: machine.standing.problem.because
        if machine.standing.problem
        else f"{machine.standing.usable} of {machine.standing.cards}"
        for machine in rows_of(*texts)
    }


def document(**fields: object) -> str:
    """A document with nothing in it that a row does not need."""
    summary = {"cards": 1, "usable": 1, "text": "1 of 1 GPU usable", "exit_code": 0}
    return json.dumps({"schema_version": 1, "gpuprobe": "0.1.0", "summary": summary, **fields})


def read(left: Left, folder: Path) -> Outcome:
    for name, text in left.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    calls = RollCall(Reading(1, parse("count>=8")))
    if left.files:
        for found, origin in fleet_files.found_in([str(folder)]):
            calls.take(found, origin)
    else:
        for found in of_text(left.text):
            calls.take(found, STDIN)
    return outcome_of(calls.machines(forty.NAMES), calls.notes(), "count>=8")


@pytest.mark.parametrize("form", FORMS)
def test_every_engine_s_form_gives_the_same_rows(form: str, tmp_path: Path) -> None:
    usual, outcome = read(FORMS["clush_lines"](TEXTS), tmp_path), read(FORMS[form](TEXTS), tmp_path)

    assert [(each.name, each.standing) for each in outcome.machines] == [(each.name, each.standing) for each in usual.machines]
    assert (outcome.text, outcome.exit, outcome.differs, outcome.notes) == (usual.text, usual.exit, usual.differs, usual.notes)


def test_of_forty_machines_the_odd_the_silent_and_the_failing_ones_are_named(tmp_path: Path) -> None:
    outcome = read(FORMS["clush_lines"](TEXTS), tmp_path)

    assert [each.sentence for each in outcome.differs] == [
        "n07: driver 570.86.15, the other 35 have 580.95.05",
        "n23: cards 2 x NVIDIA GeForce RTX 4090, the other 36 have 8 x NVIDIA H100 80GB HBM3",
    ]
    assert [machine.name for machine in outcome.silent] == ["n19", "n31", "n38"]
    assert [machine.name for machine in outcome.with_verdict(False)] == ["n12", "n23"]
    assert (outcome.exit, len(outcome.machines)) == (6, 40)


@pytest.mark.parametrize("form", ["clush_lines", "ansible_json", "ray_lines", "dshbak", "by_name"])
def test_a_stream_that_is_read_in_pieces_gives_what_it_gives_as_a_whole(form: str) -> None:
    text = FORMS[form](TEXTS).text
    begin, rest = text[:70000], text[70000:]
    pieces = (rest[place : place + 1000] for place in range(0, len(rest), 1000))

    calls = RollCall(READING)
    for found in of_pieces(begin, pieces):
        calls.take(found, STDIN)

    whole = {each.name: each.standing for each in rows_of(text)}
    assert {each.name: each.standing for each in calls.machines() if each.name in whole} == whole


def test_what_a_machine_said_instead_of_a_document_is_its_reason() -> None:
    said = "n1: " + document() + "\nn2: ssh: connect to host n2 port 22: Connection refused\n"

    assert told(said) == {"n1": "1 of 1", "n2": "ssh: connect to host n2 port 22: Connection refused"}


def test_what_a_tool_says_of_machines_is_their_reason_where_they_said_nothing() -> None:
    said = f"n1: {document()}\nclush: n[2-3]: exited with exit code 255\npdsh@head: n4: ssh exited with exit code 1\n"

    assert told(said) == {
        "n1": "1 of 1",
        "n2": "it left nothing, and ended with exit code 255",
        "n3": "it left nothing, and ended with exit code 255",
        "n4": "it left nothing, and ended with exit code 1",
    }


def test_what_a_tool_says_behind_folded_answers_is_not_what_the_last_machine_left() -> None:
    rule = "-" * 15
    said = f"{rule}\nn[1-2] (2)\n{rule}\n{document()}\nclush: n3: exited with exit code 255\n{rule}\nn4\n{rule}\n\n"

    assert told(said) == {
        "n1": "1 of 1",
        "n2": "1 of 1",
        "n3": "it left nothing, and ended with exit code 255",
        "n4": "it left nothing",
    }


def test_the_exit_code_of_a_machine_with_a_document_is_not_held_against_it() -> None:
    assert told(f"n1: {document()}\nclush: n1: exited with exit code 5\n") == {"n1": "1 of 1"}


def test_where_every_machine_failed_each_is_a_row() -> None:
    said = "n1: bash: gpuprobe: command not found\nn2: bash: gpuprobe: command not found\n"

    assert told(said) == dict.fromkeys(("n1", "n2"), "bash: gpuprobe: command not found")


def test_words_before_a_colon_in_a_text_of_one_machine_are_no_machines() -> None:
    said = f"Loading: module cuda/13.0\nsrun: job 41 queued\n{document(host={'name': 'n1'})}\nError: something else\n"

    assert told(said) == {"n1": "1 of 1"}


def test_an_underlined_text_is_not_a_heading_of_machines() -> None:
    assert told("Welcome to n1\n-------------\nthere is no gpuprobe here\n") == {"standard input": "Welcome to n1"}


def test_a_machine_is_named_by_its_engine_else_by_itself_else_by_its_file() -> None:
    by_itself = document(host={"name": "n2.example.org"})

    assert [row.name for row in rows_of(f"n1: {by_itself}")] == ["n1"]
    assert [row.name for row in rows_of(by_itself)] == ["n2.example.org"]
    assert [row.name for row in called(document(), origin=Origin("a/n3.json", "n3")).machines()] == ["n3"]
    assert [row.name for row in called(document(host={"name": "localhost"}), origin=Origin("n4.json", "n4")).machines()] == [
        "n4"
    ]


def test_a_task_s_number_is_no_name() -> None:
    """`srun --label` writes it before each line."""
    assert told(f"0: {document(host={'name': 'n1'})}\n1: {document(host={'name': 'n2'})}\n") == {"n1": "1 of 1", "n2": "1 of 1"}


def test_machines_of_one_image_that_call_themselves_the_same_are_named_by_their_files() -> None:
    calls = RollCall(READING)
    for number in (1, 2, 3):
        for found in of_text(document(host={"name": "ubuntu"})):
            calls.take(found, Origin(f"answers/n{number}.json", f"n{number}"))

    assert [machine.name for machine in calls.machines()] == ["n1", "n2", "n3"]
    assert calls.notes() == ["several files call their machine `ubuntu`, so their files name them"]


def test_documents_that_nothing_names_are_numbered_and_none_is_lost() -> None:
    calls = called(f"{document()}\n{document()}\n")

    assert [machine.name for machine in calls.machines()] == ["standard input", "standard input (2)"]
    assert calls.notes() == ["several documents of `standard input` name no machine, so they are numbered"]


def test_of_several_documents_of_a_machine_the_newest_counts() -> None:
    new = document(timestamp="2026-11-28T10:00:00Z", summary={"cards": 2, "usable": 1, "text": "t", "exit_code": 0})
    old = document(timestamp="2026-11-28T09:00:00Z")
    calls = called(f"n1: {new}\nn1: {old}\n")

    assert [(each.standing.usable, each.standing.cards) for each in calls.machines()] == [(1, 2)]
    assert calls.notes() == ["n1 left several documents; the newest counts"]


def test_a_machine_that_is_expected_by_its_short_name_has_answered_by_its_full_one() -> None:
    calls = called(f"n1.cluster: {document()}\nn2: {document()}\n")

    expected = calls.machines(["n1", "n2", "n3"])

    assert [(each.name, each.standing.answered) for each in expected] == [
        ("n1.cluster", True),
        ("n2", True),
        ("n3", False),
    ]


@pytest.mark.parametrize("counts", [{}, {"cards": 1}, {"usable": 1}, {"cards": -1, "usable": 0}])
def test_a_document_without_a_count_of_cards_is_a_row_that_says_so(counts: dict[str, int]) -> None:
    (row,) = rows_of(f"n1: {document(summary={**counts, 'text': 't', 'exit_code': 0})}")

    assert row.standing.problem is not None
    assert row.standing.problem.because.startswith("its document has no count of cards")


@pytest.mark.parametrize("order", [1, -1])
def test_an_answer_counts_more_than_none_whichever_came_first(order: int) -> None:
    lines = [f"n1: {document()}\n", 'n1: {"schema_version": 1, "summ\n']

    assert told("".join(lines[::order])) == {"n1": "1 of 1"}


def verdict_of(document: str, clauses: str) -> bool | None:
    calls = RollCall(Reading(1, parse(clauses)))
    for found in of_text(document):
        calls.take(found, STDIN)
    ((_, standing, *_),) = calls.machines()
    assert standing.verdict is not None
    return standing.verdict.answer


DEVICE = {"library": "CUDA", "name": "NVIDIA H100", "free_memory_bytes": 60 << 30, "compute_major": 9, "compute_minor": 0}
NONE_USABLE = {"devices": [], "summary": {"cards": 1, "usable": 0, "text": "0 of 1 GPU usable"}}
LOST = {"library": "ROCm", "purpose": "list", "status": "crashed"}


@pytest.mark.parametrize(
    ("fields", "clauses", "answer"),
    [
        ({"devices": [DEVICE]}, "free>=50GiB, compute>=9.0, library=cuda, name=h100", True),
        ({"devices": [DEVICE]}, "free>=70GiB", False),
        ({"devices": [{**DEVICE, "free_memory_bytes": None}]}, "free>=50GiB", None),
        ({**NONE_USABLE, "probes": [LOST]}, "count>=1", None),
        ({**NONE_USABLE, "probes": [{**LOST, "library": "NVML"}]}, "count>=1", False),
        ({**NONE_USABLE, "dropped": [{"reason": "not_decided"}]}, "count>=1", None),
        ({"devices": [DEVICE], "probes": [LOST]}, "count>=2", False),
        ({"devices": [DEVICE], "probes": [LOST]}, "count>=1", True),
    ],
)
def test_a_requirement_is_judged_as_on_the_machine_itself(fields: dict[str, object], clauses: str, answer: bool | None) -> None:
    assert verdict_of(document(**fields), clauses) is answer


def test_a_document_of_another_schema_is_a_row_that_says_so() -> None:
    (row,) = rows_of(f"n1: {document(schema_version=0, gpuprobe='0.0.9')}")

    assert row.standing.problem == Problem(
        Trouble.OTHER_SCHEMA, "its document has schema 0 (gpuprobe 0.0.9), and this gpuprobe reads 1"
    )


def test_an_error_document_is_a_row_with_its_message() -> None:
    error = {"code": "bug", "message": "this is a bug in gpuprobe: KeyError", "hint": "report it", "exit_code": 1}
    (row,) = rows_of(f"n1: {json.dumps({'schema_version': 1, 'error': error})}")

    assert row.standing.problem == Problem(Trouble.ERROR, "this is a bug in gpuprobe: KeyError")


def test_a_document_that_is_cut_off_is_a_row_that_says_so() -> None:
    (row,) = rows_of(f"n1: {document()[:60]}")

    assert row.standing.problem is not None
    assert row.standing.problem.trouble is Trouble.UNREADABLE
    assert row.standing.problem.because.startswith("a document that is cut off or damaged: `{")


def test_a_capture_is_told_from_a_document() -> None:
    (row,) = rows_of((forty.SCENARIOS / "eight-cards" / "capture.json").read_text())

    assert row.standing.problem is not None
    assert "this is a capture" in row.standing.problem.because


def test_a_host_that_ansible_could_not_reach_says_what_it_said() -> None:
    result = {"changed": False, "msg": "Failed to connect to the host via ssh: timed out", "unreachable": True}

    assert told(f"n1 | UNREACHABLE! => {json.dumps(result, indent=4)}\n") == {"n1": result["msg"]}


def test_a_play_in_which_nothing_left_a_document_has_a_row_for_every_host() -> None:
    play = {"plays": [{"tasks": []}], "stats": {"n1": {"ok": 1, "failures": 0, "unreachable": 0}}}

    assert told(json.dumps(play)) == {"n1": "no task of the play left a document"}


@pytest.mark.parametrize("line", ["Nov 29 01:00:00 n1 gpuprobe[4]: ", "2026-11-29T01:00:00.123456+00:00 n1 gpuprobe: "])
def test_a_line_of_the_system_s_log_names_its_machine(line: str) -> None:
    assert told(line + document()) == {"n1": "1 of 1"}


@pytest.mark.parametrize("text", ["{" * 100_000, "[" * 100_000, "{\n" + "}\n" * 50_000, "-----\n" * 20_000, "n1: {\n" * 20_000])
def test_a_text_made_to_be_hard_to_read_is_read_in_its_length(text: str) -> None:
    assert len(rows_of(text)) <= 1


KEYS = st.sampled_from(
    [
        *("schema_version", "summary", "error", "cards", "usable", "text", "devices", "driver", "kernel_version", "library"),
        *("why", "brief", "because", "probes", "dropped", "view", "views", "findings", "host", "name", "stdout", "cmd", "rc"),
        *("changed", "unreachable", "plays", "tasks", "hosts", "stats", "ansible_facts", "ansible_local", "gpuprobe"),
        *("software", "version", "link", "current_width", "device_ids", "message", "node", "evidence"),
    ]
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10) | KEYS, inner, max_size=6),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(KEYS, ANYTHING, max_size=12))
def test_a_document_of_anything_becomes_rows_or_none_and_never_a_failure(fields: dict[str, object]) -> None:
    for value in (fields, {"schema_version": 1, "summary": {"cards": 1, "usable": 0}, **fields}):
        calls = RollCall(Reading(1, parse("count>=1, free>=1GiB")))
        for found in of_text(json.dumps(value)):
            calls.take(found, Origin("-", "here"))

        outcome = outcome_of(calls.machines(), calls.notes(), "count>=1")
        assert all(machine.name.isprintable() for machine in outcome.machines)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.text(max_size=60) | st.sampled_from(["-----", "n1", "{", "}", "n1: {", "n1: }", f"n2: {document()}"])))
def test_lines_of_anything_become_rows_or_none_and_never_a_failure(lines: list[str]) -> None:
    found = list(of_text("\n".join(lines)))

    assert all(isinstance(each, Found) for each in found)
    assert found
