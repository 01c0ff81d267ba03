"""Every answer in JSON is the document that its schema promises, whatever the machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gpuprobe.exits import Exit
from tests.cli import machines
from tests.cli.documents import SCHEMAS, checked
from tests.cli.machines import captured
from tests.cli.terminal import piped
from tests.records import an_outcome

MACHINES = {
    machine.__name__: machine
    for machine in (
        machines.two_geforces,
        machines.a_geforce_beside_a_broken_radeon,
        machines.a_geforce_that_fails,
        machines.a_geforce_that_hangs,
        machines.a_pascal,
        machines.a_nearly_full_geforce,
        machines.no_gpu,
        machines.a_hostile_machine,
        machines.a_renderer_only,
        machines.integrated_intel,
    )
}

# list, validate, flash-attn, env
CODES = {
    "two_geforces": (0, 0, 0, 0),
    "a_geforce_beside_a_broken_radeon": (0, 4, 0, 0),
    "a_geforce_that_fails": (0, 4, 3, 3),
    "a_geforce_that_hangs": (0, 6, 6, 6),
    "a_pascal": (0, 0, 5, 0),
    "a_nearly_full_geforce": (0, 0, 0, 0),
    "no_gpu": (0, 3, 3, 3),
    "a_hostile_machine": (0, 4, 0, 0),
    "a_renderer_only": (0, 3, 3, 3),
    "integrated_intel": (0, 0, 0, 0),
}
COMMANDS = ("list", "validate", "flash-attn", "env")


@pytest.mark.parametrize("name", MACHINES)
@pytest.mark.parametrize("command", COMMANDS)
def test_each_answer_fits_its_schema_and_its_exit_code(tmp_path: Path, name: str, command: str) -> None:
    path = captured(MACHINES[name](), tmp_path)

    ran = piped(command, "--json", "--from", path)

    document = checked(command, ran.out)
    assert ran.code == document["summary"]["exit_code"] == CODES[name][COMMANDS.index(command)]
    assert ran.err == ""


@pytest.mark.parametrize("name", MACHINES)
def test_without_json_the_exit_code_is_the_same_and_the_first_line_is_the_summary(tmp_path: Path, name: str) -> None:
    path = captured(MACHINES[name](), tmp_path)

    text = piped("list", "--from", path, COLUMNS="2000")
    document = checked("list", piped("list", "--json", "--from", path).out)

    assert text.out.splitlines()[0] == document["summary"]["text"]
    for command, code in zip(COMMANDS, CODES[name], strict=True):
        assert piped(command, "--from", path).code == code


def test_two_runs_print_the_same_bytes(tmp_path: Path) -> None:
    path = captured(machines.two_geforces(), tmp_path)

    assert piped("--json", "--from", path).out == piped("--json", "--from", path).out


def test_the_list_of_this_machine_fits_its_schema() -> None:
    document = checked("list", piped("--json").out)

    assert document["host"]["kernel"]
    assert {probe["library"] for probe in document["probes"]} >= {"CUDA", "Vulkan"}


def test_what_was_not_asked_is_absent_and_what_is_unknown_is_null(tmp_path: Path) -> None:
    path = captured(machines.two_geforces(), tmp_path)

    quick = checked("list", piped("--json", "--quick", "--from", path).out)["devices"][0]
    full = checked("list", piped("--json", "--from", path).out)["devices"][0]

    assert "validation" not in quick
    assert full["validation"]["verdict"] == "supported"
    assert full["gfx_target"] is None


def test_a_device_carries_what_each_library_calls_it_and_the_variables_for_it_alone(tmp_path: Path) -> None:
    path = captured(machines.two_geforces(), tmp_path)

    first, second = checked("list", piped("--json", "--from", path).out)["devices"]

    assert first["numbers"] == {"cuda": 0, "nvidia_smi": 0, "vulkan_raw": 0, "vulkan_listed": 0}
    assert second["numbers"] == {"cuda": 1, "nvidia_smi": 1}
    assert second["visible"]["CUDA_VISIBLE_DEVICES"] == second["id"]
    assert second["memory_source"] == "NVML"


def test_a_dropped_view_names_what_is_kept_instead(tmp_path: Path) -> None:
    document = checked("list", piped("--json", "--from", captured(machines.two_geforces(), tmp_path)).out)

    reasons = {drop["reason"]: drop["instead"] for drop in document["dropped"]}
    assert reasons["same_card"] == {"library": "CUDA", "id": "GPU-11111111-2222-3333-4444-555555555555"}
    assert reasons["software_renderer"] is None


def test_a_card_that_is_not_usable_says_why_and_what_to_do(tmp_path: Path) -> None:
    path = captured(machines.a_geforce_beside_a_broken_radeon(), tmp_path)

    document = checked("list", piped("--json", "--from", path).out)

    radeon = next(card for card in document["cards"] if card["pci_id"] == machines.RADEON)
    assert radeon["why"]["reason"] == "no_kernel_driver"
    assert "modprobe amdgpu" in radeon["why"]["advice"]
    assert radeon["vendor"] == "AMD" and radeon["vendor_id"] == "1002"


def test_a_management_display_is_named_as_what_it_is(tmp_path: Path) -> None:
    document = checked("list", piped("--json", "--from", captured(machines.no_gpu(), tmp_path)).out)

    assert document["cards"] == []
    assert document["bystanders"] == [{"pci_id": "0000:02:00.0", "what": "ASPEED management display"}]


def test_a_probe_that_failed_carries_its_last_words_and_one_that_did_not_carries_none(tmp_path: Path) -> None:
    document = checked("list", piped("--json", "--from", captured(machines.a_geforce_that_fails(), tmp_path)).out)

    failed = next(probe for probe in document["probes"] if probe["purpose"] == "validate")
    listed = next(probe for probe in document["probes"] if probe["library"] == "CUDA" and probe["purpose"] == "list")
    assert failed["stderr"] == "NVRM: something broke"
    assert failed["last_step"] == "cuDevicePrimaryCtxRetain"
    assert (failed["code"], failed["code_name"]) == (999, "CUDA_ERROR_UNKNOWN")
    assert "stderr" not in listed


def test_long_last_words_are_bounded(tmp_path: Path) -> None:
    device = machines.a_geforce()
    noisy = machines.refused(device)._replace(stderr="\x1b" * 5000)
    machine = machines.evidence(an_outcome(device), machines.witnessed(device), noisy, host=machines.with_driver())

    document = checked("list", piped("--json", "--from", captured(machine, tmp_path)).out)

    failed = next(probe for probe in document["probes"] if probe["purpose"] == "validate")
    assert len(failed["stderr"]) == 2000
    assert "\x1b" not in failed["stderr"]


def test_a_view_that_failed_says_what_to_do_and_one_that_passed_does_not(tmp_path: Path) -> None:
    failed, passed = (
        checked("validate", piped("validate", "--json", "--from", captured(machine, tmp_path)).out)["views"][0]
        for machine in (machines.a_geforce_that_fails(), machines.two_geforces())
    )

    assert failed["advice"].startswith("the kernel log may say more")
    assert passed["advice"] is None


def test_a_file_name_that_is_not_utf_8_leaves_the_document_valid(tmp_path: Path) -> None:
    device = machines.a_geforce(library_path="/opt/\udcff/libcuda.so.1", name="GPU 😀")
    machine = machines.evidence(
        an_outcome(device), machines.witnessed(device), machines.passed(device), host=machines.with_driver()
    )

    ran = piped("--json", "--from", captured(machine, tmp_path))

    device_record = checked("list", ran.out)["devices"][0]
    assert device_record["library_path"] == r"/opt/\xff/libcuda.so.1"
    assert device_record["name"] == "GPU 😀"
    assert "\\udcff" not in ran.out


def test_a_variable_that_is_set_is_explained(tmp_path: Path) -> None:
    device = machines.a_geforce()
    host = machines.with_driver()._replace(environ={"OLLAMA_FLASH_ATTENTION": "1"})
    machine = machines.evidence(an_outcome(device), machines.witnessed(device), machines.passed(device), host=host)

    (variable,) = checked("list", piped("--json", "--from", captured(machine, tmp_path)).out)["variables"]

    assert (variable["name"], variable["value"]) == ("OLLAMA_FLASH_ATTENTION", "1")
    assert variable["effect"]


@pytest.mark.parametrize("name", MACHINES)
def test_a_capture_fits_its_schema(tmp_path: Path, name: str) -> None:
    checked("capture", Path(captured(MACHINES[name](), tmp_path)).read_text())


def test_a_capture_of_this_machine_fits_its_schema_and_is_judged_as_the_machine(tmp_path: Path) -> None:
    ran = piped("capture", "machine.json", "--json", cwd=tmp_path)

    assert checked("captured", ran.out)["file"] == "machine.json"
    checked("capture", (tmp_path / "machine.json").read_text())
    live, replayed = (checked("list", piped("--json", *more, cwd=tmp_path).out) for more in ((), ("--from", "machine.json")))
    assert replayed["summary"] == live["summary"]
    assert [drop["reason"] for drop in replayed["dropped"]] == [drop["reason"] for drop in live["dropped"]]


@pytest.mark.parametrize("kind", ["list", "validate", "refresh", "flash-attn", "env", "captured", "error", "capture"])
def test_the_schemas_allow_nothing_that_they_do_not_name(kind: str) -> None:
    schema = json.loads((SCHEMAS / f"{kind}.schema.json").read_text())

    def objects(node: Any) -> list[dict[str, Any]]:
        inside = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
        found = [each for value in inside for each in objects(value)]
        return [node, *found] if isinstance(node, dict) and "properties" in node and node.get("type") == "object" else found

    for described in objects(schema):
        assert described["additionalProperties"] is False
        if "required" in described:
            assert set(described["required"]) <= set(described["properties"])


def test_the_exit_codes_of_the_schema_are_those_of_the_program() -> None:
    answered = json.loads((SCHEMAS / "list.schema.json").read_text())["$defs"]["summary"]["properties"]["exit_code"]["enum"]
    failed = json.loads((SCHEMAS / "error.schema.json").read_text())["properties"]["error"]["properties"]["exit_code"]["enum"]

    assert {*answered, *failed} == {int(code) for code in Exit}
