"""Which machines fold, and which are odd."""

from __future__ import annotations

from gpuprobe.fleet.groups import by_machines, grouped, odd_ones
from gpuprobe.fleet.rows import Machine, Origin, Problem, Standing, Trouble

H100 = (("NVIDIA H100", 8),)


def a_machine(name: str, **fields: object) -> Machine:
    traits = fields.pop("traits", (("cards", "8 x NVIDIA H100"), ("driver", "595.45")))
    known = {"kind": "list", "cards": 8, "usable": 8, "models": H100, "driver": "595.45", "traits": traits, **fields}
    return Machine(name, Standing(**known), Origin(f"{name}.json", name))  # type: ignore[arg-type]


def a_silent_machine(name: str, because: str = "it left nothing") -> Machine:
    return Machine(name, Standing(kind="", problem=Problem(Trouble.SILENT, because)), Origin("", name))


def of_driver(name: str, driver: str, **fields: object) -> Machine:
    return a_machine(name, driver=driver, traits=(("cards", "8 x NVIDIA H100"), ("driver", driver)), **fields)


SIXTEEN = [of_driver(f"n{number}", "580.95" if number == 7 else "595.45") for number in range(1, 17)]


def sentences(machines: list[Machine]) -> list[str]:
    return [each.sentence for each in by_machines(odd_ones(machines))]


def test_machines_that_are_equal_in_all_that_is_shown_share_a_row() -> None:
    assert [group.names for group in grouped(SIXTEEN, "all", "machine")] == ["n[1-6,8-16]", "n7"]


def test_machines_differ_by_why_a_card_is_not_usable() -> None:
    machines = [a_machine("n1", usable=7, reasons=("a: off the bus",)), a_machine("n2", usable=7, reasons=("a: no driver",))]

    assert [group.names for group in grouped(machines, "all", "machine")] == ["n1", "n2"]


def test_a_group_by_one_thing_says_what_else_differs() -> None:
    machines = [*SIXTEEN, a_silent_machine("n17"), a_silent_machine("n18", "ssh: timed out")]

    groups = grouped(machines, "driver", "usable")

    assert [group.names for group in groups] == ["n[17-18]", "n[1-6,8-16]", "n7"]
    assert groups[0].reason == "n17: it left nothing; n18: ssh: timed out"


def test_the_worst_stand_first_where_that_is_asked_for() -> None:
    machines = [a_machine("n1"), a_machine("n2", usable=0), a_machine("n3", usable=7), a_silent_machine("n4")]

    assert [group.names for group in grouped(machines, "machine", "usable")] == ["n4", "n2", "n3", "n1"]


def test_the_odd_one_out_is_named_with_what_the_others_have() -> None:
    assert sentences(SIXTEEN) == ["n7: driver 580.95, the other 15 have 595.45"]


def test_two_machines_are_no_majority_and_neither_is_a_half() -> None:
    assert sentences([of_driver("n1", "580.95"), of_driver("n2", "595.45")]) == []
    assert sentences([of_driver(f"n{number}", "580.95" if number % 2 else "595.45") for number in range(10)]) == []


def test_machines_of_other_cards_are_no_peers() -> None:
    others = [of_driver(f"m{number}", "570.10", models=(("NVIDIA A100", 4),)) for number in range(2)]

    assert sentences([*SIXTEEN, *others]) == ["n7: driver 580.95, the other 15 have 595.45"]


def test_a_card_less_is_odd_among_machines_of_the_same_name() -> None:
    seven = a_machine("n9", cards=7, usable=7, models=(("NVIDIA H100", 7),), traits=(("cards", "7 x NVIDIA H100"),))
    peers = [a_machine(f"n{number}") for number in range(1, 9)]

    assert sentences([*peers, seven]) == ["n9: cards 7 x NVIDIA H100, the other 8 have 8 x NVIDIA H100"]


def test_what_the_same_machine_has_otherwise_is_one_sentence() -> None:
    odd = a_machine("n9", traits=(("driver", "580.95"), ("kernel", "5.15")))
    peers = [a_machine(f"n{number}", traits=(("driver", "595.45"), ("kernel", "6.8"))) for number in range(1, 9)]

    assert sentences([*peers, odd]) == ["n9: driver 580.95, the other 8 have 595.45; kernel 5.15, the other 8 have 6.8"]


def test_a_silent_machine_is_not_odd() -> None:
    assert sentences([*SIXTEEN[:6], a_silent_machine("n20")]) == []
