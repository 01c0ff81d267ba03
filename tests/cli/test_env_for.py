"""What `env --for` writes for each program, what it says that the program cannot do, and what it refuses."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from gpuprobe.facts import DeviceNode, FoundBuild, Host, Reading
from gpuprobe.judging.consumers import CONSUMERS
from gpuprobe.model import Evidence, Partition
from tests.cli import machines
from tests.cli.documents import checked
from tests.cli.machines import FIRST, RADEON, SECOND, captured
from tests.cli.machines import a_geforce_beside_a_radeon as mixed
from tests.cli.terminal import REPOSITORY, piped
from tests.records import INTEL, a_card, a_device, an_outcome

A, B = "GPU-11111111-2222-3333-4444-555555555555", "GPU-99999999-2222-3333-4444-555555555555"
THREE_VENDORS = str(REPOSITORY / "tests" / "scenarios" / "three-vendors" / "capture.json")


def answered(*arguments: str, machine: Evidence, folder: Path) -> dict[str, Any]:
    return checked("env", piped("env", "--json", *arguments, "--from", captured(machine, folder)).out)


def variables(*arguments: str, machine: Evidence, folder: Path) -> dict[str, str | None]:
    found = answered(*arguments, machine=machine, folder=folder)["variables"]
    return {each["name"]: each["value"] for each in found}


# --- programs that read variables


def test_llama_cpp_is_told_one_name_for_each_card_beside_what_hides_the_others(tmp_path: Path) -> None:
    assert variables("--for", "llama.cpp", machine=mixed(), folder=tmp_path) == {
        "CUDA_VISIBLE_DEVICES": A,
        "ROCR_VISIBLE_DEVICES": machines.RADEON_UUID,
        "GGML_VK_VISIBLE_DEVICES": "0,1",
        "HIP_VISIBLE_DEVICES": "0",
        "GPU_DEVICE_ORDINAL": None,
        "LLAMA_ARG_DEVICE": "CUDA0,ROCm0",
    }


def test_llama_cpp_s_names_count_what_the_variables_leave(tmp_path: Path) -> None:
    found = variables(
        machines.RADEON,
        "--for",
        "llama.cpp",
        "--library",
        "vulkan",
        machine=mixed(),
        folder=tmp_path,
    )

    assert (found["GGML_VK_VISIBLE_DEVICES"], found["LLAMA_ARG_DEVICE"]) == ("1", "Vulkan0")


def test_a_llama_cpp_that_is_installed_decides_by_which_library_a_card_is_named(tmp_path: Path) -> None:
    build = FoundBuild("vulkan", "Vulkan", "/opt/llama/libggml-vulkan.so", (), (), "llama.cpp", product="llama.cpp")
    document = answered("--for", "llama.cpp", machine=mixed(builds=(build,)), folder=tmp_path)

    found = {each["name"]: each["value"] for each in document["variables"]}
    assert found["LLAMA_ARG_DEVICE"] == "Vulkan0,Vulkan1"
    assert document["for"]["notes"] == []


def test_without_an_installed_llama_cpp_it_is_said_which_builds_refuse_the_names(tmp_path: Path) -> None:
    ran = piped("env", "--for", "llama.cpp", "--from", captured(machines.two_geforces(), tmp_path))

    assert "was built without CUDA refuses CUDA… and does not start" in ran.err


def test_ray_is_given_hip_s_numbers_and_never_rocr_s_list(tmp_path: Path) -> None:
    found = variables("--for", "ray", machine=mixed(), folder=tmp_path)

    assert "ROCR_VISIBLE_DEVICES" not in found
    assert (found["HIP_VISIBLE_DEVICES"], found["CUDA_VISIBLE_DEVICES"]) == ("0", "")


def test_what_is_hidden_from_ray_is_a_list_of_nothing_because_minus_one_counts_as_a_gpu(tmp_path: Path) -> None:
    found = variables("CUDA:0", "--for", "ray", machine=mixed(), folder=tmp_path)

    assert (found["CUDA_VISIBLE_DEVICES"], found["HIP_VISIBLE_DEVICES"]) == (A, "")


def test_a_list_of_rocr_s_that_is_set_stays_because_hip_s_numbers_count_in_it(tmp_path: Path) -> None:
    found = variables("--for", "ray", machine=mixed(environ={"ROCR_VISIBLE_DEVICES": "1"}), folder=tmp_path)

    assert (found["HIP_VISIBLE_DEVICES"], found["ROCR_VISIBLE_DEVICES"]) == ("0", "1")


def test_vllm_is_given_nvml_s_numbers_in_the_order_of_addresses(tmp_path: Path) -> None:
    assert variables(SECOND, "--for", "vllm", machine=machines.two_geforces(), folder=tmp_path) == {
        "CUDA_VISIBLE_DEVICES": "1",
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
    }


def test_vllm_gets_one_library_s_variables_alone_because_it_refuses_two_that_differ(tmp_path: Path) -> None:
    found = variables("ROCm", "--for", "vllm", machine=mixed(), folder=tmp_path)

    assert found == {"HIP_VISIBLE_DEVICES": "0", "GPU_DEVICE_ORDINAL": None, "CUDA_VISIBLE_DEVICES": None}


def test_what_is_left_out_is_said(tmp_path: Path) -> None:
    ran = piped("env", "--for", "vllm", "--from", captured(mixed(), tmp_path))

    assert "without ROCm:0: vLLM computes through CUDA here" in ran.err


def test_a_slice_is_named_to_vllm_by_its_uuid_and_older_ones_are_warned_of(tmp_path: Path) -> None:
    part = machines.a_geforce(uuid="MIG-1", partition=Partition("mig", A))
    machine = machines.evidence(an_outcome(part), machines.passed(part), host=machines.with_driver())
    document = answered("--for", "vllm", machine=machine, folder=tmp_path)

    assert document["variables"][0]["value"] == "MIG-1"
    assert document["for"]["notes"] == ["vLLM before 0.24 does not start on a slice, which only a UUID can name"]


def test_torch_counts_no_amd_card_where_none_is_chosen(tmp_path: Path) -> None:
    """It would count one under `ROCR_VISIBLE_DEVICES=-1`."""
    found = variables("CUDA:0", "--for", "torch", machine=mixed(), folder=tmp_path)

    assert found == {"CUDA_VISIBLE_DEVICES": A, "HIP_VISIBLE_DEVICES": "-1", "GPU_DEVICE_ORDINAL": None}


def test_ollama_is_told_to_use_an_integrated_gpu_and_vulkan_where_it_needs_them(tmp_path: Path) -> None:
    found = variables("--for", "ollama", machine=machines.integrated_intel(), folder=tmp_path)

    assert found == {"GGML_VK_VISIBLE_DEVICES": "1", "OLLAMA_VULKAN": "1", "OLLAMA_IGPU_ENABLE": "1"}


@pytest.mark.parametrize("program", ["vllm", "torch", "ray"])
def test_a_card_that_only_vulkan_shows_is_nothing_for_a_program_without_vulkan(program: str, tmp_path: Path) -> None:
    ran = piped("env", "--for", program, "--from", captured(machines.integrated_intel(), tmp_path))

    assert (ran.code, ran.out) == (3, "")
    assert "does not compute through Vulkan" in ran.err


def test_count_counts_what_the_program_can_use(tmp_path: Path) -> None:
    assert piped("env", "--for", "vllm", "--count", "2", "--from", captured(mixed(), tmp_path)).code == 3
    assert piped("env", "--count", "2", "--from", captured(mixed(), tmp_path)).code == 0


def test_undoing_takes_away_what_only_this_program_reads() -> None:
    assert "unset LLAMA_ARG_DEVICE\n" in piped("env", "--unset", "--for", "llama.cpp").out
    assert "LLAMA_ARG_DEVICE" not in piped("env", "--unset").out


# --- programs that are given devices


def test_docker_is_given_nvidia_s_cards_by_id_and_others_by_their_files() -> None:
    ran = piped("env", "--for", "docker", "--from", THREE_VENDORS)

    assert shlex.split(ran.out) == [
        *("--gpus", f'"device={A}"'),
        *("--device", "/dev/kfd", "--device", "/dev/dri/renderD129", "--device", "/dev/dri/renderD130"),
    ]
    assert ran.err == "note: the variables of this shell do not reach a container\n"


def test_a_container_is_added_to_the_groups_that_a_card_s_files_need_and_to_no_others(tmp_path: Path) -> None:
    radeon = a_device("ROCm", pci_id=RADEON, uuid=machines.RADEON_UUID)
    nodes = (
        DeviceNode("/dev/kfd", mode=0o20660, uid=0, gid=992, major=510, minor=0, accessible=True),
        DeviceNode("/dev/dri/renderD128", mode=0o20666, uid=0, gid=44, major=226, minor=128, accessible=True),
    )
    host = machines.a_workstation(
        pci=(machines.an_amd_card(drm=("card0", "renderD128")),),
        nodes=nodes,
        libraries=machines.installed("libamdhip64.so.6"),
    )
    machine = machines.evidence(an_outcome(radeon), machines.passed(radeon), host=host)
    ran = piped("env", "--for", "docker", "--from", captured(machine, tmp_path))

    assert ran.out == "--device /dev/kfd --device /dev/dri/renderD128 --group-add 992\n"


def test_compose_is_given_a_service_s_lines() -> None:
    service = yaml.safe_load(piped("env", "--for", "docker", "--format", "compose", "--from", THREE_VENDORS).out)

    (reserved,) = service["deploy"]["resources"]["reservations"]["devices"]
    assert reserved == {"driver": "nvidia", "device_ids": [A], "capabilities": ["gpu"]}
    assert service["devices"] == ["/dev/kfd", "/dev/dri/renderD129", "/dev/dri/renderD130"]


def test_kubernetes_is_asked_for_as_many_as_were_chosen_of_each_vendor() -> None:
    ran = piped("env", "--for", "k8s", "--from", THREE_VENDORS)

    limits = {"nvidia.com/gpu": 1, "amd.com/gpu": 1, "gpu.intel.com/xe": 1}
    assert yaml.safe_load(ran.out) == {"resources": {"limits": limits}}
    assert "a pod cannot name a card" in ran.err


def with_device_minor(host: Host) -> Host:
    path = f"/proc/driver/nvidia/gpus/{FIRST}/information"
    return host._replace(texts={**host.texts, path: Reading("Model: \t\t X\nDevice Minor: \t 3\n")})


def test_slurm_is_given_the_device_files() -> None:
    machine = machines.a_geforce()
    host = machines.a_workstation(pci=(a_card(FIRST), a_card("0000:00:02.0", vendor=INTEL)), libraries=machines.NVIDIA_DRIVER)
    evidence = machines.evidence(an_outcome(machine), machines.passed(machine), host=with_device_minor(host))

    from gpuprobe.doctor.handed_over import handed
    from gpuprobe.judging.rules import judge
    from gpuprobe.model import Request
    from gpuprobe.render.carriers import CARRIERS

    inventory = judge(evidence, Request())
    assert CARRIERS["slurm"].write(handed(inventory.kept, inventory)) == "Name=gpu File=/dev/nvidia3 Flags=nvidia_gpu_env\n"


def test_a_card_without_a_file_that_is_known_is_named_and_not_guessed() -> None:
    ran = piped("env", "CUDA:0", "--for", "slurm", "--from", THREE_VENDORS)

    assert (ran.code, ran.out) == (3, "")
    assert ran.err.startswith("Error: CUDA:0 cannot be given to Slurm: there is no device file of its own that is known")


def test_a_hostile_uuid_is_given_to_no_one(tmp_path: Path) -> None:
    ran = piped("env", "--for", "docker", "--from", captured(machines.a_hostile_machine(), tmp_path))

    assert (ran.code, ran.out) == (3, "")


# --- usage


@pytest.mark.parametrize("option", [("--check",), ("--shell", "fish"), ("--format", "systemd"), ("--unset",), ("--", "true")])
def test_what_speaks_of_variables_is_refused_for_a_program_that_takes_none(option: tuple[str, ...]) -> None:
    ran = piped("env", "--for", "kubernetes", *option)

    assert ran.code == 2
    assert "Kubernetes is not given variables" in ran.err


def test_a_program_that_nobody_knows_is_answered_with_those_that_are() -> None:
    ran = piped("env", "--for", "nomad")

    assert ran.code == 2
    assert all(f"`{each.name}`" in ran.err for each in CONSUMERS)


@pytest.mark.parametrize("spelled", ["LLAMA.CPP", "llama-cpp", "llama_cpp"])
def test_names_are_taken_however_they_are_spelled(spelled: str) -> None:
    assert piped("env", "--for", spelled, "--from", THREE_VENDORS).code == 0


def test_json_names_the_program_its_notes_and_its_words() -> None:
    document = checked("env", piped("env", "--for", "docker", "--json", "--from", THREE_VENDORS).out)

    assert document["for"]["program"] == "docker"
    assert document["for"]["arguments"][:2] == ["--gpus", f'"device={A}"']
    assert shlex.split(document["for"]["text"]) == document["for"]["arguments"]
