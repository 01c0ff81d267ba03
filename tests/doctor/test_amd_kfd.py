"""Why ROCm does not get through `/dev/kfd`: each cause where the evidence shows it, and not where it shows another."""

from __future__ import annotations

import pytest

from gpuprobe.doctor.findings import Certainty, Place, Rung, Severity
from gpuprobe.facts import Reading
from gpuprobe.facts.system_facts import SystemGroup
from gpuprobe.model import Status
from tests.doctor.sick_machines import (
    ARCH,
    FEDORA,
    KFD,
    RENDER,
    a_node,
    causes,
    commands,
    findings,
    headline,
    kfd_nodes,
    knowing,
    opened,
    passed,
    rocm_finds_nothing,
    said,
    with_radeon,
    without_kfd,
)
from tests.records import a_device, an_outcome

DOCKER = {"/.dockerenv": Reading("")}


def test_a_driver_whose_compute_half_did_not_start_is_told_so() -> None:
    found = headline(findings(without_kfd(), rocm_finds_nothing(101)))

    assert (found.id, found.certainty, found.rung) == ("amd-kfd-node-missing", Certainty.CERTAIN, Rung.DEVICE_NODE)
    assert found.because.startswith("`/dev/kfd` does not exist although `amdgpu` drives the card")
    assert "grep HSA_AMD" in commands(found)
    assert "mesa-vulkan-drivers" in commands(found)


def test_a_card_that_rocm_lists_has_no_trouble_with_kfd() -> None:
    view = a_device("ROCm", pci_id="0000:03:00.0")

    assert causes(findings(without_kfd(), passed(view), devices=(view,))) == []


def test_where_rocm_is_not_installed_nobody_misses_kfd() -> None:
    absent = an_outcome(library="ROCm", status=Status.ABSENT, seconds=None)
    view = a_device("Vulkan", pci_id="0000:03:00.0", vendor_id=0x1002)

    assert causes(findings(without_kfd(), absent, passed(view), devices=(view,))) == []


def test_what_works_through_vulkan_is_degraded_and_not_blocked() -> None:
    view = a_device("Vulkan", pci_id="0000:03:00.0", vendor_id=0x1002)

    found = findings(without_kfd(), rocm_finds_nothing(), passed(view), devices=(view,))

    assert [(each.id, each.severity) for each in found] == [("amd-kfd-node-missing", Severity.DEGRADED)]


def test_a_container_without_kfd_was_not_given_it() -> None:
    found = headline(findings(without_kfd(texts=DOCKER), rocm_finds_nothing()))

    assert (found.id, found.fix[0].where) == ("ctr-amd-devices-missing", Place.HOST)
    assert "--device /dev/kfd --device /dev/dri" in found.fix[0].text


def test_a_dev_that_nobody_could_list_proves_no_absence() -> None:
    host = without_kfd(facts={"dev_problem": "denied"})

    assert "amd-kfd-node-missing" not in causes(findings(host, rocm_finds_nothing()))


def test_an_account_outside_the_group_is_told_the_group() -> None:
    """Golden scenario 7: the render node is denied too."""
    host = with_radeon(nodes=(a_node(KFD, accessible=False), a_node(accessible=False)), gids=(1000,))

    found = findings(host, rocm_finds_nothing())

    assert causes(found) == ["amd-kfd-permission", "dri-render-permission"]
    assert headline(found).fix[0].command == 'sudo usermod -aG render,video "$USER"'


@pytest.mark.parametrize(("group", "told"), [("render", "render"), (None, "992")])
def test_a_denied_file_is_told_with_its_mode_and_who_has_it(group: str | None, told: str) -> None:
    host = with_radeon(nodes=(a_node(KFD, accessible=False, mode=0o20660, group=group), a_node()), gids=(1000,))

    seen = headline(findings(host, rocm_finds_nothing())).evidence[0]

    assert (seen.where, seen.what) == (KFD, f"mode 0660, owner 0, group {told}")


def test_an_open_render_node_does_not_hide_that_kfd_is_denied() -> None:
    host = with_radeon(nodes=(a_node(KFD, accessible=False), a_node(mode=0o666)), gids=(1000,))

    assert causes(findings(host, rocm_finds_nothing())) == ["amd-kfd-permission"]


def test_a_group_that_was_joined_after_the_login_needs_a_login() -> None:
    """Golden scenario 8."""
    nodes = (a_node(KFD, accessible=False), a_node(accessible=False))
    host = knowing(with_radeon(nodes=nodes, gids=(1000,)), login_groups=(992, 1000), account="ada")

    found = findings(host, rocm_finds_nothing())

    assert causes(found) == ["group-membership-not-active"]
    assert "usermod" not in commands(headline(found))


@pytest.mark.parametrize(
    ("gid", "group", "slug", "option"),
    [
        (992, None, "container-gid-mismatch", "--group-add 992"),
        (65534, "nogroup", "ctr-rootless-groups", "by a udev rule on the host"),
    ],
)
def test_in_a_container_a_group_is_given_by_its_number(gid: int, group: str | None, slug: str, option: str) -> None:
    nodes = tuple(a_node(path, accessible=False, gid=gid, group=group) for path in (KFD, RENDER))

    found = headline(findings(with_radeon(nodes=nodes, gids=(1000,), texts=DOCKER), rocm_finds_nothing()))

    assert found.id == slug
    assert option in found.fix[0].text
    assert "usermod" not in str(found.advice)


def test_rootless_podman_keeps_groups() -> None:
    texts = {"/run/.containerenv": Reading("")}
    nodes = tuple(a_node(path, accessible=False, gid=65534, group="nobody") for path in (KFD, RENDER))

    found = headline(findings(with_radeon(nodes=nodes, gids=(0,), texts=texts), rocm_finds_nothing()))

    assert "--group-add keep-groups" in found.fix[0].text


@pytest.mark.parametrize(
    ("texts", "slug", "words"),
    [
        (DOCKER, "dev-cgroup-eperm", "--device /dev/kfd"),
        ({"/run/systemd/container": Reading("lxc")}, "lxc-device-not-allowed", "lxc.cgroup2.devices.allow: c 226:* rwm"),
        ({}, "dev-cgroup-eperm", "DeviceAllow=/dev/kfd rw"),
    ],
)
def test_what_permission_bits_allow_and_the_kernel_does_not_is_a_rule_of_the_control_group(
    texts: dict[str, Reading], slug: str, words: str
) -> None:
    host = knowing(with_radeon(texts=texts), opened=opened(KFD, "EPERM", 1))

    found = headline(findings(host, rocm_finds_nothing()))

    assert found.id == slug
    assert words in found.fix[0].text


def test_selinux_is_likely_where_it_enforces_and_the_bits_allow() -> None:
    texts = {"/sys/fs/selinux/enforce": Reading("1"), "/proc/self/attr/current": Reading("system_u:system_r:container_t:s0")}
    host = knowing(with_radeon(texts={**DOCKER, **FEDORA}), opened=opened(KFD, "EACCES", 13), texts=texts)

    found = headline(findings(host, rocm_finds_nothing()))

    assert (found.id, found.certainty, found.settle) == ("selinux-denied", Certainty.LIKELY, "sudo ausearch -m avc -ts boot")


def test_a_kernel_that_refuses_an_allowed_node_is_quoted() -> None:
    host = knowing(with_radeon(), opened=opened(KFD, "EINVAL", 22))

    found = headline(findings(host, rocm_finds_nothing()))

    assert found.id == "amd-kfd-refused"
    assert found.because == "`/dev/kfd` is there and allowed, and the kernel refuses to open it (EINVAL, errno 22)"


def test_a_node_that_opens_is_no_refusal() -> None:
    host = knowing(with_radeon(), opened=opened(KFD, "", 0))

    assert causes(findings(host, rocm_finds_nothing())) == []


SKIPPED = "kfd kfd: amdgpu: skipped device 1002:744c, PCI rejects atomics"


@pytest.mark.parametrize(
    ("numbers", "slug"),
    [("", "pci-atomics-missing"), (" 730<0", "pci-atomics-missing"), (" 494<509", "amd-mec-firmware-too-old")],
)
def test_atomics_are_told_from_firmware_by_the_numbers_in_the_kernel_log(numbers: str, slug: str) -> None:
    """0 is the first firmware that does without atomics where none does."""
    host = knowing(with_radeon(texts=kfd_nodes(bus=9)), log=said(SKIPPED + numbers))

    found = headline(findings(host, rocm_finds_nothing()))

    assert found.id == slug
    assert found.evidence[0].what == SKIPPED + numbers


@pytest.mark.parametrize(
    ("release", "package"),
    [({}, "sudo apt install linux-firmware"), (FEDORA, "amd-gpu-firmware"), (ARCH, "linux-firmware-amdgpu")],
)
def test_firmware_comes_from_the_distributions_own_package(release: dict[str, Reading], package: str) -> None:
    host = knowing(with_radeon(texts={**kfd_nodes(bus=9), **release}), log=said(f"{SKIPPED} 494<509"))

    assert package in commands(headline(findings(host, rocm_finds_nothing())))


def test_another_card_that_was_skipped_is_not_this_one() -> None:
    other = "kfd kfd: amdgpu: skipped device 1002:67df, PCI rejects atomics 730<0"
    host = knowing(with_radeon(texts=kfd_nodes(bus=9)), log=said(other))

    assert headline(findings(host, rocm_finds_nothing())).id == "amd-kfd-node-missing"


def test_a_chip_that_kfd_does_not_support_needs_vulkan() -> None:
    host = knowing(with_radeon(texts=kfd_nodes(bus=9)), log=said("kfd kfd: amdgpu: VERDE  not supported in kfd"))

    found = headline(findings(host, rocm_finds_nothing()))

    assert (found.id, found.because) == (
        "amd-kfd-node-missing",
        "KFD, the compute half of the driver, does not support this chip, so ROCm has no device",
    )


def test_a_card_without_a_node_of_kfds_is_said_to_have_none() -> None:
    found = headline(findings(with_radeon(texts=kfd_nodes(bus=9)), rocm_finds_nothing()))

    assert (found.id, found.brief) == ("amd-kfd-node-missing", "KFD has no node for it")


def test_a_topology_that_could_not_be_read_proves_nothing() -> None:
    host = with_radeon(texts=kfd_nodes(bus=9), facts={"kfd_problem": "denied"})

    assert causes(findings(host, rocm_finds_nothing())) == []


def test_the_group_of_the_node_is_joined_whatever_it_is_called() -> None:
    nodes = (a_node(KFD, accessible=False, group="gpuusers", gid=2000), a_node())
    host = knowing(with_radeon(nodes=nodes), login_groups=(1000,), groups=(SystemGroup("gpuusers", 2000),))

    assert 'sudo usermod -aG gpuusers "$USER"' in commands(headline(findings(host, rocm_finds_nothing())))


def test_a_card_that_a_container_was_not_given_was_not_skipped_by_kfd() -> None:
    """KFD shows a container the cards alone that it was given."""
    host = with_radeon(texts={**DOCKER, **kfd_nodes(bus=9)}, nodes=(a_node(KFD), a_node("/dev/dri/renderD129")))
    other = a_device("ROCm", pci_id="0000:09:00.0")

    found = findings(host, passed(other), devices=(other,), at="0000:03:00.0")

    assert causes(found) == ["ctr-amd-devices-missing"]
