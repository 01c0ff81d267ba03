"""Variables that hide a card: a cause only where a child without them shows it."""

from __future__ import annotations

import pytest

from gpuprobe.doctor.findings import Rung, Severity
from gpuprobe.facts.system_facts import Standing
from gpuprobe.model import Device, Outcome, Probe, Purpose, Status
from tests.doctor.sick_machines import (
    causes,
    commands,
    findings,
    headline,
    knowing,
    level_zero_finds_nothing,
    passed,
    rocm_finds_nothing,
    with_arc,
    with_radeon,
)
from tests.records import a_device, a_manifest, an_outcome

ADDRESS = "0000:03:00.0"
RADEON = a_device("ROCm", pci_id=ADDRESS)


def without(*names: str, view: Device) -> Outcome:
    """What the library shows without these variables."""
    probe = Probe(view.library, Purpose.UNFILTERED, variables=tuple((name, None) for name in names))
    return Outcome(probe, Status.OK, devices=(view,), seconds=0.1)


def test_a_variable_that_hides_a_card_from_rocm_is_unset() -> None:
    host = with_radeon(environ={"HIP_VISIBLE_DEVICES": "1"})

    found = headline(findings(host, rocm_finds_nothing(), without("HIP_VISIBLE_DEVICES", view=RADEON)))

    assert (found.id, found.rung) == ("env-hip-visible-hides-all", Rung.LIBRARY)
    assert found.because == "`HIP_VISIBLE_DEVICES=1` hides it; without that, ROCm lists it"
    assert commands(found) == "unset HIP_VISIBLE_DEVICES"


def test_two_filters_count_one_after_the_other() -> None:
    names = ("ROCR_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES")
    host = with_radeon(environ=dict.fromkeys(names, "1"))

    assert headline(findings(host, rocm_finds_nothing(), without(*names, view=RADEON))).id == "env-double-filter"


def test_a_variable_that_nothing_proves_to_hide_the_card_is_not_the_cause() -> None:
    """Without the variable ROCm has nothing either: then it hides nothing."""
    host = with_radeon(environ={"HIP_VISIBLE_DEVICES": "1"})
    nothing = Outcome(
        Probe("ROCm", Purpose.UNFILTERED, variables=(("HIP_VISIBLE_DEVICES", None),)), Status.NO_DEVICES, seconds=0.1
    )

    assert causes(findings(host, rocm_finds_nothing(), nothing)) == []


def test_a_variable_of_a_service_is_taken_out_of_its_unit() -> None:
    ollama = Standing("process", "4711", unit="ollama.service", environ={"HIP_VISIBLE_DEVICES": "1"})
    host = knowing(with_radeon(environ={"HIP_VISIBLE_DEVICES": "1"}), servers=(ollama,))

    found = headline(findings(host, rocm_finds_nothing(), without("HIP_VISIBLE_DEVICES", view=RADEON)))

    assert commands(found) == "unset HIP_VISIBLE_DEVICES; sudo systemctl edit ollama.service"


@pytest.mark.parametrize(
    ("library", "name", "slug"),
    [
        ("Level Zero", "ZE_AFFINITY_MASK", "env-intel-selectors"),
        ("Vulkan", "VK_DRIVER_FILES", "vk-icd-env-override"),
        ("Vulkan", "VK_LOADER_DRIVERS_DISABLE", "vk-icd-env-override"),
    ],
)
def test_each_library_has_variables_of_its_own(library: str, name: str, slug: str) -> None:
    view = a_device(library, pci_id=ADDRESS, vendor_id=0x8086)
    host = with_arc(environ={name: "7"})
    lost = level_zero_finds_nothing() if library == "Level Zero" else an_outcome(library=library, status=Status.NO_DEVICES)

    assert headline(findings(host, lost, without(name, view=view))).id == slug


def test_a_hidden_better_way_leaves_the_card_usable() -> None:
    vulkan = a_device("Vulkan", pci_id=ADDRESS, vendor_id=0x1002)
    host = with_radeon(environ={"ROCR_VISIBLE_DEVICES": "-1"}, manifests=(a_manifest(),))

    found = findings(
        host, rocm_finds_nothing(), without("ROCR_VISIBLE_DEVICES", view=RADEON), passed(vulkan), devices=(vulkan,)
    )

    assert [(each.id, each.severity) for each in found] == [("env-hip-visible-hides-all", Severity.DEGRADED)]


def test_ggmls_own_variable_hides_what_the_loader_shows() -> None:
    view = a_device("Vulkan", pci_id=ADDRESS, vendor_id=0x1002)
    host = with_radeon(environ={"GGML_VK_VISIBLE_DEVICES": "3"}, manifests=(a_manifest(),))

    found = headline(findings(host, passed(view), devices=(view,)))

    assert (found.id, commands(found)) == ("env-vk-visible", "unset GGML_VK_VISIBLE_DEVICES")


def test_a_selector_of_sycls_is_told_beside_a_card_that_works() -> None:
    view = a_device("Level Zero", pci_id=ADDRESS)
    hiding = with_arc(environ={"ONEAPI_DEVICE_SELECTOR": "opencl:cpu"})
    showing = with_arc(environ={"ONEAPI_DEVICE_SELECTOR": "level_zero:0"})

    assert [(each.id, each.severity) for each in findings(hiding, passed(view), devices=(view,))] == [
        ("env-intel-selectors", Severity.INFO)
    ]
    assert causes(findings(showing, passed(view), devices=(view,))) == []
