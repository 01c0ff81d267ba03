"""Small pieces of the documents, and the codes they carry."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from gpuprobe.exits import PRECEDENCE, Exit, weightiest
from gpuprobe.judging.rules import judge
from gpuprobe.model import DeviceType, Inventory, Partition, Request, Status, Validation, Verdict
from gpuprobe.render.device import identity, numbers, record, view
from gpuprobe.render.document import error_document, last_words
from gpuprobe.render.form import AS_JSON, Form, NotCarried, written
from gpuprobe.render.formats import FORMATS
from gpuprobe.render.shell import SHELLS
from tests.records import a_device, a_software_renderer, an_outcome, evidence_of

UUID = "GPU-11111111-2222-3333-4444-555555555555"


def judged(*devices: object) -> Inventory:
    return judge(evidence_of(*devices), Request())  # type: ignore[arg-type]


def test_where_several_codes_apply_the_weightiest_is_taken_whatever_their_order() -> None:
    for order in permutations(PRECEDENCE):
        assert weightiest(*order) is Exit.BUG
    assert weightiest(Exit.NO, Exit.NOTHING_USABLE) is Exit.NOTHING_USABLE
    assert weightiest(Exit.NOTHING_USABLE, Exit.UNDECIDED) is Exit.UNDECIDED
    assert weightiest(Exit.UNDECIDED, Exit.FAILED) is Exit.FAILED
    assert weightiest(Exit.ANSWERED, Exit.NO) is Exit.NO
    assert weightiest() is Exit.ANSWERED


def test_the_precedence_is_that_of_the_specification() -> None:
    assert [int(code) for code in PRECEDENCE] == [1, 2, 4, 6, 3, 5]


def test_every_code_has_a_meaning() -> None:
    assert all(code.meaning for code in Exit)


@pytest.mark.parametrize(
    ("fields", "known_as"),
    [
        ({"uuid": UUID, "pci_id": "0000:01:00.0"}, UUID),
        ({"pci_id": "0000:01:00.0"}, "0000:01:00.0"),
        ({"number": 3}, "CUDA:3"),
    ],
)
def test_the_id_is_the_uuid_else_the_address_else_the_number(fields: dict[str, Any], known_as: str) -> None:
    assert identity(a_device(**fields))["id"] == known_as


def test_a_view_has_no_index_because_it_is_not_kept() -> None:
    assert not {"index", "filter_id"} & view(a_device()).keys()


def test_a_validation_that_nobody_asked_for_is_absent() -> None:
    asked = a_device(validation=Validation(Verdict.UNSUPPORTED, None, "it crashed"))

    assert "validation" not in view(a_device())
    assert view(asked)["validation"] == {
        "verdict": "unsupported", "depth": None, "because": "it crashed", "steps": [], "seconds": None,
    }  # fmt: skip


def test_a_slice_names_its_card() -> None:
    sliced = a_device(partition=Partition("mig", UUID))

    assert view(sliced)["partition"] == {"kind": "mig", "parent": UUID}


def test_the_free_memory_names_the_library_that_gave_it() -> None:
    inventory = judged(a_device(free_memory=5, sources=(("free_memory", "NVML"),)))
    unknown = judged(a_device(free_memory=None))

    assert record(inventory.kept[0], inventory)["memory_source"] == "NVML"
    assert record(unknown.kept[0], unknown)["memory_source"] is None


def test_vulkan_numbers_count_raw_with_software_renderers_and_listed_without() -> None:
    renderer = a_software_renderer(number=0)
    card = a_device("Vulkan", number=1, pci_id="0000:01:00.0")
    inventory = judged(renderer, card)

    assert numbers(inventory.kept[0], inventory) == {"vulkan_raw": 1, "vulkan_listed": 0}


def test_a_software_renderer_has_no_place_among_the_listed() -> None:
    inventory = judge(evidence_of(a_software_renderer()), Request(allow_software=True))

    (device,) = inventory.kept
    assert device.type is DeviceType.SOFTWARE
    assert numbers(device, inventory) == {"vulkan_raw": 0, "vulkan_listed": None}


def test_the_last_words_are_those_of_children_that_had_something_to_say() -> None:
    noise = "\x1b[31mred\nlast line"

    assert last_words(an_outcome(a_device())) == {}
    assert last_words(an_outcome(a_device(), stderr=noise)) == {"stderr": "\\x1b[31mred\nlast line"}
    assert last_words(an_outcome(library="CUDA", status=Status.CRASHED, stderr=noise)) == {"stderr": "\\x1b[31mred\nlast line"}
    assert last_words(an_outcome(library="CUDA", status=Status.ABSENT, seconds=None)) == {}


def test_an_error_has_a_code_a_message_a_hint_and_the_exit_code() -> None:
    assert error_document("bug", "it broke", "report it", Exit.BUG) == {
        "schema_version": 1,
        "error": {"code": "bug", "message": "it broke", "hint": "report it", "exit_code": 1},
    }


@pytest.mark.parametrize(("manifest", "is_text"), [("/d/x.json", True), ("/d/\u663e.json", True), ("/d/\udcff.json", False)])
def test_a_document_holds_no_value_that_names_another_file(manifest: str, is_text: bool) -> None:
    inventory = judged(a_device("Vulkan", manifest=manifest))

    visible = record(inventory.kept[0], inventory)["visible"]

    assert visible == {**visible, "VK_DRIVER_FILES": manifest} if is_text else visible is None


@pytest.mark.parametrize("form", [AS_JSON, *(form for form in (*SHELLS.values(), *FORMATS.values()) if not form.carries_bytes)])
def test_a_path_that_is_not_utf_8_is_carried_as_it_is_or_refused(form: Form) -> None:
    with pytest.raises(NotCarried, match="not UTF-8"):
        written(form, [("VK_DRIVER_FILES", "/d/\udcff.json")])
