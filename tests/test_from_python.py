"""What a Python program gets from gpuprobe: the document of `list`, the same as records, and errors that say what is taken."""

from __future__ import annotations

import json
import pickle
import sys
from dataclasses import fields
from inspect import Parameter, signature
from pathlib import Path
from typing import Any

import pytest

import gpuprobe
from gpuprobe.python_records import Card, Device, Dropped, Why
from tests.cli.documents import checked
from tests.cli.terminal import REPOSITORY, piped
from tests.doubles import cuda_driver, described

MIXED = REPOSITORY / "tests" / "scenarios" / "mixed-front-page" / "capture.json"
SCHEMA = json.loads((REPOSITORY / "gpuprobe" / "schemas" / "list.schema.json").read_text())


def test_report_is_the_document_of_list() -> None:
    document = gpuprobe.report(capture=MIXED)

    assert document == json.loads(piped("list", "--json", "--from", str(MIXED)).out)
    checked("list", json.dumps(document))


def test_report_asks_this_machine_and_writes_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    card = described(name="NVIDIA H100", uuid="GPU-00000000-0000-0000-0000-00000000000a", pci="0000:01:00.0", memory=80 << 30)
    monkeypatch.setenv("LD_LIBRARY_PATH", str(cuda_driver().parent))
    monkeypatch.setenv("FAKE_CUDA", card)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    document = gpuprobe.report(libraries="cuda", timeout=20)

    assert [device["name"] for device in document["devices"]] == ["NVIDIA H100"]
    assert list(tmp_path.iterdir()) == []


def test_an_inventory_has_cards_with_reasons() -> None:
    inventory = gpuprobe.discover(capture=str(MIXED))
    (unusable,) = [card for card in inventory.cards if not card.usable]

    assert unusable.why is not None
    assert (unusable.pci_id, unusable.why.reason) == ("0000:03:00.0", "no_kernel_driver")
    assert unusable.why.advice is not None and "modprobe" in unusable.why.advice


def test_devices_have_the_names_and_values_of_the_document() -> None:
    inventory = gpuprobe.discover(capture=MIXED)

    for device, found in zip(inventory.devices, inventory.document["devices"], strict=True):
        assert all(getattr(device, each.name) == found.get(each.name) for each in fields(Device))
    assert inventory.text == inventory.document["summary"]["text"]
    assert inventory.devices[0].free_memory_bytes == 21 << 30


@pytest.mark.parametrize(
    ("record", "described_as"),
    [(Device, "device"), (Card, "card"), (Dropped, "drop"), (Why, "why")],
    ids=str,
)
def test_every_field_of_a_record_is_one_of_the_schema_and_none_is_left_out(record: type, described_as: str) -> None:
    assert {each.name for each in fields(record)} == set(properties(described_as))


def properties(name: str) -> dict[str, Any]:
    items = {"drop": SCHEMA["properties"]["dropped"]["items"], "why": SCHEMA["$defs"]["card"]["properties"]["why"]}
    return dict(_followed(items.get(name, {"$ref": f"#/$defs/{name}"}))["properties"])


def _followed(schema: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in schema:
        return _followed(SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]])
    return next((_followed(each) for each in schema.get("anyOf", ()) if each.get("type") != "null"), schema)


def test_both_functions_take_the_same_and_say_so() -> None:
    report, discover = signature(gpuprobe.report), signature(gpuprobe.discover)

    assert report.parameters == discover.parameters
    assert (report.return_annotation, discover.return_annotation) == ("Json", "Inventory")
    assert all(each.kind is Parameter.KEYWORD_ONLY for each in report.parameters.values())
    assert gpuprobe.discover.__name__ == "discover"


def test_records_are_short_to_look_at_and_can_be_pickled() -> None:
    inventory = gpuprobe.discover(capture=MIXED)

    assert repr(inventory) == f"<gpuprobe.Inventory: {inventory.text}>"
    assert pickle.loads(pickle.dumps(inventory)) == inventory


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        ({"libraries": ("cuda", "cuad")}, ValueError, "CUDA, ROCm, Metal, Level Zero, Vulkan.*'cuad' is none of them"),
        ({"libraries": 1}, TypeError, "libraries takes names"),
        ({"timeout": -1}, ValueError, "timeout takes seconds, more than 0"),
        ({"timeout": float("nan")}, ValueError, "timeout takes seconds"),
        ({"deadline": "5"}, TypeError, "deadline takes seconds"),
        ({"quick": "yes"}, TypeError, "quick takes True or False"),
        ({"lib_dirs": "/nonexistent"}, ValueError, "directories that hold builds"),
        ({"lib_dirs": [1]}, TypeError, "directories that hold builds"),
        ({"capture": 1}, TypeError, "the path of a file that `gpuprobe capture` wrote"),
        ({"capture": "/etc/hostname"}, ValueError, "is not a capture"),
        ({"library": "cuda"}, TypeError, "library"),
    ],
    ids=str,
)
def test_what_means_nothing_is_an_error_that_says_what_is_taken(
    arguments: dict[str, Any], error: type[Exception], said: str
) -> None:
    for ask in (gpuprobe.report, gpuprobe.discover):
        with pytest.raises(error, match=said):
            ask(**arguments)


@pytest.mark.parametrize("spelled", ["cuda,level-zero", ["CUDA", "Level Zero"], ("cuda", "ze", "cuda")])
def test_libraries_are_taken_as_the_command_takes_them(spelled: str | list[str] | tuple[str, ...]) -> None:
    asked = {
        probe["library"] for probe in gpuprobe.report(libraries=spelled, quick=True)["probes"] if probe["status"] != "skipped"
    }

    assert asked <= {"CUDA", "Level Zero", "NVML"}


def test_a_python_that_knows_no_path_of_its_own_is_an_error_and_not_an_empty_answer(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "executable", "")
    monkeypatch.setattr(sys, "_base_executable", None, raising=False)
    for name in ("prefix", "exec_prefix", "base_prefix", "base_exec_prefix"):
        monkeypatch.setattr(sys, name, str(tmp_path))

    with pytest.raises(gpuprobe.NotStarted, match="Python does not know its own path"):
        gpuprobe.report()


def test_a_capture_can_be_judged_where_no_child_can_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "frozen", True, raising=False)

    assert gpuprobe.discover(capture=MIXED).devices


def test_the_public_names_are_proposed_and_found() -> None:
    assert set(gpuprobe.__all__) <= set(dir(gpuprobe))
    assert all(getattr(gpuprobe, name) is not None for name in gpuprobe.__all__)
