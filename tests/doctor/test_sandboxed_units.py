"""Units that hide a card's nodes from a server, images without a build, links with few lanes, an old driver of Windows."""

from __future__ import annotations

from typing import Any

import pytest

from gpuprobe.doctor.findings import Severity
from gpuprobe.facts import FoundBuild, FoundLibrary, Host, Reading
from gpuprobe.facts.system_facts import UnitFiles
from tests.doctor.sick_machines import (
    a_radeon,
    causes,
    findings,
    headline,
    knowing,
    not_installed,
    of_the_machine,
    passed,
    with_radeon,
)
from tests.records import a_card, a_device, a_host

ADDRESS = "0000:03:00.0"
VULKAN = a_device("Vulkan", pci_id=ADDRESS, vendor_id=0x1002)
DROP_IN = "/etc/systemd/system/ollama.service.d/hardening.conf"


def served(*lines: str) -> Host:
    text = "\n".join(("[Service]", *lines, ""))
    return knowing(with_radeon(), units=(UnitFiles("ollama.service", files={DROP_IN: Reading(text)}),))


@pytest.mark.parametrize(
    "lines",
    [
        ("PrivateDevices=yes",),
        ("DevicePolicy=closed",),
        ("DeviceAllow=char-drm rw",),
        ("DeviceAllow=/dev/kfd rw", "DeviceAllow=/dev/dri/renderD129 rw"),
    ],
)
def test_a_unit_that_hides_one_of_the_cards_nodes_is_told_with_its_line(lines: tuple[str, ...]) -> None:
    (found,) = of_the_machine(served(*lines), passed(VULKAN), devices=(VULKAN,))

    assert (found.id, found.severity) == ("systemd-device-sandbox", Severity.DEGRADED)
    assert DROP_IN in found.because
    assert "DeviceAllow=/dev/kfd rw" in found.fix[0].text


@pytest.mark.parametrize(
    "lines",
    [
        (),
        ("PrivateDevices=no",),
        ("PrivateDevices=yes", "PrivateDevices=no"),
        ("DevicePolicy=auto",),
        ("DeviceAllow=char-drm rw", "DeviceAllow=char-kfd rw"),
        ("DevicePolicy=closed", "DeviceAllow=/dev/kfd rw", "DeviceAllow=/dev/dri/renderD128 rw"),
    ],
)
def test_a_unit_that_hides_none_is_left_alone(lines: tuple[str, ...]) -> None:
    assert of_the_machine(served(*lines), passed(VULKAN), devices=(VULKAN,)) == ()


def a_build(name: str, library: str) -> FoundBuild:
    folder = f"/usr/lib/ollama/{name}"
    return FoundBuild(name, library, f"{folder}/libggml.so", (), (folder,), "Ollama", product="ollama")


def in_docker(*builds: FoundBuild, **fields: Any) -> Host:
    return with_radeon(texts={"/.dockerenv": Reading("")}, builds=builds, **fields)


def test_an_image_of_ollamas_without_rocm_is_told_beside_the_way_that_works() -> None:
    host = in_docker(a_build("vulkan", "Vulkan"), a_build("cuda_v13", "CUDA"))

    found = headline(findings(host, not_installed("ROCm"), passed(VULKAN), devices=(VULKAN,)))

    assert (found.id, found.severity) == ("ctr-wrong-image-variant", Severity.INFO)
    assert "ollama/ollama:rocm" in found.fix[0].text


def test_an_image_with_rocm_or_a_system_without_a_container_is_right() -> None:
    with_it = in_docker(a_build("vulkan", "Vulkan"), a_build("rocm_v7_2", "ROCm"))
    outside = with_radeon(builds=(a_build("vulkan", "Vulkan"),))

    for host in (with_it, outside):
        found = findings(host, not_installed("ROCm"), passed(VULKAN), devices=(VULKAN,))
        assert "ctr-wrong-image-variant" not in causes(found)


@pytest.mark.parametrize(("now", "most", "named"), [(4, 16, True), (16, 16, False), (None, 16, False)])
def test_lanes_that_a_card_has_and_does_not_get_are_told(now: int | None, most: int, named: bool) -> None:
    host = with_radeon(pci=(a_radeon(current_link_width=now, max_link_width=most),))

    found = findings(host, passed(VULKAN), devices=(VULKAN,))

    assert ("pci-link-degraded" in causes(found)) is named


@pytest.mark.parametrize(("names", "named"), [(("amdhip64_6.dll",), True), (("amdhip64_6.dll", "amdhip64_7.dll"), False)])
def test_a_driver_of_windows_with_hip_6_alone_is_older_than_ollamas_build(names: tuple[str, ...], named: bool) -> None:
    place = "C:\\Windows\\System32"
    libraries = tuple(FoundLibrary(name, f"{place}\\{name}", f"{place}\\{name}", "system directory") for name in names)
    card = a_card(ADDRESS, vendor=0x1002, device=0x744C, driver=None)
    host = a_host(platform="win32", machine="AMD64", pci=(card,), libraries=libraries)

    assert ("amd-windows-hip-too-old" in causes(findings(host, passed(VULKAN), devices=(VULKAN,)))) is named
