"""The driver's nodes: missing, denied, or refused though their mode allows it; each kind of container has its own cure."""

from __future__ import annotations

import pytest

from gpuprobe.doctor.findings import Place
from gpuprobe.doctor.reasons import CardReason
from gpuprobe.facts import DeviceNode, Host, Reading
from gpuprobe.facts.system_facts import Opened, SystemFacts
from gpuprobe.model import Status
from tests.doctor.nvidia_machines import (
    DOCKER,
    LXC,
    NODES,
    commands,
    cuda,
    findings,
    headline,
    ids,
    is_certain,
    nvidia_host,
    nvml,
    nvml_says,
    passed,
    refused,
    texts,
)
from tests.records import an_outcome

NONE = refused(100, "CUDA_ERROR_NO_DEVICE", status=Status.NO_DEVICES)
UNKNOWN = refused(999, "CUDA_ERROR_UNKNOWN")
POD = {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}


def denied(gid: int = 1200, group: str | None = None) -> tuple[DeviceNode, ...]:
    closed = DeviceNode("/dev/nvidia0", 0o660, 0, gid, 195, 0, False, group)
    return tuple(closed if node.path == closed.path else node for node in NODES)


def refusing(error: str, number: int, path: str = "/dev/nvidiactl") -> SystemFacts:
    return SystemFacts(opened=(Opened(path, number, error),))


@pytest.mark.parametrize("path", ["/dev/nvidiactl", "/dev/nvidia0"])
def test_a_node_that_nobody_made_is_made(path: str) -> None:
    left = tuple(node for node in NODES if node.path != path)
    found = headline(nvidia_host(nodes=left), NONE, nvml_says(9))

    assert (found.id, found.reason, is_certain(found)) == ("nv-dev-nodes-missing", CardReason.NO_DEVICE_NODE, True)
    assert path in found.because
    assert "sudo nvidia-modprobe -c=0 -u" in commands(found) and "apt install nvidia-modprobe" in commands(found)


def test_where_dev_could_not_be_listed_no_node_is_called_missing() -> None:
    host = nvidia_host(nodes=(), facts={"dev_problem": "denied"})

    assert "nv-dev-nodes-missing" not in ids(findings(host, NONE))


def test_in_a_container_missing_nodes_are_nobodys_helpers_fault() -> None:
    assert "nv-dev-nodes-missing" not in ids(findings(nvidia_host(nodes=(), texts=texts(DOCKER)), NONE))


def test_a_node_of_another_group_is_joined_or_opened() -> None:
    parameters = {"/proc/driver/nvidia/params": "DeviceFileMode: 432\nDeviceFileGID: 1200\n"}
    found = headline(nvidia_host(nodes=denied(group="gpu"), texts=texts(parameters)), NONE, nvml_says(4))

    assert (found.id, found.reason) == ("nv-dev-permission", CardReason.NO_PERMISSION)
    assert 'usermod -aG gpu "$USER"' in commands(found)
    assert "NVreg_DeviceFileMode=0666" in commands(found)


def test_a_group_that_was_joined_needs_only_a_login() -> None:
    found = headline(nvidia_host(nodes=denied(), system=SystemFacts(login_groups=(1200,))), NONE)

    assert found.id == "group-membership-not-active"
    assert "usermod" not in commands(found)


def test_in_a_container_the_group_is_given_by_its_number() -> None:
    found = headline(nvidia_host(nodes=denied(), texts=texts(DOCKER)), NONE)

    assert found.id == "container-gid-mismatch"
    assert "--group-add 1200" in commands(found)
    assert "usermod" not in commands(found)


def test_in_a_user_namespace_the_group_was_mapped_away() -> None:
    mapped = texts({**DOCKER, "/proc/self/uid_map": "0 1000 1\n"})

    assert headline(nvidia_host(nodes=denied(65534), texts=mapped), NONE).id == "ctr-rootless-groups"


def test_nodes_that_are_open_to_all_deny_nobody() -> None:
    assert not {"nv-dev-permission", "container-gid-mismatch"} & set(ids(findings(nvidia_host(), UNKNOWN)))


def test_a_running_docker_container_that_lost_its_devices_is_restarted() -> None:
    host = nvidia_host(texts=texts(DOCKER))
    certain = headline(host._replace(system=refusing("EPERM", 1)), refused(800), nvml_says(999))
    likely = headline(host, refused(800), nvml_says(999))

    assert certain.id == likely.id == "ctr-lost-gpu-daemon-reload"
    assert (is_certain(certain), is_certain(likely)) == (True, False)
    assert {step.where for step in certain.fix} == {Place.HOST}
    assert "cgroupfs" in commands(certain)


def test_a_container_whose_nodes_open_has_not_lost_them() -> None:
    host = nvidia_host(texts=texts(DOCKER), system=SystemFacts(opened=(Opened("/dev/nvidiactl", 0),)))

    assert "ctr-lost-gpu-daemon-reload" not in ids(findings(host, UNKNOWN, nvml_says(999)))


def test_one_that_works_has_lost_nothing() -> None:
    host = nvidia_host(texts=texts(DOCKER))

    assert findings(host, an_outcome(cuda()), an_outcome(nvml()), passed(cuda())) == ()


def test_lxc_allows_each_major_number_by_itself() -> None:
    found = headline(nvidia_host(texts=texts(LXC), system=refusing("EPERM", 1)), UNKNOWN)

    assert found.id == "lxc-device-not-allowed"
    assert "c 195:* rwm" in commands(found)


@pytest.mark.parametrize(
    ("host", "words"),
    [
        (nvidia_host(system=refusing("EPERM", 1)), "DeviceAllow=/dev/nvidiactl rw"),
        (nvidia_host(system=refusing("EPERM", 1), environ=POD), "nvidia.com/gpu"),
    ],
)
def test_a_control_group_that_forbids_a_device_is_told_where_it_is_set(host: Host, words: str) -> None:
    found = headline(host, UNKNOWN)

    assert (found.id, is_certain(found)) == ("dev-cgroup-eperm", True)
    assert words in commands(found)


def test_selinux_in_a_container_is_likely_where_the_mode_allows_it() -> None:
    enforcing = {"/sys/fs/selinux/enforce": Reading("1")}
    host = nvidia_host(texts=texts(DOCKER), system=refusing("EACCES", 13)._replace(texts=enforcing))
    permissive = nvidia_host(texts=texts(DOCKER), system=refusing("EACCES", 13)._replace(texts={}))

    assert headline(host, UNKNOWN).id == "selinux-denied"
    assert "selinux-denied" not in ids(findings(permissive, UNKNOWN))
