"""Ollama leaves integrated GPUs out: said where that leaves it nothing."""

from __future__ import annotations

from typing import Any

import pytest

from gpuprobe.doctor.findings import Certainty, Severity
from gpuprobe.facts import FoundBuild, Host
from gpuprobe.facts.system_facts import Package, Standing
from gpuprobe.model import Device, DeviceType
from tests.doctor.sick_machines import causes, kfd_nodes, knowing, of_the_machine, passed, with_radeon
from tests.records import a_device

FOLDER = "/usr/local/lib/ollama/rocm_v7_2"
OLLAMA = FoundBuild("rocm_v7_2", "ROCm", f"{FOLDER}/libggml-hip.so", (), (FOLDER,), "Ollama", product="ollama")
INSIDE = a_device(
    "ROCm",
    pci_id="0000:03:00.0",
    name="AMD Radeon 890M",
    type=DeviceType.INTEGRATED,
    gfx_target="gfx1150",
    build="rocm_v7_2",
)


def a_laptop(**fields: Any) -> Host:
    return with_radeon(texts=kfd_nodes(110500), builds=(OLLAMA,), **fields)


def found_on(host: Host, *devices: Device) -> list[str]:
    views = devices or (INSIDE,)
    return causes(of_the_machine(host, *(passed(each) for each in views), devices=views))


def test_integrated_graphics_alone_are_left_out_by_ollama() -> None:
    """Golden scenario 10."""
    host = knowing(a_laptop(), packages=(Package("ollama", "0.30.3-1", "pacman"),), package_lists={"pacman": None})

    found = of_the_machine(host, passed(INSIDE), devices=(INSIDE,))[0]

    assert (found.id, found.severity, found.certainty) == ("ollama-igpu-filtered", Severity.BLOCKER, Certainty.CERTAIN)
    assert found.fix[0].command == "export OLLAMA_IGPU_ENABLE=1"


def test_an_ollama_of_an_unknown_release_is_likely_one_that_does() -> None:
    found = of_the_machine(a_laptop(), passed(INSIDE), devices=(INSIDE,))[0]

    assert (found.severity, found.settle) == (Severity.DEGRADED, "ollama --version")


def test_an_ollama_from_before_took_them() -> None:
    host = knowing(a_laptop(), packages=(Package("ollama", "0.12.3", "pacman"),), package_lists={"pacman": None})

    assert "ollama-igpu-filtered" not in found_on(host)


@pytest.mark.parametrize(
    "device",
    [
        INSIDE._replace(gfx_target="gfx1151"),
        INSIDE._replace(type=DeviceType.DISCRETE),
        a_device("CUDA", pci_id="0000:03:00.0", type=DeviceType.INTEGRATED, build="rocm_v7_2"),
    ],
)
def test_what_ollama_takes_all_the_same_is_not_left_out(device: Device) -> None:
    assert "ollama-igpu-filtered" not in found_on(a_laptop(), device)


def test_the_switch_in_the_servers_own_environment_counts() -> None:
    told = Standing("unit", "ollama.service", command="ollama", environ={"OLLAMA_IGPU_ENABLE": "1"})
    untold = told._replace(environ={})

    assert "ollama-igpu-filtered" not in found_on(knowing(a_laptop(), servers=(told,)))
    assert "ollama-igpu-filtered" in found_on(knowing(a_laptop(environ={"OLLAMA_IGPU_ENABLE": "1"}), servers=(untold,)))
