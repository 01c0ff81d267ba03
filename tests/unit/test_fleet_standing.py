"""What a document says of its machine in a row, field by field, and what a whole fleet comes to."""

from __future__ import annotations

from typing import Any

import pytest

from gpuprobe.fleet.machine_standing import is_document, standing_of
from gpuprobe.fleet.rows import Problem, Reading, Standing, Trouble, Verdict
from gpuprobe.judging.requirement import parse
from gpuprobe.model import GiB

READING = Reading(1)
NVIDIA = {"vendor_id": "10de", "device_id": "2684", "name": "AD102"}


def document(counts: tuple[int, int] = (1, 1), text: str = "said", **fields: Any) -> dict[str, Any]:
    """`counts`: of all cards, and of those that are usable."""
    return {"schema_version": 1, "summary": {"cards": counts[0], "usable": counts[1], "text": text}, **fields}


def standing(counts: tuple[int, int] = (1, 1), **fields: Any) -> Standing:
    return standing_of(document(counts, **fields), READING)


def problem_of(value: dict[str, Any]) -> tuple[Trouble, str] | None:
    found = standing_of(value, READING).problem
    return None if found is None else (found.trouble, found.because)


@pytest.mark.parametrize(
    ("value", "is_one"),
    [
        ({"schema_version": 1, "summary": {}}, True),
        ({"schema_version": 1, "error": {}}, True),
        ({"schema_version": None, "evidence": {}}, True),
        ({"schema_version": 1}, False),
        ({"summary": {}}, False),
        (["schema_version", "summary"], False),
        (None, False),
    ],
)
def test_a_document_has_a_schema_and_an_answer(value: object, is_one: bool) -> None:
    assert is_document(value) is is_one


@pytest.mark.parametrize(
    ("changed", "trouble"),
    [
        ({"evidence": {}}, Trouble.UNREADABLE),
        ({"schema_version": 2, "gpuprobe": "9"}, Trouble.OTHER_SCHEMA),
        ({"schema_version": None}, Trouble.OTHER_SCHEMA),
        ({"error": {"message": "no"}}, Trouble.ERROR),
        ({"error": {}}, Trouble.ERROR),
        ({"summary": {"cards": 1}}, Trouble.UNREADABLE),
        ({}, None),
    ],
)
def test_a_document_that_answers_nothing_says_why(changed: dict[str, Any], trouble: Trouble | None) -> None:
    said = {
        "evidence": "this is a capture; `gpuprobe list --json --from FILE` makes a document of it",
        "gpuprobe": "its document has schema 2 (gpuprobe 9), and this gpuprobe reads 1",
        "schema_version": "its document has schema unknown (gpuprobe an unknown version), and this gpuprobe reads 1",
        "error": "no" if changed.get("error") else "an error without a message",
        "summary": "its document has no count of cards: it is none of `list`, `validate` or `doctor`",
    }
    expected = None if trouble is None else (trouble, said[list(changed)[-1]])

    assert problem_of({**document(), **changed}) == expected


def test_a_problem_is_told_in_400_characters() -> None:
    found = standing_of({**document(), "error": {"message": "x" * 500}}, READING)

    assert found == Standing(kind="", problem=Problem(Trouble.ERROR, "x" * 400))
    assert not found.answered and not found.whole


@pytest.mark.parametrize(
    ("counts", "expected"), [((1, 1), (1, 1)), ((1, 2), (1, 1)), ((0, 0), (0, 0)), ((5000, 4999), (4096, 4096))]
)
def test_cards_are_counted_as_far_as_a_machine_can_have_them(counts: tuple[int, int], expected: tuple[int, int]) -> None:
    found = standing(counts)

    assert (found.cards, found.usable) == expected
    assert found.whole is (0 < expected[0] == expected[1])


@pytest.mark.parametrize(
    ("fields", "kind"),
    [({"views": []}, "validate"), ({"findings": [], "probes": []}, "doctor"), ({"probes": []}, "list"), ({}, "other")],
)
def test_a_document_s_kind_is_known_by_its_parts(fields: dict[str, Any], kind: str) -> None:
    assert standing(**fields).kind == kind


RTX, SHOWN = [{"id": "a", "name": "RTX"}], {"device_ids": ["a"]}


@pytest.mark.parametrize(
    ("cards", "devices", "models"),
    [
        (None, [*RTX, {"id": "b", "name": "RTX"}, {"id": "c"}], (("RTX", 2), ("a GPU without a name", 1))),
        ([{**NVIDIA, **SHOWN}, NVIDIA], RTX, (("RTX", 2),)),
        ([{**NVIDIA, "device_ids": ["b"]}, {}], RTX, (("AD102", 1), ("a GPU without a name", 1))),
        ([{**NVIDIA, "device_ids": [5]}, {**NVIDIA, "device_ids": "a"}, {**NVIDIA, "device_ids": []}], RTX, (("AD102", 3),)),
        ([{"name": "x", **SHOWN}, {"name": "y"}], RTX, (("RTX", 1), ("y", 1))),
        ([{**NVIDIA, **SHOWN}, {**NVIDIA, "vendor_id": "1002"}], RTX, (("AD102", 1), ("RTX", 1))),
        ([], RTX, ()),
    ],
)
def test_cards_are_called_as_a_library_calls_those_of_their_kind(
    cards: list[dict[str, Any]] | None, devices: list[dict[str, Any]], models: tuple[Any, ...]
) -> None:
    shown: dict[str, Any] = {} if cards is None else {"cards": cards}

    assert standing(devices=devices, **shown).models == models


def a_view(library: str | None, kernel: str | None = None, runtime: str | None = None) -> dict[str, Any]:
    return {"library": library, "driver": {"kernel_version": kernel, "runtime_version": runtime}}


@pytest.mark.parametrize(
    ("views", "driver"),
    [
        ([a_view("CUDA", "580"), a_view("CUDA", "580")], "580"),
        ([a_view("CUDA", "580"), a_view("Vulkan", "580")], "580"),
        ([a_view("Vulkan", None, "Mesa 25"), a_view("CUDA", "580", "13.0")], "CUDA 580, Vulkan Mesa 25"),
        ([a_view("CUDA", "580"), a_view("CUDA", "590"), a_view("CUDA", "580")], "580 and 590"),
        ([a_view(None, "580"), a_view("CUDA")], "580"),
        ([a_view(None, "580"), a_view("CUDA", "590")], "? 580, CUDA 590"),
        ([a_view("CUDA")], None),
        ([], None),
    ],
)
def test_drivers_are_told_once_and_by_library_where_they_differ(views: list[dict[str, Any]], driver: str | None) -> None:
    assert standing(devices=views).driver == driver
    assert standing(devices=[], dropped=[{"view": view} for view in views]).driver == driver


@pytest.mark.parametrize(
    ("fields", "reasons"),
    [
        ({"cards": [{"pci_id": "01", "why": {"brief": "b", "because": "c"}}]}, ("01: b",)),
        ({"cards": [{"name": "x", "why": {"because": "c"}}, {"why": {"because": "c"}}]}, ("x: c", "a GPU: c")),
        ({"cards": [{"pci_id": "01"}]}, ()),
        ({"cards": [{"pci_id": "01", "why": {"because": "c" * 500}}]}, ("01: " + "c" * 200,)),
        ({"views": [{"selector": "CUDA:0", "verdict": "unsupported", "because": "no"}]}, ("CUDA:0: no",)),
        ({"views": [{"pci_id": "01", "verdict": "inconclusive"}, {"verdict": "x"}]}, ("01: failed", "a view: failed")),
        ({"views": [{"selector": "CUDA:0", "verdict": "supported"}, {"selector": "CUDA:1"}]}, ()),
        ({"cards_without_views": [{"pci_id": "01"}, {"why": {"brief": "b"}}]}, ("01: no library shows it", "a GPU: b")),
    ],
)
def test_each_card_that_is_not_usable_has_its_reason(fields: dict[str, Any], reasons: tuple[str, ...]) -> None:
    assert standing(**fields).reasons == reasons
    assert standing((2, 1), **fields).reasons == (reasons or ("said",))


@pytest.mark.parametrize(("counts", "said"), [((2, 1), True), ((0, 0), True), ((1, 1), False)])
def test_where_no_card_has_a_reason_the_document_s_first_line_is_one(counts: tuple[int, int], said: bool) -> None:
    assert standing(counts).reasons == (("said",) if said else ())
    assert standing(counts, text="").reasons == ()


def test_what_equal_machines_have_equal_is_told_in_an_order() -> None:
    device = {"id": "a", "name": "RTX", "library": "CUDA", "driver": {"kernel_version": "580"}}
    found = standing(
        devices=[
            {**device, "build": "cuda_v13", "total_memory_bytes": 24 * GiB},
            {**device, "build": "system", "total_memory_bytes": 23 * GiB + GiB // 4},
            device,
        ],
        cards=[{"device_ids": ["a"], "link": {"current_width": 16}}, {"device_ids": ["a"], "link": {"current_width": 0}}],
        host={"kernel": "6.1", "os": "Debian"},
        software=[
            {"name": "torch", "version": "2"},
            {"name": "torch", "release": "1"},
            {"name": "jax", "version": "3"},
            {"name": "x"},
        ],
        gpuprobe="0.1",
    )

    assert found.traits == (
        ("cards", "2 x RTX"),
        ("driver", "580"),
        ("builds", "cuda_v13"),
        ("memory per card", "23 GiB, 24 GiB"),
        ("PCIe link", "x16"),
        ("kernel", "6.1"),
        ("system", "Debian"),
        ("jax", "3"),
        ("torch", "1, 2"),
        ("gpuprobe", "0.1"),
    )
    assert (found.trait("kernel"), found.trait("other")) == ("6.1", None)
    many = standing(software=[{"name": f"s{number:02}", "version": "1"} for number in range(50)])
    assert [name for name, _ in many.traits][-1] == "s39"


def verdict(clauses: str = "count>=1", counts: tuple[int, int] = (1, 1), **fields: Any) -> Verdict:
    found = standing_of(document(counts, **fields), Reading(1, parse(clauses))).verdict
    assert found is not None
    return found


DEVICE = {"library": "CUDA", "type": "discrete", "total_memory_bytes": 24 * GiB}
MISSING: dict[str, Any] = {"cards": [{"pci_id": "01", "why": {"brief": "off the bus"}}]}


def test_a_verdict_says_what_was_found_and_which_card_is_missing() -> None:
    assert verdict(devices=[DEVICE]) == Verdict(True, "1 usable device, 1 needed")
    assert verdict("count>=2", devices=[DEVICE]) == Verdict(False, "1 usable device, 2 needed")
    assert verdict("count>=2", devices=[DEVICE], **MISSING) == Verdict(False, "1 usable device, 2 needed (01: off the bus)")
    two: dict[str, Any] = {"cards": MISSING["cards"] * 2}
    assert verdict("count>=2", devices=[DEVICE], **two).because.endswith("(01: off the bus, …)")
    assert verdict(devices=[DEVICE], **MISSING).because == "1 usable device, 1 needed"
    assert verdict("type=discrete", devices=[DEVICE]).answer is True
    assert verdict("type=discrete", devices=[{**DEVICE, "type": "odd"}]).answer is None
    assert standing().verdict is None


def lost(**fields: Any) -> dict[str, Any]:
    return {"library": "CUDA", "purpose": "list", "status": "timed_out", **fields}


@pytest.mark.parametrize(
    ("fields", "counts", "doubt"),
    [
        ({"probes": [lost()]}, (1, 0), True),
        ({"probes": [lost()]}, (1, 1), False),
        ({"probes": [lost()]}, (0, 0), True),
        ({"probes": [lost(purpose="validate")]}, (1, 0), False),
        ({"probes": [lost(status="ok")]}, (1, 0), False),
        ({"probes": [lost(library="NVML")]}, (1, 0), False),
        ({"probes": [lost(library="of the future")]}, (1, 0), True),
        ({"probes": [lost(library=None)]}, (1, 0), True),
        ({"dropped": [{"reason": "not_decided"}]}, (1, 1), True),
        ({"dropped": [{"reason": "no_code"}]}, (1, 0), False),
        ({"cards": [{"why": {"reason": "skipped"}}]}, (1, 0), True),
        ({"cards": [{"why": {"reason": "crashed"}}]}, (1, 0), False),
    ],
)
def test_what_was_lost_on_the_way_leaves_a_no_open(fields: dict[str, Any], counts: tuple[int, int], doubt: bool) -> None:
    assert verdict("count>=2", counts, devices=[DEVICE], **fields).answer is (None if doubt else False)
