"""Jetsons: nodes that are not open to this account, or not given to a container."""

from __future__ import annotations

from typing import Any

import pytest

from gpuprobe.facts import DeviceNode, Host
from gpuprobe.facts.system_facts import SystemFacts
from tests.doctor.nvidia_machines import DOCKER, commands, cuda, findings, headline, ids, is_certain, passed, refused, texts
from tests.records import a_host, an_outcome

ORIN = {
    "/proc/device-tree/compatible": "nvidia,p3768-0000\0nvidia,tegra234\0",
    "/proc/device-tree/model": "NVIDIA Jetson Orin NX\0",
    "/sys/module/nvgpu/initstate": "live\n",
    "/proc/driver/nvidia/version": None,
    "/sys/module/nvidia/version": None,
    "/sys/module/nvidia/initstate": None,
    "/sys/module/nvidia_uvm/initstate": None,
    "/proc/devices": "Character devices:\n195 nvidia\n",
}
REFUSED = refused(801, "CUDA_ERROR_NOT_SUPPORTED")


def orin(*, opens: bool, given: bool = True, system: SystemFacts | None = None, **changed: str) -> Host:
    nodes = (
        DeviceNode("/dev/nvmap", 0o660, 0, 44, 10, 121, opens, "video"),
        DeviceNode("/dev/dri/renderD128", 0o660, 0, 992, 226, 128, opens, "render"),
        DeviceNode("/dev/nvidiactl", 0o666, 0, 0, 195, 255, True),
    )
    return a_host(machine="aarch64", nodes=nodes if given else (), texts=texts({**ORIN, **changed}), system=system)


def test_an_account_outside_the_groups_of_the_nodes_joins_both() -> None:
    found = headline(orin(opens=False), REFUSED, address=None)

    assert (found.id, is_certain(found)) == ("jetson-nvmap-permission", True)
    assert 'usermod -aG video,render "$USER"' in commands(found)


def test_a_container_is_given_both_groups_by_number() -> None:
    found = headline(orin(opens=False, **DOCKER), REFUSED, address=None)  # type: ignore[arg-type]

    assert "--group-add 44 --group-add 992" in commands(found)


def test_groups_that_were_joined_need_only_a_login() -> None:
    found = headline(orin(opens=False, system=SystemFacts(login_groups=(44, 992))), REFUSED, address=None)

    assert "usermod" not in commands(found)


def test_nodes_that_open_are_not_denied_and_801_names_no_cause() -> None:
    found = findings(orin(opens=True), REFUSED, address=None)

    assert found[0].generic
    assert "virtual" not in found[0].because


def test_a_container_without_the_chips_nodes_needs_the_runtime_and_not_the_option() -> None:
    found = headline(orin(opens=True, given=False, **DOCKER), REFUSED, address=None)  # type: ignore[arg-type]

    assert found.id == "ctr-no-gpu-flag"
    assert "--runtime nvidia" in commands(found)
    assert "nv-uvm-not-loaded" not in ids(findings(orin(opens=True), refused(999), address=None))


@pytest.mark.parametrize("inside", [True, False])
@pytest.mark.parametrize("works", [True, False])
def test_what_a_jetson_computes_on_is_neither_denied_nor_missing(works: bool, inside: bool) -> None:
    place: dict[str, Any] = dict(DOCKER) if inside else {}
    chip = cuda(pci_id=None, name="Orin")
    outcomes = (an_outcome(chip), passed(chip)) if works else (REFUSED,)

    denied = ids(findings(orin(opens=False, **place), *outcomes, address=None))
    missing = ids(findings(orin(opens=True, given=False, **place), *outcomes, address=None))
    assert ("jetson-nvmap-permission" in denied) is not works
    assert ("ctr-no-gpu-flag" in missing) is (inside and not works)
