"""States of a card that works: its mode, its licence, how it is cut, and what holds it."""

from __future__ import annotations

import pytest

from gpuprobe.doctor.findings import Severity
from gpuprobe.doctor.reasons import CardReason
from gpuprobe.facts import Host
from gpuprobe.facts.system_facts import SystemFacts
from gpuprobe.model import Device, GiB, Outcome, Partition, Probe, Purpose, Status
from tests.doctor.nvidia_machines import (
    DOCKER,
    FIRST,
    NODES,
    UUID,
    VIRTUAL,
    commands,
    cuda,
    findings,
    headline,
    ids,
    is_certain,
    log,
    no_context,
    nvidia_host,
    nvml,
    passed,
    refused,
    texts,
)
from tests.records import a_slice, an_outcome

SLICE = "MIG-aaaaaaaa-0000-5000-8000-aaaaaaaaaaaa"
MODES = {"compute_mode": "default", "ecc_enabled": None, "mig_enabled": None}
CUT = {**MODES, "mig_enabled": True}
NONE = refused(100, "CUDA_ERROR_NO_DEVICE", status=Status.NO_DEVICES)


def in_mode(mode: str | None, **fields: object) -> Device:
    return nvml(capabilities={**MODES, "compute_mode": mode, **fields})


def witnessed_slice() -> Device:
    return nvml(uuid=SLICE, number=1, partition=Partition("mig", UUID), capabilities={"mig_index": 0})


def unfiltered(*devices: Device) -> Outcome:
    variables = (("CUDA_VISIBLE_DEVICES", None),)
    return Outcome(Probe("CUDA", Purpose.UNFILTERED, variables=variables), Status.OK, devices, seconds=0.1)


@pytest.mark.parametrize(("mode", "certain"), [("prohibited", True), ("exclusive_process", False)])
def test_a_mode_that_nvml_tells_is_the_cause_and_is_set_back(mode: str, certain: bool) -> None:
    found = headline(nvidia_host(), *no_context(46), an_outcome(in_mode(mode)))

    assert (found.id, is_certain(found)) == ("compute-mode-restricted", certain)
    assert f"sudo nvidia-smi -i {FIRST} -c 0" in commands(found)


def test_exclusive_is_certain_where_nvml_names_who_has_the_card() -> None:
    busy = in_mode("exclusive_process", activity={"processes": [{"pid": 4711, "used_memory_bytes": None}]})

    assert is_certain(headline(nvidia_host(), *no_context(46), an_outcome(busy)))


def test_a_mode_that_nvml_denies_is_never_blamed() -> None:
    found = headline(nvidia_host(), *no_context(46), an_outcome(nvml()))

    assert (found.id, is_certain(found)) == ("cuda-46-other", False)
    assert "--gpu-reset" in commands(found)


def test_a_mode_that_nobody_knows_names_no_cause() -> None:
    plain = cuda(capabilities={})

    assert headline(nvidia_host(), *no_context(46, plain), an_outcome(in_mode(None))).generic


def test_after_a_sleep_46_is_the_memory_modules() -> None:
    found = ids(findings(nvidia_host(system=log("PM: suspend exit")), *no_context(46), an_outcome(nvml())))

    assert found[0] == "nv-uvm-stale-after-suspend"
    assert "cuda-46-other" not in found


@pytest.mark.parametrize("name", ["NVIDIA A10-24Q", "GRID T4-8C", "NVIDIA A100-1-5C"])
def test_a_virtual_gpu_that_takes_no_context_likely_lacks_its_licence(name: str) -> None:
    host = nvidia_host(texts=texts(VIRTUAL), system=SystemFacts(daemons={}))
    found = headline(host, *no_context(46, cuda(name=name)), an_outcome(nvml(name=name)))

    assert (found.id, is_certain(found)) == ("vgpu-unlicensed", False)
    assert "license" in str(found.settle)
    assert any(each.where == "nvidia-gridd" for each in found.evidence)


def test_cudas_own_number_for_it_is_certain() -> None:
    assert is_certain(headline(nvidia_host(), *no_context(102, failure="unsupported"), an_outcome(nvml())))


@pytest.mark.parametrize("name", ["NVIDIA A10", "NVIDIA A100-SXM4-40GB", "NVIDIA GeForce RTX 4090"])
def test_a_whole_card_that_a_virtual_machine_has_is_no_virtual_gpu(name: str) -> None:
    found = findings(nvidia_host(texts=texts(VIRTUAL)), *no_context(46, cuda(name=name)), an_outcome(nvml(name=name)))

    assert "vgpu-unlicensed" not in ids(found)


SILENT, FULL = "does not answer", "no place"


@pytest.mark.parametrize(
    ("code", "words"), [(805, SILENT), (806, SILENT), (807, SILENT), (808, FULL), (809, FULL), (810, SILENT)]
)
def test_the_service_that_programs_are_directed_to_is_named_by_its_numbers(code: int, words: str) -> None:
    found = headline(nvidia_host(), refused(code), an_outcome(nvml()))

    assert (found.id, is_certain(found)) == ("mps-broken", True)
    assert words in found.because


@pytest.mark.parametrize("code", [804, 811])
def test_a_neighbouring_number_says_nothing_of_that_service(code: int) -> None:
    assert "mps-broken" not in ids(findings(nvidia_host(), refused(code), an_outcome(nvml())))


def test_a_cut_card_without_a_slice_has_nothing_to_compute_on() -> None:
    found = headline(nvidia_host(), NONE, an_outcome(nvml(capabilities=CUT)))

    assert (found.id, found.reason) == ("mig-no-instances", CardReason.MIG_WITHOUT_SLICES)
    assert f"-i {FIRST} -cgi 0 -C" in commands(found)


def test_a_cut_card_with_a_slice_is_not_empty() -> None:
    found = findings(nvidia_host(), NONE, an_outcome(nvml(capabilities=CUT), witnessed_slice()))

    assert "mig-no-instances" not in ids(found)


def under(value: str, **fields: object) -> Host:
    return nvidia_host(**{"environ": {"CUDA_VISIBLE_DEVICES": value}, **fields})


@pytest.mark.parametrize(("value", "words"), [(UUID, "names the card"), ("0", "names no slice")])
def test_a_cut_card_that_is_named_as_a_whole_shows_nothing(value: str, words: str) -> None:
    listed = (NONE, unfiltered(a_slice(uuid=SLICE, pci_id=FIRST)), an_outcome(nvml(capabilities=CUT), witnessed_slice()))
    found = headline(under(value), *listed)

    assert (found.id, is_certain(found)) == ("mig-visibility", True)
    assert words in found.because
    assert f"export CUDA_VISIBLE_DEVICES={SLICE}" in commands(found)
    assert "unset" not in commands(found)


def test_one_that_names_a_slice_is_not_blamed() -> None:
    listed = (NONE, unfiltered(a_slice(uuid=SLICE, pci_id=FIRST)), an_outcome(nvml(capabilities=CUT), witnessed_slice()))

    assert "mig-visibility" not in ids(findings(under(SLICE), *listed))


def test_a_container_without_the_slices_nodes_is_started_with_one() -> None:
    listed = (NONE, an_outcome(nvml(capabilities=CUT), witnessed_slice()))
    found = headline(nvidia_host(texts=texts(DOCKER)), *listed)

    assert (found.id, found.reason) == ("mig-visibility", CardReason.NO_DEVICE_NODE)
    assert SLICE in commands(found)


def test_a_guest_whose_driver_the_host_does_not_start_is_likely_of_another_release() -> None:
    system = log("NVRM: Xid (PCI:0000:01:00): 78, pid=1, vGPU device cannot be started")
    found = headline(nvidia_host(texts=texts(VIRTUAL), system=system), NONE)

    assert (found.id, is_certain(found)) == ("vgpu-host-guest-mismatch", False)
    assert "vgpu-host-guest-mismatch" not in ids(findings(nvidia_host(system=system), NONE))


def full(free: int) -> Outcome:
    return an_outcome(nvml(total_memory=24 * GiB, free_memory=free, used_memory=24 * GiB - free))


def test_a_card_that_others_fill_says_how_much_they_hold() -> None:
    works = headline(nvidia_host(), an_outcome(cuda()), full(GiB), passed(cuda()))
    fails = headline(nvidia_host(), *no_context(2), full(GiB // 4))

    assert (works.id, works.severity) == ("vram-held-by-others", Severity.DEGRADED)
    assert (fails.id, fails.severity) == ("vram-held-by-others", Severity.BLOCKER)
    assert "23.0 GiB of its 24.0 GiB" in works.because


def test_a_card_with_room_is_not_held_by_others() -> None:
    assert findings(nvidia_host(), an_outcome(cuda()), full(20 * GiB), passed(cuda())) == ()
    assert "vram-held-by-others" not in ids(findings(nvidia_host(), *no_context(2), full(20 * GiB)))


def test_a_card_that_works_is_held_where_a_tenth_is_left_and_one_that_fails_where_a_gibibyte_is() -> None:
    tenth = 24 * GiB // 10

    def is_held(*outcomes: Outcome) -> bool:
        return "vram-held-by-others" in ids(findings(nvidia_host(), *outcomes))

    assert is_held(an_outcome(cuda()), full(tenth), passed(cuda()))
    assert not is_held(an_outcome(cuda()), full(tenth + 1), passed(cuda()))
    assert is_held(*no_context(2), full(GiB))
    assert not is_held(*no_context(2), full(GiB + 1))
    assert not is_held(*no_context(3), full(tenth + 1))  # another number than that of memory


def test_a_mutation_the_same_card_in_its_usual_mode_has_no_finding() -> None:
    assert findings(nvidia_host(nodes=NODES), an_outcome(cuda()), an_outcome(nvml()), passed(cuda())) == ()
