"""Whether the driver is there for the running kernel, allowed and loaded: each state has its own cause and cure."""

from __future__ import annotations

from typing import Any

import pytest

from gpuprobe.doctor.findings import Observed, Place
from gpuprobe.facts import Host, Reading
from gpuprobe.facts.system_facts import DkmsModule, SystemFacts
from tests.doctor.nvidia_machines import (
    BOTH,
    DOCKER,
    KERNEL,
    absent,
    card,
    commands,
    findings,
    headline,
    ids,
    is_certain,
    log,
    modules,
    nvidia_host,
    texts,
    without_driver,
)

MODULE = "updates/dkms/nvidia.ko.zst"
LIBRARIES_ABSENT = (absent("libcuda.so.1"), absent("libnvidia-ml.so.1"))
REJECTED = "Loading of module with unavailable key is rejected"
SECURE = {"/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c": Reading("\x06\x00\x00\x00\x01")}
LOCKED = {"/sys/kernel/security/lockdown": Reading("none [integrity] confidentiality\n")}
KEY = {"/var/lib/shim-signed/mok/MOK.der": Reading("")}


def bare(driver: str | None = None, distribution: str = "ubuntu", **fields: Any) -> Host:
    """A card without NVIDIA's driver, and nothing of it on the machine."""
    known = {"pci": card(driver=driver), "nodes": (), "libraries": (), "texts": without_driver(distribution)}
    return nvidia_host(**{**known, "system": SystemFacts(modules=modules()), **fields})


def installed(**fields: Any) -> Host:
    """The libraries of the driver are there, and no module of it is in memory."""
    return bare(**{"libraries": BOTH, **fields})


def test_a_fresh_machine_with_nouveau_lacks_the_driver() -> None:
    found = findings(bare("nouveau"), *LIBRARIES_ABSENT)

    assert ids(found)[:2] == ["nv-driver-not-installed", "nv-nouveau-bound"]
    assert is_certain(found[0])
    assert "`sudo ubuntu-drivers install`" in commands(found[0])


def test_without_a_look_at_the_modules_on_disk_it_is_only_likely() -> None:
    (found, *_) = findings(bare(system=None), *LIBRARIES_ABSENT)

    assert (found.id, is_certain(found), found.settle) == ("nv-driver-not-installed", False, "modinfo nvidia")


@pytest.mark.parametrize(
    ("distribution", "command"),
    [
        ("debian", "sudo apt install linux-headers-$(dpkg --print-architecture) nvidia-driver"),
        ("fedora", "sudo dnf install akmod-nvidia"),
        ("rocky", "sudo dnf install nvidia-open"),
        ("arch", "sudo pacman -S nvidia-open nvidia-utils"),
        ("opensuse", "sudo zypper install nvidia-open-driver-G06"),
        ("nixos", 'services.xserver.videoDrivers = ["nvidia"];'),
        ("other", "with the packages of this distribution"),
    ],
)
def test_the_driver_is_installed_by_the_means_of_this_distribution(distribution: str, command: str) -> None:
    found = headline(bare(distribution=distribution), *LIBRARIES_ABSENT)

    assert command in commands(found)
    assert "ubuntu" not in commands(found)


def test_an_old_card_gets_the_last_branch_that_serves_it() -> None:
    host = bare(pci=card(driver=None, device=0x1C81))

    assert "nvidia-driver-580" in commands(headline(host, *LIBRARIES_ABSENT))


def test_from_a_container_the_host_is_told_and_no_distribution_guessed() -> None:
    found = headline(bare(texts=without_driver("ubuntu", **DOCKER)), *LIBRARIES_ABSENT)

    assert (found.because, is_certain(found)) == ("NVIDIA's driver is not loaded on the host", False)
    assert [step.where for step in found.fix] == [Place.HOST]
    assert "ubuntu" not in commands(found)


def test_a_driver_that_is_installed_is_never_to_be_installed() -> None:
    states = [
        installed(),
        installed(system=None),
        installed(system=SystemFacts(modules=modules(MODULE))),
        bare(system=SystemFacts(modules=modules(others={"6.1.0-17-amd64": (MODULE,)}))),
    ]

    assert [host for host in states if "nv-driver-not-installed" in ids(findings(host))] == []


def test_nouveau_that_was_first_is_kept_from_the_card() -> None:
    found = headline(installed(driver="nouveau", system=SystemFacts(modules=modules(MODULE))))

    assert (found.id, is_certain(found)) == ("nv-nouveau-bound", True)
    assert "blacklist nouveau" in commands(found) and "sudo update-initramfs -u" in commands(found)


def test_a_card_that_the_driver_has_is_not_nouveaus() -> None:
    assert "nv-nouveau-bound" not in ids(findings(nvidia_host()))


def test_a_module_for_another_kernel_alone_was_not_built_for_this_one() -> None:
    system = SystemFacts(modules=modules(others={"6.1.0-17-amd64": (MODULE,)}, build="absent"))
    found = headline(installed(system=system))

    assert (found.id, is_certain(found)) == ("nv-module-not-built", True)
    assert KERNEL in found.because
    assert "linux-headers-$(uname -r)" in commands(found)
    assert "dkms" not in {each.where for each in found.evidence}  # which was not asked


def test_a_build_that_failed_is_shown_with_its_first_error() -> None:
    made = DkmsModule("nvidia", "580.95.05", ("6.1.0-17-amd64",), Reading("ok\nconftest.c: error: no member\nmake: error 2\n"))
    found = headline(installed(system=SystemFacts(modules=modules(), dkms=(made,))))

    assert found.id == "nv-module-not-built"
    assert [each.what for each in found.evidence if each.where.endswith("make.log")] == ["conftest.c: error: no member"]
    assert Observed("dkms", "not built for this kernel") in found.evidence


def test_fedora_builds_its_module_with_akmods() -> None:
    found = headline(installed(texts=without_driver("fedora")))

    assert "sudo akmods --force" in commands(found)


def test_a_module_that_is_on_disk_was_built() -> None:
    assert "nv-module-not-built" not in ids(findings(installed(system=SystemFacts(modules=modules(MODULE)))))


def test_the_kernels_word_proves_that_secure_boot_refused_the_module() -> None:
    system = log(REJECTED)._replace(modules=modules(MODULE), texts={**SECURE, **LOCKED}, files=KEY)
    found = headline(installed(system=system))

    assert (found.id, is_certain(found)) == ("nv-secure-boot-rejected", True)
    assert "sudo mokutil --import /var/lib/shim-signed/mok/MOK.der" in commands(found)


def test_without_the_log_secure_boot_is_likely_where_the_key_is_the_machines_own() -> None:
    system = SystemFacts(modules=modules(MODULE), texts={**SECURE, **LOCKED}, files=KEY)
    found = headline(installed(system=system))

    assert (found.id, is_certain(found), found.settle) == ("nv-secure-boot-rejected", False, "sudo modprobe nvidia")


@pytest.mark.parametrize(
    "system",
    [
        SystemFacts(modules=modules(MODULE), texts={"/sys/kernel/security/lockdown": Reading("[none] integrity\n")}, files=KEY),
        SystemFacts(modules=modules(MODULE), texts={**SECURE, **LOCKED}, files={}),
        SystemFacts(modules=modules(), texts={**SECURE, **LOCKED}, files=KEY),
    ],
)
def test_where_nothing_is_enforced_or_nothing_could_be_refused_it_is_not_secure_boot(system: SystemFacts) -> None:
    assert "nv-secure-boot-rejected" not in ids(findings(installed(system=system)))


def test_a_line_that_forbids_the_module_is_quoted_with_its_file() -> None:
    path = "/etc/modprobe.d/off.conf"
    forbidden = {path: Reading("install nvidia /bin/false\n")}
    found = headline(installed(system=SystemFacts(modules=modules(MODULE), files=forbidden)))

    assert (found.id, is_certain(found)) == ("nv-module-blacklisted", True)
    assert path in found.because and "install nvidia /bin/false" in found.because


def test_a_word_of_the_command_line_forbids_it_too() -> None:
    told = without_driver(**{"/proc/cmdline": "module_blacklist=nvidia\n"})
    found = headline(installed(texts=told, system=SystemFacts(modules=modules(MODULE))))

    assert found.id == "nv-module-blacklisted"
    assert "the boot loader's settings" in commands(found)


def test_a_line_about_another_module_forbids_nothing() -> None:
    other = {"/etc/modprobe.d/off.conf": Reading("blacklist nouveau\nblacklist nvidiafb\n")}
    found = ids(findings(installed(system=SystemFacts(modules=modules(MODULE), files=other))))

    assert found[0] == "nv-module-not-loaded"


def test_an_installed_driver_whose_module_is_not_loaded_is_loaded() -> None:
    found = headline(installed(system=SystemFacts(modules=modules(MODULE))))

    assert (found.id, is_certain(found)) == ("nv-module-not-loaded", True)
    assert commands(found) == "load it with `sudo modprobe nvidia`"


def test_one_fact_put_right_takes_the_cause_away() -> None:
    loaded = nvidia_host(texts=texts(), system=SystemFacts(modules=modules(MODULE)))

    assert [each for each in findings(loaded) if not each.generic] == []
