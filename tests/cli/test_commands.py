"""What each command answers in text, and with which exit code."""

from __future__ import annotations

from pathlib import Path

import pytest

from gpuprobe.model import Device, Evidence, Outcome
from tests.cli import machines
from tests.cli.documents import checked
from tests.cli.machines import captured
from tests.cli.terminal import piped
from tests.records import a_device, an_outcome


@pytest.fixture
def two(tmp_path: Path) -> str:
    return captured(machines.two_geforces(), tmp_path)


def of_one(device: Device, *outcomes: Outcome) -> Evidence:
    return machines.evidence(an_outcome(device), machines.witnessed(device), *outcomes, host=machines.with_driver())


def test_a_card_that_is_not_usable_has_a_line_with_the_reason_and_under_it_what_to_do(tmp_path: Path) -> None:
    ran = piped("--from", captured(machines.a_geforce_beside_a_broken_radeon(), tmp_path), COLUMNS="200")

    lines = ran.out.splitlines()
    (place,) = [place for place, line in enumerate(lines) if line.startswith(f"{machines.RADEON} ")]
    assert lines[0] == "1 of 2 GPUs usable; 0000:03:00.0 is not: no kernel driver"
    assert lines[place].endswith("is not usable: no kernel driver (`amdgpu`) is loaded for this card")
    assert lines[place + 1].startswith("    load it with `sudo modprobe amdgpu`")


def test_without_a_gpu_the_management_display_and_the_cpu_are_named(tmp_path: Path) -> None:
    ran = piped("--from", captured(machines.no_gpu(), tmp_path), COLUMNS="200")

    assert "0000:02:00.0 is not a compute GPU: ASPEED management display" in ran.out
    assert "CPU: AMD Ryzen 9 7950X 16-Core Processor, 16 cores, 32 threads, sse4_2 avx f16c fma avx2 bmi2; " in ran.out
    assert "40.0 GiB of 62.5 GiB memory available; 8.0 GiB swap" in ran.out


def test_quick_says_that_nothing_was_initialised(two: str) -> None:
    ran = piped("list", "--quick", "--from", two, COLUMNS="200")

    assert "(only listed: whether they work was not tested)" in ran.out.splitlines()[0]
    assert ran.out.count("discrete, not initialised") == 2


def test_little_free_memory_is_kept_and_said(tmp_path: Path) -> None:
    ran = piped("--from", captured(machines.a_nearly_full_geforce(), tmp_path))

    assert "CUDA:0" in ran.out
    assert "note: CUDA:0 has only 100 MiB free; CUDA needs 457 MiB for itself" in ran.out
    assert "note:" not in piped("-q", "--from", captured(machines.a_nearly_full_geforce(), tmp_path)).out


def test_unknown_figures_are_question_marks_and_never_0(tmp_path: Path) -> None:
    silent = machines.a_geforce(
        free_memory=None, used_memory=None, total_memory=None, compute_major=None, kernel_version=None, api_version=None
    )
    machine = machines.evidence(an_outcome(silent), machines.passed(silent), host=machines.with_driver())

    (row,) = [line for line in piped("--from", captured(machine, tmp_path)).out.splitlines() if line.startswith("CUDA:0")]

    assert row.split()[5:] == ["?", "?", "?", "of", "?", "discrete", "0000:01:00.0"]


def test_all_shows_every_library_and_every_view_with_what_became_of_it(two: str) -> None:
    ran = piped("--all", "--from", two, COLUMNS="300")

    assert "ROCm list: absent" in ran.out
    assert "CUDA list: ok, 2 devices, 0.050 s" in ran.out
    assert "CUDA's number 1, NVIDIA GeForce RTX 4090, 0000:41:00.0, " in ran.out
    assert "25769803776 bytes" in ran.out
    assert "dropped, same_card" in ran.out
    assert "kept instead: CUDA:0" in ran.out
    assert "dropped, software_renderer" in ran.out


def test_v_shows_the_steps_of_each_child_and_its_last_words(tmp_path: Path) -> None:
    ran = piped("-v", "--from", captured(machines.a_geforce_that_fails(), tmp_path))

    assert "0.100 s  cuDevicePrimaryCtxRetain" in ran.out
    assert "stderr: NVRM: something broke" in ran.out


@pytest.mark.parametrize("device", ["CUDA:1", "GPU-9999", "00000000:41:00.0", "1"])
def test_one_device_is_shown_with_everything_about_it(two: str, device: str) -> None:
    ran = piped("list", device, "--from", two, "--library", "cuda")

    assert "GPU-99999999-2222-3333-4444-555555555555" in ran.out
    assert "24.0 GiB (25769803776 bytes)" in ran.out
    assert "GPU-11111111" not in ran.out


def test_one_device_in_json_is_the_same_document_with_only_what_concerns_it(two: str) -> None:
    document = checked("list", piped("list", "CUDA:0", "--json", "--from", two).out)

    assert [device["id"] for device in document["devices"]] == ["GPU-11111111-2222-3333-4444-555555555555"]
    assert [card["pci_id"] for card in document["cards"]] == [machines.FIRST]
    assert [drop["reason"] for drop in document["dropped"]] == ["same_card"]


def test_a_card_that_nobody_keeps_can_be_asked_for_too(tmp_path: Path) -> None:
    """That is when a person asks."""
    radeon = piped("list", "03:00.0", "--from", captured(machines.a_geforce_beside_a_broken_radeon(), tmp_path))
    failed = piped("list", "GPU-1111", "--from", captured(machines.a_geforce_that_fails(), tmp_path))

    assert (radeon.code, failed.code) == (0, 0)
    assert "no kernel driver (`amdgpu`)" in radeon.out and "CUDA:0" not in radeon.out
    assert "dropped, failed_validation" in failed.out


def test_sorting_by_free_memory_changes_the_order_and_not_the_numbers(two: str, tmp_path: Path) -> None:
    first, second = (
        machines.a_geforce(free_memory=1),
        machines.a_geforce(number=1, pci_id=machines.SECOND, uuid="GPU-2", free_memory=2),
    )
    machine = machines.evidence(
        an_outcome(first, second), machines.passed(first), machines.passed(second), host=machines.with_driver()
    )

    document = checked("list", piped("--json", "--sort", "free", "--from", captured(machine, tmp_path)).out)

    assert [device["index"] for device in document["devices"]] == [1, 0]


@pytest.mark.parametrize(
    ("requirement", "code", "said"),
    [
        ("count>=2, free>=4GiB", 0, "requirement met: 2 of 2 usable devices with free>=4GiB, 2 needed"),
        (
            "count>=2, free>=20GiB",
            5,
            "requirement not met: 1 of 2 usable devices with free>=20GiB, 2 needed",
        ),
        ("compute>=9.0", 5, "requirement not met: 0 of 2 usable devices with compute>=9.0, 1 needed"),
    ],
)
def test_a_requirement_decides_the_exit_code_and_the_line_says_what_was_found(
    two: str, requirement: str, code: int, said: str
) -> None:
    ran = piped("list", "--require", requirement, "--from", two, COLUMNS="200")

    assert ran.code == code
    assert ran.out.splitlines()[0] == said
    document = checked("list", piped("list", "--json", "--require", requirement, "--from", two).out)
    assert (document["summary"]["exit_code"], document["summary"]["text"]) == (code, said)


def test_a_requirement_that_a_card_in_doubt_could_meet_cannot_be_decided(tmp_path: Path) -> None:
    ran = piped("list", "--require", "count>=1", "--from", captured(machines.a_geforce_that_hangs(), tmp_path))

    assert ran.code == 6
    assert ran.out.startswith("requirement cannot be decided: ")


def test_validate_shows_views_by_stages_and_for_a_failed_one_its_step_number_and_last_words(tmp_path: Path) -> None:
    ran = piped("validate", "--from", captured(machines.a_geforce_that_fails(), tmp_path))

    assert ran.code == 4
    (row,) = [line for line in ran.out.splitlines() if line.startswith("CUDA:0  ")]
    assert row.split()[:6] == ["CUDA:0", "ok", "ok", "ok", "FAIL", "FAILED"]
    assert "ended in `cuDevicePrimaryCtxRetain` with 999 CUDA_ERROR_UNKNOWN" in ran.out
    assert "last output: NVRM: something broke" in ran.out


def a_card_with_one_bad_view() -> Evidence:
    """Vulkan fails on the card that CUDA works on."""
    device = machines.a_geforce()
    twin = a_device("Vulkan", pci_id=machines.FIRST, uuid="11111111-2222-3333-4444-555555555555", uuid_space="nvidia")
    host = machines.with_driver()._replace(libraries=(*machines.NVIDIA_DRIVER, *machines.VULKAN_LOADER))
    return machines.evidence(
        an_outcome(device), machines.witnessed(device), an_outcome(twin),
        machines.passed(device), machines.refused(twin), host=host,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ((), 0),
        (("--strict",), 4),
        (("Vulkan",), 4),
        (("CUDA",), 0),
        (("GPU-1111",), 0),
        (("0000:01:00.0",), 0),
        (("--build", "system"), 0),
        (("--build", "cuda_v13"), 2),
    ],
)
def test_validate_fails_where_a_card_has_no_passing_view_among_those_that_were_named(
    tmp_path: Path, arguments: tuple[str, ...], code: int
) -> None:
    assert piped("validate", *arguments, "--from", captured(a_card_with_one_bad_view(), tmp_path)).code == code


def test_validate_takes_only_the_named_devices(two: str) -> None:
    document = checked("validate", piped("validate", "CUDA:1", "--json", "--from", two).out)

    assert [(view["library"], view["index"]) for view in document["views"]] == [("CUDA", 1)]


def test_validate_of_a_doubtful_card_says_so(tmp_path: Path) -> None:
    ran = piped("validate", "--from", captured(machines.a_geforce_that_hangs(), tmp_path))

    assert ran.code == 6
    assert ran.out.splitlines()[0] == "0 of 1 view passed; 1 of 1 card could not be decided"


def test_flash_attn_names_the_device_that_decides_and_what_is_in_effect(tmp_path: Path) -> None:
    ran = piped("flash-attn", "--from", captured(machines.a_pascal(), tmp_path), COLUMNS="200")

    assert ran.code == 5
    assert ran.out.splitlines()[0] == (
        "flash attention: no; NVIDIA GeForce GTX 1080 has compute capability 6.1 (7.0 is needed; newer Ollama allows it)"
    )
    assert "with your settings: flash attention off, KV cache f16" in ran.out


def test_flash_attn_of_a_device_whose_capability_is_unknown_is_6(tmp_path: Path) -> None:
    silent = machines.a_geforce(compute_major=None, compute_minor=None)
    machine = machines.evidence(an_outcome(silent), machines.passed(silent), host=machines.with_driver())

    assert piped("flash-attn", "--from", captured(machine, tmp_path)).code == 6


def test_env_selects_the_chosen_device_and_hides_the_rest_from_every_library(two: str) -> None:
    ran = piped("env", "CUDA:1", "--from", two)

    assert (ran.code, ran.err) == (0, "")
    assert ran.out == (
        "export CUDA_VISIBLE_DEVICES='GPU-99999999-2222-3333-4444-555555555555'\nexport GGML_VK_VISIBLE_DEVICES='-1'\n"
    )
    assert piped("env", "CUDA:1", "--shell", "sh", "--from", two).out == ran.out


def test_env_in_json_says_what_is_set_and_what_is_unset(two: str) -> None:
    document = checked("env", piped("env", "CUDA:1", "--json", "--from", two).out)

    assert document["variables"] == [
        {"name": "CUDA_VISIBLE_DEVICES", "value": "GPU-99999999-2222-3333-4444-555555555555", "action": "set"},
        {"name": "GGML_VK_VISIBLE_DEVICES", "value": "-1", "action": "set"},
    ]
    assert [device["index"] for device in document["devices"]] == [1]


def test_env_without_a_usable_device_prints_nothing_and_says_why_on_standard_error(tmp_path: Path) -> None:
    ran = piped("env", "--from", captured(machines.no_gpu(), tmp_path))

    assert (ran.code, ran.out) == (3, "")
    assert ran.err == "Error: No GPU found on this machine: models will run on the CPU\n"


def test_software_renderers_count_only_where_they_are_asked_for(tmp_path: Path) -> None:
    path = captured(machines.a_renderer_only(), tmp_path)

    assert checked("list", piped("--json", "--from", path).out)["devices"] == []
    (device,) = checked("list", piped("--json", "--allow-software", "--from", path).out)["devices"]
    assert device["type"] == "software"
    validated = piped("validate", "--allow-software", "--from", path)
    assert (validated.code, validated.out.splitlines()[0]) == (0, "1 of 1 view passed; the software renderer works")


def test_a_heap_of_memory_is_told_in_words_and_not_in_python(tmp_path: Path) -> None:
    heap = {"device_local": True, "size_bytes": 2 << 30}
    device = machines.a_radeon_of_vulkan(capabilities={"memory_heaps": [heap]})
    host = machines.a_workstation(pci=(machines.an_amd_card(),), libraries=machines.VULKAN_LOADER)
    machine = machines.evidence(an_outcome(device), machines.passed(device), host=host)

    ran = piped("list", "Vulkan:0", "--from", captured(machine, tmp_path), COLUMNS="200")

    (line,) = [line for line in ran.out.splitlines() if line.startswith("capabilities.memory_heaps")]
    assert line.split(maxsplit=1)[1] == "device local yes size 2.0 GiB (2147483648 bytes)"
