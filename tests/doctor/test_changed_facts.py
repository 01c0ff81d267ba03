"""One fact of a healthy machine is changed, and its finding appears; put right again, it goes. Rubbish proves nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gpuprobe.doctor.examination import Examination, examine
from gpuprobe.doctor.findings import Certainty, Severity
from gpuprobe.facts import CPU_ONLY, Host, NamedPlace, Reading
from gpuprobe.facts.system_facts import KernelLog, LogLine, SystemFacts
from gpuprobe.judging.rules import judge
from gpuprobe.model import Outcome, Request, Status
from tests.doctor import nvidia_machines as nvidia
from tests.doctor import sick_machines as sick
from tests.records import a_card, a_device, a_host, a_manifest, a_software_renderer, an_outcome, evidence_of

Outcomes = tuple[Outcome, ...]


def examined(host: Host, *outcomes: Outcome, devices: tuple[Any, ...] = ()) -> Examination:
    return examine(judge(evidence_of(*devices, host=host, outcomes=outcomes), Request()))


def ids(examination: Examination) -> list[str]:
    return [told.finding.id for told in examination.told]


def geforce(changed: dict[str, str | None] | None = None, *outcomes: Outcome, **fields: Any) -> Examination:
    """A GeForce on which all is well, but for what is changed; with outcomes: what was answered then."""
    host = nvidia.nvidia_host(texts=nvidia.texts(changed or {}), **fields)
    if outcomes:
        return examined(host, *outcomes)
    return examined(host, nvidia.passed(nvidia.cuda()), an_outcome(nvidia.nvml()), devices=(nvidia.cuda(),))


def radeon(host: Host, *outcomes: Outcome) -> Examination:
    return examined(host, *(outcomes or (sick.rocm_finds_nothing(),)))


def _nodes(*paths: str) -> tuple[Any, ...]:
    return tuple(node for node in nvidia.NODES if node.path not in paths)


def _denied(path: str) -> tuple[Any, ...]:
    return tuple(each._replace(accessible=False, mode=0o660, gid=1200) if each.path == path else each for each in nvidia.NODES)


_NO_AMDGPU = {"/sys/module/amdgpu/initstate": Reading(None, "absent")}
_REFUSED = nvidia.refused(999, "CUDA_ERROR_UNKNOWN")
_NONE = nvidia.refused(100, "CUDA_ERROR_NO_DEVICE", status=Status.NO_DEVICES)
_NVML = an_outcome(nvidia.nvml())

# What is changed on a machine on which all is well → the finding that must appear.
CHANGED: dict[str, tuple[Callable[[], Examination], str]] = {
    "the library is newer than the module": (
        lambda: geforce(
            {}, _REFUSED, _NVML, libraries=tuple(nvidia.library(n, "590.1.1") for n in ("libcuda.so.1", "libnvidia-ml.so.1"))
        ),
        "nv-kmod-userspace-mismatch",
    ),
    "nvidia_uvm is not loaded": (
        lambda: geforce(
            {"/sys/module/nvidia_uvm/initstate": None, "/proc/devices": "Character devices:\n195 nvidia\n195 nvidiactl\n"},
            _REFUSED,
            _NVML,
            nodes=_nodes("/dev/nvidia-uvm"),
        ),
        "nv-uvm-not-loaded",
    ),
    "the node of nvidia_uvm has an old major number": (
        lambda: geforce(
            {"/.dockerenv": "", "/proc/devices": "Character devices:\n195 nvidia\n195 nvidiactl\n511 nvidia-uvm\n"},
            _REFUSED,
            _NVML,
        ),
        "nv-uvm-major-mismatch",
    ),
    "the card's node is denied": (lambda: geforce({}, _NONE, nodes=_denied("/dev/nvidia0")), "nv-dev-permission"),
    "the container was given no device": (
        lambda: geforce({"/.dockerenv": ""}, nvidia.absent("libcuda.so.1"), nodes=(), libraries=()),
        "ctr-no-gpu-flag",
    ),
    "the container lacks the node of nvidia_uvm": (
        lambda: geforce({"/.dockerenv": ""}, _REFUSED, _NVML, nodes=_nodes("/dev/nvidia-uvm")),
        "ctr-uvm-node-missing",
    ),
    "a virtual machine holds the card": (
        lambda: geforce({}, _NONE, pci=(a_card(nvidia.FIRST, driver="vfio-pci"),)),
        "bound-to-vfio",
    ),
    "nouveau has the card": (lambda: geforce({}, _NONE, pci=(a_card(nvidia.FIRST, driver="nouveau"),)), "nv-nouveau-bound"),
    "the driver's module is not in memory": (
        lambda: examined(
            nvidia.nvidia_host(texts=nvidia.without_driver(), pci=(a_card(nvidia.FIRST, driver=None),), nodes=()), _NONE
        ),
        "nv-module-not-loaded",
    ),
    "Ollama has CPU backends only": (
        lambda: geforce(empty_places=(NamedPlace("/usr/lib/ollama", "Ollama", CPU_ONLY),)),
        "ollama-backend-missing",
    ),
    "KFD's node is not there": (lambda: radeon(sick.without_kfd()), "amd-kfd-node-missing"),
    "KFD's node is denied": (
        lambda: radeon(sick.with_radeon(nodes=(sick.a_node(), sick.a_node(sick.KFD, accessible=False)), gids=(1000,))),
        "amd-kfd-permission",
    ),
    "the render node is denied": (
        lambda: radeon(sick.with_radeon(nodes=(sick.a_node(accessible=False), sick.a_node(sick.KFD)), gids=(1000,))),
        "dri-render-permission",
    ),
    "amdgpu is not bound": (
        lambda: radeon(sick.with_radeon(pci=(sick.a_radeon(driver=None),), texts=_NO_AMDGPU), sick.not_installed("ROCm")),
        "amd-amdgpu-not-loaded",
    ),
    "the slot rejects atomics": (
        lambda: radeon(
            sick.knowing(
                sick.with_radeon(
                    pci=(sick.a_radeon(device=0x67DF),),
                    texts={f"{sick._NODES}/1/properties": Reading("gfx_target_version 0\n")},
                ),
                log=sick.said("kfd kfd: amdgpu: skipped device 1002:67df, PCI rejects atomics 730<0"),
            )
        ),
        "pci-atomics-missing",
    ),
}

WORKS: dict[str, Callable[[], Examination]] = {
    "a GeForce": geforce,
    "a Radeon with ROCm": lambda: examined(
        sick.with_radeon(),
        sick.passed(a_device("ROCm", pci_id=sick.ADDRESS)),
        devices=(a_device("ROCm", pci_id=sick.ADDRESS),),
    ),
    "an Arc with Level Zero": lambda: examined(
        sick.with_arc(),
        sick.passed(a_device("Level Zero", pci_id=sick.ADDRESS)),
        devices=(a_device("Level Zero", pci_id=sick.ADDRESS),),
    ),
    "a Radeon with Vulkan": lambda: examined(
        sick.with_radeon(manifests=(a_manifest(),)),
        sick.not_installed("ROCm"),
        sick.passed(a_device("Vulkan", pci_id=sick.ADDRESS, vendor_id=0x1002)),
        devices=(a_device("Vulkan", pci_id=sick.ADDRESS, vendor_id=0x1002),),
    ),
    "a processor alone": lambda: examined(a_host(texts=sick.UBUNTU)),
    "lavapipe alone": lambda: examined(a_host(texts=sick.UBUNTU), devices=(a_software_renderer(),)),
}


@pytest.mark.parametrize("fact", list(CHANGED))
def test_one_changed_fact_makes_its_finding_the_headline(fact: str) -> None:
    change, cause = CHANGED[fact]
    found = change()

    assert ids(found)[0] == cause
    assert found.told[0].finding.because_of is None


@pytest.mark.parametrize("machine", list(WORKS))
def test_a_machine_on_which_all_is_well_has_none_of_these_findings(machine: str) -> None:
    found = WORKS[machine]()

    assert [told.finding.id for told in found.told if told.finding.severity is not Severity.INFO] == []
    assert {cause for _, cause in CHANGED.values()}.isdisjoint(ids(found))


_TEXTS = sorted(
    {*nvidia.texts(), *sick.with_radeon().texts, "/etc/os-release", "/proc/cmdline", "/proc/self/status", "/proc/version"}
)
_PROBLEMS = ("absent", "denied", "error: EIO")
_RUBBISH = st.one_of(
    st.sampled_from([Reading(None, problem) for problem in _PROBLEMS]),
    st.text(max_size=60).map(Reading),
    st.sampled_from([Reading("\x00" * 50), Reading("9" * 5000), Reading("-1\n"), Reading("\udcff\n"), Reading(":" * 999)]),
)
_ANSWERS: tuple[Outcomes, ...] = (
    (),
    (_REFUSED,),
    (_NONE, _NVML),
    (nvidia.absent("libcuda.so.1"),),
    (sick.rocm_finds_nothing(),),
)
quickly = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def _log(lines: list[str]) -> SystemFacts:
    return SystemFacts(log=KernelLog("/dev/kmsg", tuple(LogLine(each) for each in lines), is_whole=False))


@quickly
@given(
    changed=st.dictionaries(st.sampled_from(_TEXTS), _RUBBISH, max_size=len(_TEXTS)),
    lines=st.lists(st.text(max_size=80), max_size=4),
    answers=st.sampled_from(_ANSWERS),
    with_card=st.sampled_from(["nvidia", "amd"]),
)
def test_rubbish_in_any_file_is_judged_without_an_exception(
    changed: dict[str, Reading], lines: list[str], answers: Outcomes, with_card: str
) -> None:
    host = nvidia.nvidia_host() if with_card == "nvidia" else sick.with_radeon()

    examined(host._replace(texts={**host.texts, **changed}, system=_log(lines)), *answers)


@quickly
@given(
    problem=st.sampled_from(["denied", "error: EIO"]),
    answers=st.sampled_from(_ANSWERS),
    which=st.sampled_from(["nvidia", "amd"]),
)
def test_files_that_nobody_could_read_prove_nothing(problem: str, answers: Outcomes, which: str) -> None:
    """What is certain then comes from nodes, from the bus and from answers, and names no such file as its evidence."""
    host = nvidia.nvidia_host() if which == "nvidia" else sick.with_radeon()
    unread = host._replace(texts=dict.fromkeys(host.texts, Reading(None, problem)))

    for told in examined(unread, *answers).told:
        if told.finding.certainty is Certainty.CERTAIN:
            assert not {each.where for each in told.finding.evidence} & set(host.texts), told.finding
