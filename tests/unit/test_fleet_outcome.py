"""What a whole fleet comes to: its first line and its exit code, who folds with whom, and who is who."""

from __future__ import annotations

from typing import Any

import pytest

from gpuprobe.exits import Exit
from gpuprobe.fleet.groups import Group, by_machines, grouped, odd_ones, reason_of
from gpuprobe.fleet.outcome import outcome_of
from gpuprobe.fleet.roll_call import RollCall
from gpuprobe.fleet.rows import Found, Machine, Origin, Problem, Reading, Standing, Trouble, Verdict

READING = Reading(1)
NVIDIA = {"vendor_id": "10de", "device_id": "2684", "name": "AD102"}


def document(counts: tuple[int, int] = (1, 1), text: str = "said", **fields: Any) -> dict[str, Any]:
    """`counts`: of all cards, and of those that are usable."""
    return {"schema_version": 1, "summary": {"cards": counts[0], "usable": counts[1], "text": text}, **fields}


def a_machine(name: str, cards: int = 8, usable: int = 8, **fields: Any) -> Machine:
    return Machine(name, Standing("list", cards, usable, **fields), Origin("", name))


SILENT = Machine("n9", Standing("", problem=Problem(Trouble.SILENT, "it left nothing")), Origin("", "n9"))
MET, FAILING, UNKNOWN = (
    a_machine(name, verdict=Verdict(answer, "")) for name, answer in (("n1", True), ("n2", False), ("n3", None))
)


@pytest.mark.parametrize(
    ("machines", "text"),
    [
        ([], "no machine: nothing was read"),
        ([a_machine("n1", 1, 1)], "1 of 1 GPU usable on 1 machine"),
        ([a_machine("n1"), a_machine("n2", 2, 0)], "8 of 10 GPUs usable on 2 machines"),
        ([a_machine("n1"), SILENT], "8 of 8 GPUs usable on 1 machine; 1 of 2 gave no answer"),
        ([SILENT], "0 of 0 GPUs usable on 0 machines; 1 of 1 gave no answer"),
    ],
)
def test_a_fleet_says_in_one_line_how_many_cards_are_usable(machines: list[Machine], text: str) -> None:
    outcome = outcome_of(machines, (), None)

    assert (outcome.text, outcome.exit) == (text, Exit.ANSWERED)


@pytest.mark.parametrize(
    ("machines", "text", "code"),
    [
        ([MET], "requirement met by 1 of 1 machine", Exit.ANSWERED),
        ([MET, FAILING], "requirement met by 1 of 2 machines, 1 does not meet it", Exit.NO),
        ([FAILING, FAILING], "requirement met by 0 of 2 machines, 2 do not meet it", Exit.NO),
        ([MET, UNKNOWN], "requirement met by 1 of 2 machines, 1 cannot be decided", Exit.UNDECIDED),
        ([MET, SILENT], "requirement met by 1 of 2 machines, 1 gave no answer", Exit.UNDECIDED),
        ([a_machine("n1")], "requirement met by 0 of 1 machine", Exit.ANSWERED),
        ([], "requirement met by 0 of 0 machines", Exit.UNDECIDED),
    ],
)
def test_a_fleet_meets_a_requirement_where_each_machine_does(machines: list[Machine], text: str, code: Exit) -> None:
    outcome = outcome_of(machines, ("a note",), "count>=1")

    assert (outcome.text, outcome.exit, outcome.notes) == (text, code, ("a note",))


def test_a_machine_s_reason_is_its_first_and_how_many_more() -> None:
    assert reason_of(a_machine("n1")) is None
    assert reason_of(a_machine("n1", reasons=("a",))) == "a"
    assert reason_of(a_machine("n1", reasons=("a", "b", "c"))) == "a; 2 more"
    assert reason_of(SILENT) == "it left nothing"


def test_a_group_says_each_reason_once_and_the_most_frequent_first() -> None:
    def group(*reasons: str | None) -> Group:
        return Group(tuple(a_machine(f"n{n}", reasons=(each,) if each else ()) for n, each in enumerate(reasons, 1)))

    assert group("a", "a").reason == "a"
    assert group("a", None).reason == "n1: a"
    assert group("a", "b", "b").reason == "n[2-3]: b; n1: a"
    assert group(*"abcde").reason.count(";") == 4
    assert group(*"abcdef").reason.endswith("n5: e; 1 more reasons")
    assert group(None).reason == ""
    assert group("a", None).common(lambda machine: machine.name) == "n1 / n2"
    assert group("a", None).common(lambda machine: None) == ""


def test_groups_are_sorted_by_what_is_asked_for() -> None:
    machines = [
        a_machine("n1", 4, 2, driver="580.9"),
        a_machine("n2", 0, 0, driver="580.10"),
        a_machine("n3", 4, 4, reasons=("z",)),
        a_machine("n4", 4, 4, driver="570", reasons=("a",)),
        SILENT,
    ]

    def names(sort: str) -> list[str]:
        return [group.names for group in grouped(machines, "machine", sort)]

    assert names("machine") == ["n1", "n2", "n3", "n4", "n9"]
    assert names("usable") == ["n9", "n2", "n1", "n3", "n4"]
    assert names("driver") == ["n3", "n9", "n4", "n1", "n2"]
    assert names("why") == ["n4", "n9", "n3", "n1", "n2"]


@pytest.mark.parametrize(("usual", "odd", "told"), [(2, 1, True), (3, 2, False), (4, 2, True), (1, 1, False), (1, 0, False)])
def test_the_odd_ones_are_told_where_two_thirds_of_their_peers_are_alike(usual: int, odd: int, told: bool) -> None:
    traits = [(("kernel", "a"),)] * usual + [(("kernel", "b"),)] * odd
    machines = [a_machine(f"n{number}", traits=each) for number, each in enumerate(traits, 1)]

    found = by_machines(odd_ones(machines))

    assert bool(found) is told
    assert all(each.ways[0].sentence == f"kernel b, the other {usual} have a" for each in found)


def test_machines_that_lack_a_trait_are_not_odd_and_cards_are_compared_by_name_alone() -> None:
    alike = [a_machine(f"n{number}", traits=(("kernel", "a"),)) for number in (1, 2, 3)]
    other = a_machine("m1", models=(("X", 1),), traits=(("cards", "1 x X"),))

    assert odd_ones([*alike, a_machine("n4")]) == []
    assert odd_ones([*alike, other]) == []


def called(*taken: tuple[str | None, object, str, str]) -> RollCall:
    calls = RollCall(READING)
    for name, content, file, own in taken:
        calls.take(Found(name, content), Origin(file, own))
    return calls


def names_of(calls: RollCall, *expected: str) -> list[str]:
    return [machine.name for machine in calls.machines(expected)]


def of_host(name: str, **fields: Any) -> dict[str, Any]:
    return document(host={"name": name}, **fields)


@pytest.mark.parametrize("nobody", ["localhost", "LocalHost.localdomain", "(none)", "unknown", "None", ""])
def test_a_name_that_every_machine_may_have_names_none(nobody: str) -> None:
    assert names_of(called((None, of_host(nobody), "f.json", "f"))) == ["f"]


def test_names_are_made_harmless_and_have_255_characters() -> None:
    assert names_of(called(("n\n1" + "x" * 300, document(), "", "f"))) == ["n\\x0a1" + "x" * 252]


def test_files_that_call_their_machine_the_same_name_their_machines() -> None:
    calls = called((None, of_host("u"), "a", "n1"), (None, of_host("u"), "b", "n2"), (None, of_host("v"), "c", "n3"))

    assert names_of(calls) == ["n1", "n2", "v"]
    assert calls.read == 3
    same_name = called((None, of_host("u"), "a", "n1"), (None, of_host("u"), "b", "n1"))
    assert names_of(same_name) == ["n1", "n1 (2)"]


def test_a_file_that_holds_several_answers_of_a_machine_holds_one_machine() -> None:
    old, new = of_host("u", timestamp="2026-01-01"), of_host("u", timestamp="2026-01-02", counts=(2, 1))

    for order in ((old, new), (new, old)):
        calls = called(*((None, each, "a", "n1") for each in order))
        assert [(each.name, each.standing.cards) for each in calls.machines()] == [("u", 2)]
        assert calls.notes() == ["u left several documents; the newest counts"]
    same_time = called((None, old, "a", "n1"), (None, {**new, "timestamp": "2026-01-01"}, "a", "n1"))
    assert same_time.machines()[0].standing.cards == 2


def test_a_problem_beside_an_answer_is_not_counted_as_a_document() -> None:
    silent = Problem(Trouble.SILENT, "x")
    calls = called(("n1", silent, "", ""), ("n1", document(), "", ""), ("n1", silent, "", ""))

    assert [(each.name, each.standing.answered) for each in calls.machines()] == [("n1", True)]
    assert calls.notes() == []


def test_a_machine_that_is_expected_and_left_nothing_is_a_row() -> None:
    calls = called(("n2.cluster", document(), "", ""))

    (silent, there) = calls.machines(["n1", "n2"])
    assert (silent.name, silent.standing.problem) == ("n1", Problem(Trouble.SILENT, "it left nothing"))
    assert there.name == "n2.cluster"


def test_what_equal_machines_say_is_kept_once() -> None:
    fields: dict[str, Any] = {"host": {"kernel": "6"}, "devices": [{"id": "a", "name": "RTX"}]}
    calls = called(
        ("n1", document(**fields), "", ""), ("n2", document(**fields), "", ""), ("n3", document((2, 1), **fields), "", "")
    )

    one, other, third = calls.machines()
    assert one.standing is other.standing
    assert third.standing.models is one.standing.models
    assert third.standing.traits[0] is one.standing.traits[0]
