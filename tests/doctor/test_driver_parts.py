"""Parts of NVIDIA's driver that do not fit each other, and the memory module in all its states."""

from __future__ import annotations

import pytest

from gpuprobe.doctor.findings import Place
from gpuprobe.facts import Host, Reading
from gpuprobe.facts.system_facts import Opened, SystemFacts
from gpuprobe.model import Status
from tests.doctor.nvidia_machines import (
    BOTH,
    DOCKER,
    FIRST,
    LXC,
    NODES,
    OPEN,
    commands,
    cuda,
    findings,
    headline,
    ids,
    is_certain,
    library,
    log,
    nvidia_host,
    nvml,
    nvml_says,
    passed,
    refused,
    texts,
)
from tests.records import a_card, an_outcome

WORKS = an_outcome(nvml())
UNKNOWN = refused(999, "CUDA_ERROR_UNKNOWN")
WITHOUT_UVM = {"/sys/module/nvidia_uvm/initstate": None, "/proc/devices": "Character devices:\n195 nvidia\n"}
NO_UVM_NODE = tuple(node for node in NODES if node.path != "/dev/nvidia-uvm")
SLEPT = log("PM: suspend entry (deep)", "PM: suspend exit")


def updated(**fields: object) -> Host:
    newer = (library("libcuda.so.1", "580.105.08"), library("libnvidia-ml.so.1", "580.105.08"))
    return nvidia_host(libraries=newer, **fields)


def test_a_healthy_machine_has_no_finding() -> None:
    assert findings(nvidia_host(system=log("nvidia: loading")), an_outcome(cuda()), WORKS, passed(cuda())) == ()


def test_library_and_module_of_two_versions_are_told_without_a_call() -> None:
    found = headline(updated())

    assert (found.id, is_certain(found)) == ("nv-kmod-userspace-mismatch", True)
    assert "580.105.08" in found.because and "580.95.05" in found.because
    assert commands(found).startswith("reboot\nif they differ after that too")


def test_a_mismatch_goes_before_all_that_cuda_says() -> None:
    found = findings(updated(), refused(803, "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH"), nvml_says(18))

    assert found[0].id == "nv-kmod-userspace-mismatch"
    assert {each.because_of for each in found[1:]} == {"nv-kmod-userspace-mismatch"}


def test_in_a_container_the_image_is_looked_at_and_in_lxc_its_own_driver() -> None:
    docker = headline(updated(texts=texts(DOCKER)), refused(803))
    lxc = headline(updated(texts=texts(LXC)), refused(803))

    assert "use an image without packages of NVIDIA's driver" in commands(docker)
    assert {step.where for step in docker.fix} == {Place.HOST}
    assert "after an update" not in docker.because + lxc.because  # the image is another one, not an older one
    assert lxc.id == "lxc-userspace-mismatch"
    assert "NVIDIA-Linux-x86_64-580.95.05.run --no-kernel-module" in commands(lxc)


def test_equal_versions_are_no_mismatch() -> None:
    assert "nv-kmod-userspace-mismatch" not in ids(findings(nvidia_host(), UNKNOWN))


@pytest.mark.parametrize("code", [3, 304, 999])
def test_a_memory_module_that_is_not_loaded_is_loaded_where_it_is_missing(code: int) -> None:
    here = headline(nvidia_host(texts=texts(WITHOUT_UVM), nodes=NO_UVM_NODE), refused(code), WORKS)
    inside = headline(nvidia_host(texts=texts({**WITHOUT_UVM, **DOCKER}), nodes=NO_UVM_NODE), refused(code), WORKS)

    assert here.id == inside.id == "nv-uvm-not-loaded"
    assert commands(here).startswith("load it with `sudo modprobe nvidia_uvm`")
    assert commands(inside).startswith("on the host load it with")


def test_no_device_is_blamed_on_the_memory_module_only_where_nvml_lists_the_card() -> None:
    host = nvidia_host(texts=texts(WITHOUT_UVM), nodes=NO_UVM_NODE)
    none = refused(100, status=Status.NO_DEVICES)

    assert headline(host, none, WORKS).id == "nv-uvm-not-loaded"
    assert "nv-uvm-not-loaded" not in ids(findings(host, none))


def test_a_memory_module_that_nobody_could_look_at_is_not_called_missing() -> None:
    unread = {**texts({"/proc/devices": None}), "/sys/module/nvidia_uvm/initstate": Reading(None, "denied")}

    assert "nv-uvm-not-loaded" not in ids(findings(nvidia_host(texts=unread), UNKNOWN, WORKS))


@pytest.mark.parametrize(("inside", "step"), [(DOCKER, "nvidia-ctk cdi generate"), (LXC, "`dev0: /dev/nvidia-uvm`")])
def test_a_container_without_the_memory_node_is_given_it_in_its_own_way(inside: dict[str, str], step: str) -> None:
    found = headline(nvidia_host(texts=texts(inside), nodes=NO_UVM_NODE), UNKNOWN, WORKS)

    assert (found.id, is_certain(found)) == ("ctr-uvm-node-missing", True)
    assert step in commands(found)
    assert "modprobe nvidia_uvm" not in commands(found)


def test_on_a_machine_of_its_own_the_memory_node_is_made() -> None:
    found = headline(nvidia_host(nodes=NO_UVM_NODE), UNKNOWN, WORKS)

    assert commands(found) == "make it with `sudo nvidia-modprobe -u -c=0`"


def test_a_memory_node_that_is_there_is_not_missing() -> None:
    assert "ctr-uvm-node-missing" not in ids(findings(nvidia_host(), UNKNOWN, WORKS))


OLD = {"/proc/devices": "Character devices:\n195 nvidia\n511 nvidia-uvm\n"}


def test_a_node_with_the_number_of_an_earlier_start_is_named_with_both() -> None:
    found = headline(nvidia_host(texts=texts({**OLD, **LXC})), UNKNOWN, WORKS)

    assert found.id == "nv-uvm-major-mismatch"
    assert "508" in found.because and "511" in found.because
    assert "lxc.cgroup2.devices.allow: c 511:* rwm" in commands(found)


def test_on_a_host_the_helper_makes_the_node_anew_so_only_a_failed_opening_proves_it_old() -> None:
    plain = nvidia_host(texts=texts(OLD))
    refusing = plain._replace(system=SystemFacts(opened=(Opened("/dev/nvidia-uvm", 6, "ENXIO"),)))
    opening = nvidia_host(texts=texts({**OLD, **LXC}), system=SystemFacts(opened=(Opened("/dev/nvidia-uvm", 0),)))

    assert headline(refusing, UNKNOWN, WORKS).id == "nv-uvm-major-mismatch"
    assert "nv-uvm-major-mismatch" not in ids(findings(plain, UNKNOWN, WORKS))
    assert "nv-uvm-major-mismatch" not in ids(findings(opening, UNKNOWN, WORKS))


NO_REGION = "nvidia-uvm: uvm_pmm_gpu.c:3419 devmem_alloc_pagemap[pid:1] request_free_mem_region() err -34"


@pytest.mark.parametrize("code", [3, 304, 802, 999])
def test_the_kernels_own_words_prove_the_clash_with_hmm(code: int) -> None:
    found = headline(nvidia_host(system=log(NO_REGION)), refused(code), WORKS)

    assert (found.id, is_certain(found), found.settle) == ("nv-uvm-hmm-kaslr", True, None)
    assert "uvm_disable_hmm=1" in commands(found)


@pytest.mark.parametrize("code", [3, 802])
def test_without_a_log_hmm_is_likely_for_the_open_module(code: int) -> None:
    opened = texts({"/proc/driver/nvidia/version": OPEN})
    found = headline(nvidia_host(texts=opened), refused(code), WORKS)

    assert (found.id, is_certain(found)) == ("nv-uvm-hmm-kaslr", False)
    assert "devmem_alloc_pagemap" in str(found.settle)
    assert not [step for step in found.fix if step.command == "sudo modprobe nvidia_uvm"]


@pytest.mark.parametrize(
    "ruled_out",
    [
        {"/sys/module/nvidia_uvm/parameters/uvm_disable_hmm": "Y\n"},
        {"/proc/cmdline": "nokaslr\n"},
        {"/proc/driver/nvidia/version": None},
    ],
)
def test_where_hmm_is_off_or_the_module_is_another_hmm_is_not_named(ruled_out: dict[str, str | None]) -> None:
    opened = texts({"/proc/driver/nvidia/version": OPEN, **ruled_out})

    assert "nv-uvm-hmm-kaslr" not in ids(findings(nvidia_host(texts=opened), refused(3), WORKS))


def test_a_whole_log_without_the_line_rules_hmm_out() -> None:
    opened = texts({"/proc/driver/nvidia/version": OPEN})

    assert "nv-uvm-hmm-kaslr" not in ids(findings(nvidia_host(texts=opened, system=log("nothing")), refused(3), WORKS))


def test_bridges_on_the_bus_speak_against_hmm() -> None:
    opened = texts({"/proc/driver/nvidia/version": OPEN})
    bridge = a_card("0000:05:00.0", device=0x22A3, class_code=0x068000, driver="nvidia-nvswitch")
    host = nvidia_host(texts=opened, pci=(bridge, a_card(FIRST)))

    assert "nv-uvm-hmm-kaslr" not in ids(findings(host, refused(802), WORKS))


def test_after_a_sleep_the_memory_module_is_likely_stale() -> None:
    kept = texts({"/proc/driver/nvidia/params": "PreserveVideoMemoryAllocations: 0\n"})
    found = headline(nvidia_host(texts=kept, system=SLEPT), UNKNOWN, WORKS)

    assert (found.id, is_certain(found)) == ("nv-uvm-stale-after-suspend", False)
    assert "sudo rmmod nvidia_uvm && sudo modprobe nvidia_uvm" in commands(found)
    assert any("PreserveVideoMemoryAllocations 0" in each.what for each in found.evidence)


@pytest.mark.parametrize(
    "host",
    [
        nvidia_host(),
        nvidia_host(system=log("nothing of sleep")),
        nvidia_host(system=SLEPT, nodes=NO_UVM_NODE),
        nvidia_host(system=SLEPT, libraries=(library("libcuda.so.1", "570.169"), BOTH[1])),
    ],
)
def test_without_a_sleep_or_with_another_part_broken_nothing_is_called_stale(host: Host) -> None:
    assert "nv-uvm-stale-after-suspend" not in ids(findings(host, UNKNOWN, WORKS))


def test_999_of_which_nothing_is_known_keeps_its_neutral_words() -> None:
    found = headline(nvidia_host(), UNKNOWN, WORKS)

    assert found.generic
    assert "nvidia_uvm" not in f"{found.because} {commands(found)}"
