"""Cards that failed: off the bus, asleep for good, without power or a window, not started, with bad memory."""

from __future__ import annotations

import pytest

from gpuprobe.doctor.findings import Severity
from gpuprobe.doctor.reasons import CardReason
from gpuprobe.facts import Bar, Host, Listing, Reading
from gpuprobe.facts.system_facts import Opened, SystemFacts
from gpuprobe.model import Device, Status
from tests.doctor.nvidia_machines import (
    COUNTS_NONE,
    DOCKER,
    FIRST,
    NODES,
    SECOND,
    VIRTUAL,
    card,
    commands,
    cuda,
    findings,
    headline,
    ids,
    is_certain,
    log,
    nvidia_host,
    nvml,
    nvml_says,
    passed,
    refused,
    texts,
    without_driver,
)
from tests.records import a_card, an_outcome

NONE = refused(100, "CUDA_ERROR_NO_DEVICE", status=Status.NO_DEVICES)
LOST = nvml(pci_id=None, uuid=None, name=None, capabilities={"problems": {"handle": "NVML_ERROR_GPU_IS_LOST (15)"}})
OTHER = nvml(number=1, pci_id=SECOND, uuid="GPU-2")
NEEDS_RESET = "the card's own processor (GSP) stopped answering: NVML says that it needs a reset"
OFF = "NVRM: Xid (PCI:0000:01:00): 79, pid='<unknown>', name=<unknown>, GPU has fallen off the bus."
UNKNOWN_CARD = {f"/proc/driver/nvidia/gpus/{FIRST}/information": "GPU UUID: GPU-????????-????\nDevice Minor: 0\n"}


def two(**fields: object) -> Host:
    return nvidia_host(pci=(a_card(FIRST), a_card(SECOND)), **fields)


def view(number: int) -> Device:
    return nvml(capabilities={"problems": {"handle": f"NVML_ERROR ({number})"}}, pci_id=None, uuid=None)


def test_the_card_that_nvml_lost_is_the_one_that_it_does_not_list() -> None:
    works = cuda(pci_id=SECOND, uuid="GPU-2")
    found = headline(two(), an_outcome(works), an_outcome(LOST, OTHER), passed(works))

    assert (found.id, is_certain(found)) == ("nv-xid-79", True)
    assert found.reason is CardReason.CARD_FAILED
    assert findings(two(), an_outcome(works), an_outcome(LOST, OTHER), passed(works), address=SECOND) == ()


def test_of_two_that_nvml_does_not_list_each_is_only_likely_lost() -> None:
    found = headline(two(), NONE, an_outcome(LOST))

    assert (found.id, is_certain(found)) == ("nv-xid-79", False)
    assert "xid" in str(found.settle)


def test_the_kernels_word_is_for_the_card_that_it_names() -> None:
    host = two(system=log(OFF))

    assert is_certain(headline(host, refused(999), an_outcome(OTHER)))
    assert "nv-xid-79" not in ids(findings(host, refused(999), an_outcome(OTHER), address=SECOND))


def test_a_lost_card_goes_before_all_that_the_libraries_say() -> None:
    found = findings(nvidia_host(system=log(OFF)), refused(999), nvml_says(15))

    assert found[0].id == "nv-xid-79"
    assert all(each.because_of == "nv-xid-79" for each in found[1:])


def test_an_old_fault_of_a_card_that_works_is_no_cause() -> None:
    assert "nv-xid-79" not in ids(
        findings(nvidia_host(system=log(OFF)), an_outcome(cuda()), an_outcome(nvml()), passed(cuda()))
    )


def test_a_card_that_a_container_was_not_given_is_not_lost() -> None:
    second = {f"/proc/driver/nvidia/gpus/{SECOND}/information": "GPU UUID: GPU-????????\nDevice Minor: 1\n"}
    host = two(texts=texts({**DOCKER, **second}))
    found = ids(findings(host, an_outcome(cuda()), an_outcome(nvml()), passed(cuda()), address=SECOND))

    assert found == ["not-given-to-container"]


@pytest.mark.parametrize("number", [119, 120])
def test_a_processor_that_stopped_answering_asks_for_a_reset(number: int) -> None:
    words = (
        f"NVRM: Xid (PCI:0000:01:00): {number}, pid=1, name=python, Timeout after 6s of waiting for RPC response from GPU0 GSP!"
    )
    found = headline(nvidia_host(system=log(words)), refused(999), nvml_says(999))

    assert (found.id, is_certain(found)) == ("nv-gsp-timeout", True)
    assert f"--gpu-reset -i {FIRST}" in commands(found)


def test_nvmls_word_alone_makes_a_reset_likely() -> None:
    found = headline(nvidia_host(), NONE, an_outcome(view(16)))

    assert (found.id, is_certain(found), found.because) == ("nv-gsp-timeout", False, NEEDS_RESET)


def test_a_missing_power_lead_is_told_by_nvml_and_by_the_kernel() -> None:
    words = "NVRM: GPU 0000:01:00.0: GPU does not have the necessary power cables connected."
    by_log = headline(nvidia_host(system=log(words)), NONE, COUNTS_NONE)
    by_nvml = headline(nvidia_host(), NONE, nvml_says(8))

    assert by_log.id == by_nvml.id == "nv-power-cable"


def test_a_window_without_a_place_is_the_firmwares_fault_and_in_a_machine_of_another_the_hosts() -> None:
    bars = (Bar(0, 0xF0000000, 16 << 20), Bar(1, 0, 16 << 30), Bar(5, 0, 128))
    here = headline(nvidia_host(pci=card(bars=bars)), NONE, COUNTS_NONE)
    inside = headline(nvidia_host(pci=card(bars=bars), texts=texts(VIRTUAL)), NONE, COUNTS_NONE)

    assert (here.id, is_certain(here)) == ("pci-bar-unassigned", True)
    assert "Above 4G Decoding" in commands(here) and "x-pci-mmio64-size" in commands(inside)
    assert "16.0 GiB" in here.evidence[0].what


def test_a_small_window_for_ports_needs_no_place() -> None:
    bars = (Bar(0, 0xF0000000, 16 << 20), Bar(1, 0x6000000000, 16 << 30), Bar(5, 0, 128))

    assert "pci-bar-unassigned" not in ids(findings(nvidia_host(pci=card(bars=bars)), NONE, COUNTS_NONE))


def test_a_card_that_does_not_wake_is_kept_on() -> None:
    words = "nvidia 0000:01:00.0: Unable to change power state from D3cold to D0, device inaccessible"
    found = headline(nvidia_host(system=log(words)), NONE, COUNTS_NONE)

    assert (found.id, is_certain(found)) == ("pci-d3cold-stuck", True)
    assert f"/sys/bus/pci/devices/{FIRST}/power/control" in commands(found)
    assert "pci-config-dead" not in ids(findings(nvidia_host(system=log(words)), NONE, COUNTS_NONE))


def test_a_card_that_does_not_answer_on_the_bus_is_dead_to_it() -> None:
    words = "nvidia 0000:01:00.0: Refused to change power state from D0 to D3hot"

    assert headline(nvidia_host(system=log(words)), NONE, COUNTS_NONE).id == "pci-config-dead"


def test_a_sleeping_card_is_not_called_stuck() -> None:
    asleep = nvidia_host(pci=card(runtime_status="suspended"), system=log("nvidia 0000:01:00.0: runtime suspend"))

    assert "pci-d3cold-stuck" not in ids(findings(asleep, NONE, COUNTS_NONE))


@pytest.mark.parametrize(
    ("path", "said", "command"),
    [
        ("/etc/prime-discrete", "off\n", "sudo prime-select on-demand"),
        ("/etc/supergfxd.conf", '{"mode": "Integrated"}', "supergfxctl -m Hybrid"),
        ("/sys/devices/platform/asus-nb-wmi/dgpu_disable", "1\n", "switched it off"),
    ],
)
def test_a_laptops_card_that_a_tool_switched_off_is_switched_on_with_it(path: str, said: str, command: str) -> None:
    system = SystemFacts(texts={path: Reading(said)}, listings={})
    host = nvidia_host(pci=card(driver=None), texts=without_driver(), nodes=(), system=system)
    found = headline(host)

    assert found.id == "gpu-disabled-by-mux"
    assert path in found.because and command in commands(found)


def test_envycontrols_rules_are_known_by_their_name() -> None:
    listings = {"/etc/udev/rules.d": Listing(("50-remove-nvidia.rules",))}
    host = nvidia_host(pci=card(driver=None), texts=without_driver(), nodes=(), system=SystemFacts(listings=listings))

    assert "envycontrol -s hybrid" in commands(headline(host))


def test_a_driver_that_could_not_start_its_card_says_so_by_an_unknown_uuid() -> None:
    found = headline(nvidia_host(texts=texts(UNKNOWN_CARD)), NONE, COUNTS_NONE)

    assert (found.id, is_certain(found)) == ("nv-rminitadapter-failed", True)
    assert "from its top" in commands(found)


def test_the_kernels_word_and_a_failed_opening_say_so_too() -> None:
    failed = log("NVRM: GPU 0000:01:00.0: RmInitAdapter failed! (0x62:0x1f:1924)")
    refusing = SystemFacts(opened=(Opened("/dev/nvidia0", 5, "EIO"),))

    assert headline(nvidia_host(system=failed), NONE, COUNTS_NONE).id == "nv-rminitadapter-failed"
    assert headline(nvidia_host(system=refusing), NONE, COUNTS_NONE).id == "nv-rminitadapter-failed"


def test_in_a_virtual_machine_what_was_passed_through_is_likely_at_fault() -> None:
    found = headline(nvidia_host(texts=texts({**UNKNOWN_CARD, **VIRTUAL})), NONE, COUNTS_NONE)

    assert (found.id, is_certain(found)) == ("vm-passthrough-init-fail", False)


def test_an_unknown_uuid_of_a_card_that_nvml_lists_was_only_idle() -> None:
    found = findings(nvidia_host(texts=texts(UNKNOWN_CARD)), refused(999), an_outcome(nvml()))

    assert "nv-rminitadapter-failed" not in ids(found)


@pytest.mark.parametrize(("number", "cure"), [(48, "if it comes again"), (64, "no spare rows"), (95, "if it comes again")])
def test_bad_memory_is_told_and_on_a_card_that_works_only_as_a_warning(number: int, cure: str) -> None:
    words = f"NVRM: Xid (PCI:0000:01:00): {number}, pid=1, name=python, DBE"
    host = nvidia_host(system=log(words))
    failing = headline(host, refused(999), an_outcome(nvml()))
    works = headline(host, an_outcome(cuda()), an_outcome(nvml()), passed(cuda()))

    assert (failing.id, failing.severity) == ("ecc-or-memory-fault", Severity.BLOCKER)
    assert (works.id, works.severity) == ("ecc-or-memory-fault", Severity.DEGRADED)
    assert cure in commands(failing)


def test_a_programs_own_fault_is_never_a_cause() -> None:
    words = "NVRM: Xid (PCI:0000:01:00): 31, pid=1, name=python, Ch 00000008"
    found = findings(nvidia_host(system=log(words)), refused(999), an_outcome(nvml()))

    assert [(each.id, each.severity) for each in found if "xid" in each.id] == [("app-level-xid", Severity.INFO)]
    assert found[0].id != "app-level-xid"


def test_faults_of_another_card_are_not_this_ones() -> None:
    words = "NVRM: Xid (PCI:0000:41:00): 48, pid=1, name=python, DBE"
    found = findings(two(system=log(words), nodes=NODES), refused(999), an_outcome(nvml(), OTHER))

    assert "ecc-or-memory-fault" not in ids(found)
