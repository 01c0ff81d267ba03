"""Units, containers, packages and device nodes: what counts of several lines, and whom a node lets in."""

from __future__ import annotations

from typing import Any

import pytest

from gpuprobe.facts import DeviceNode, Host, Listing, Reading
from gpuprobe.facts.system_facts import (
    Opened,
    Package,
    Standing,
    SystemFacts,
    SystemGroup,
    UnitFiles,
)
from gpuprobe.machine import (
    container_settings,
    installed_packages,
    permissions,
    secure_boot,
    services,
    turned_off,
)
from gpuprobe.machine.control_groups import Container, container_of, service_of, units_of
from gpuprobe.machine.distribution import Distribution, distribution
from gpuprobe.machine.mode_bits import may_open
from tests.records import a_host, with_files


def with_facts(**facts: Any) -> Host:
    return a_host(system=SystemFacts(**facts))


def a_unit(**fields: Any) -> UnitFiles:
    return UnitFiles("x.service", **fields)


def test_a_unit_s_file_that_could_not_be_read_sets_nothing() -> None:
    denied = Reading(None, "denied")
    unit = a_unit(
        files={"/a": denied, "/b": Reading("[Service]\nEnvironment=A=1 B\nUser=\n")}, environment_files={"/c": denied}
    )

    assert [(each.path, each.section, each.name, each.value) for each in services.settings(unit)] == [
        ("/b", "Service", "Environment", "A=1 B"),
        ("/b", "Service", "User", ""),
    ]
    assert services.environment_in(unit) == {"A": "1"}
    assert services.value_in(unit, "User") is None
    assert services.value_in(unit, "Group") is None


def test_variables_of_a_file_stand_above_those_of_the_unit_and_an_open_quote_takes_nothing() -> None:
    unit = a_unit(
        files={"/a": Reading("[Service]\nEnvironment=A=1 \\\n B=2\nEnvironment='C=3\n[Unit\nD=4")},
        environment_files={"/c": Reading("A=9\nnonsense\n")},
    )

    assert services.environment_in(unit) == {"A": "9", "B": "2"}
    assert [each.name for each in services.settings(unit, "Unit")] == []


def test_servers_are_known_by_what_they_are_called_and_by_their_file() -> None:
    by_file = Standing("process", "1", program="/opt/ollama")
    by_command = Standing("process", "2", program="/usr/bin/python3", command="vllm")
    host = with_facts(servers=(by_file, by_command))

    assert services.servers(host) == (by_file, by_command)
    assert services.servers(host, "ollama") == (by_file,)
    assert services.servers(host, "vllm") == (by_command,)
    assert services.servers(host, "python3") == (by_command,)
    assert services.units(a_host()) == services.units(with_facts()) == ()


@pytest.mark.parametrize(("root", "shares"), [("/", True), (None, True), ("/chroot", False)])
def test_a_process_below_another_root_does_not_share_the_files(root: str | None, shares: bool) -> None:
    assert services.shares_files({"mnt": "1"}, Standing("process", "1", namespaces={"mnt": "1"}, root=root)) is shares
    assert services.shares_files({}, Standing("process", "1", namespaces={"mnt": "1"}, root=root)) is None


def test_a_distribution_says_what_it_is_in_every_field_and_what_it_does_not_say_is_unknown() -> None:
    release = 'ID=Fedora\nID_LIKE="rhel Centos"\nVERSION_ID=41\nVERSION_CODENAME=x\nVARIANT_ID=silverblue\nname\n'
    image = with_files({"/etc/os-release": release, "/run/ostree-booted": ""})

    assert distribution(image) == Distribution("fedora", ("rhel", "centos"), "41", "x", "silverblue", "dnf", True)
    assert distribution(
        with_files({"/usr/lib/os-release": "ID=void\nVERSION_ID=\nVERSION_CODENAME=\nVARIANT_ID="})
    ) == Distribution("void", manager="xbps")
    assert distribution(a_host()) == Distribution(None)
    assert [distribution(image).is_or_like(name) for name in ("fedora", "centos", "debian")] == [True, True, False]
    assert distribution(image).is_or_like("debian", "rhel")


def test_a_package_is_found_by_its_whole_name() -> None:
    host = with_facts(packages=(Package("nvidia-b", "2"), Package("nvidia-a", "1"), Package("x-nvidia", "1")))

    assert [each.name for each in installed_packages.packages(host, "nvidia-.*")] == ["nvidia-a", "nvidia-b"]
    assert installed_packages.package(host, "nvidia") is None
    assert installed_packages.packages(a_host(), ".*") == installed_packages.packages(with_facts(), ".*") == ()
    assert not installed_packages.are_known(a_host())


@pytest.mark.parametrize(
    ("mode", "uid", "gids", "may"),
    [
        (0o600, 1000, (), True),
        (0o060, 1000, (), False),
        (0o060, 7, (44,), True),
        (0o060, 7, (45,), False),
        (0o006, 7, (45,), True),
        (0o006, 7, (44,), False),
        (0o400, 1000, (), False),
        (0o200, 1000, (), False),
        (0o000, 0, (), True),
        (0o110, 1000, (44,), False),
    ],
)
def test_the_first_class_that_fits_decides_who_may_read_and_write(
    mode: int, uid: int, gids: tuple[int, ...], may: bool
) -> None:
    assert may_open(mode, 1000, 44, uid, gids) is may


@pytest.mark.parametrize(
    ("written", "namespace"),
    [
        ("0 0 4294967295", False),
        ("0 0 4294967294", True),
        ("0 1 4294967295", True),
        ("0 0 4294967295 x\n0 0 4294967295", False),
        ("0 0 12345678901\n0 0 4294967295", False),
        ("", None),
    ],
)
def test_a_map_of_accounts_is_the_machine_s_own_where_it_maps_all_to_themselves(written: str, namespace: bool | None) -> None:
    assert permissions.in_user_namespace(with_files({permissions.UID_MAP: written})) is namespace


def test_a_key_to_enrol_is_the_first_that_is_there() -> None:
    assert (
        secure_boot.key_to_enrol(with_facts(files={secure_boot.KEYS[1]: Reading("k"), secure_boot.KEYS[2]: Reading("k")}))
        == (secure_boot.KEYS[1])
    )
    assert secure_boot.key_to_enrol(with_facts(files={secure_boot.KEYS[1]: Reading(None, "absent")})) is None
    assert secure_boot.lockdown(a_host()) is None
    assert secure_boot.lockdown(with_files({secure_boot.LOCKDOWN: "none integrity [confidentiality]"})) == "confidentiality"


FULL = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("text", "container"),
    [
        (f"0::/system.slice/docker-{FULL}.scope", Container("docker", FULL[:12])),
        (f"12:cpu:/docker/{FULL}", Container("docker", FULL[:12])),
        ("0::/docker/web", Container("docker", "web")),
        (f"0::/machine.slice/libpod-conmon-{FULL}.scope", Container("podman", FULL[:12])),
        (f"0::/kubepods.slice/x/crio-{FULL}.scope", Container("kubernetes", FULL[:12])),
        (f"0::/kubepods/besteffort/pod1/{FULL}", Container("kubernetes", FULL[:12])),
        (f"0::/other/{FULL}", None),
        (f"0::/kubepods/{FULL[:-1]}", None),
        ("0::/lxc.payload.web/x", Container("lxc", "web")),
        ("0::/lxc/0123456789ab", Container("lxc", "0123456789ab")),
        ("0::/lxc/0123456789abc", Container("lxc", "0123456789ab")),
        ("0::/machine.slice/machine-web.scope", Container("systemd-nspawn", "web")),
        ("0::/a:b/docker/web", Container("docker", "web")),
        ("0::/docker", None),
        ("0::/", None),
        ("", None),
        (None, None),
        ("1:name=x:/lxc/a\n0::/docker/b", Container("docker", "b")),
        ("1:name=x:/lxc/a\n0::/", Container("lxc", "a")),
        ("nonsense\n1:x\n2:y:/lxc/a", Container("lxc", "a")),
    ],
)
def test_a_container_is_named_by_its_control_group(text: str | None, container: Container | None) -> None:
    assert container_of(text) == container
    assert container is None or container.text == f"{container.kind} {container.name}"


def test_the_innermost_service_is_the_process_s_own() -> None:
    text = "0::/system.slice/a.service/x/b.service/c.scope"

    assert units_of(text) == ("a.service", "b.service", "c.scope")
    assert (service_of(text), service_of("0::/user.slice/c.scope"), service_of(None)) == ("b.service", None, None)


NODE = DeviceNode("/dev/kfd", 0o660, 0, 992, 226, 128, True, "render")


def test_of_the_nodes_and_groups_the_one_that_is_meant_is_found() -> None:
    host = a_host(nodes=(NODE, NODE._replace(path="/dev/x", accessible=False)), gids=(992,))

    assert (permissions.node(host, "/dev/x"), permissions.node(host, "/dev/y")) == (host.nodes[1], None)
    assert [permissions.opens(host, path) for path in ("/dev/kfd", "/dev/x", "/dev/y")] == [True, False, None]
    assert permissions.opened(host, "/dev/kfd") is None
    assert permissions.error_of(host, "/dev/kfd") is None
    assert permissions.group_of(host, 992) is None
    tried = a_host(nodes=(NODE,), system=SystemFacts(opened=(Opened("/dev/kfd", 0),), login_groups=(992,)), gids=(992,))
    assert permissions.opens(tried, "/dev/kfd") is True
    assert permissions.group_is_pending(tried, 992) is False
    render = SystemGroup("render", 992, True)
    assert permissions.group_of(with_facts(groups=(render,)), 992) is render


def test_descriptions_for_containers_are_told_once_each_and_with_what_is_wrong() -> None:
    files = {
        "/var/run/cdi/b.json": Reading("x"),
        "/run/cdi/b.json": Reading(None, "denied"),
        "/etc/cdi/a.yml": Reading('"kind": "amd.com/gpu" /dev/kfd /dev/kfd libnvidia-ml.so.580.1.2 libcuda.so.580.1.2'),
        "/etc/cdi/a.txt": Reading("kind: x/y"),
    }

    assert [tuple(each) for each in container_settings.descriptions(with_facts(files=files)) or ()] == [
        ("/etc/cdi/a.yml", "amd.com/gpu", ("/dev/kfd",), (), None),
        ("/run/cdi/b.json", None, (), (), "denied"),
    ]


def test_settings_that_turn_a_card_off_are_told_with_their_words() -> None:
    files = {
        "/etc/prime-discrete": Reading("intel\n"),
        "/proc/acpi/bbswitch": Reading("0000:01:00.0 OFF"),
        "/sys/devices/platform/asus-nb-wmi/dgpu_disable": Reading("0"),
    }
    host = with_facts(files=files, listings={"/etc/modprobe.d": Listing(("blacklist-nvidia.conf", "other.conf"))})

    assert [tuple(each) for each in turned_off.turned_off(host)] == [
        ("/etc/prime-discrete", "intel"),
        ("/proc/acpi/bbswitch", "OFF"),
        ("/etc/modprobe.d/blacklist-nvidia.conf", "blacklist-nvidia.conf"),
    ]
    assert turned_off.turned_off(a_host()) == ()
    assert turned_off.waiting_docks(a_host()) == ()
    place = "/sys/bus/thunderbolt/devices"
    docks = {f"{place}/0-1/authorized": Reading("0"), f"{place}/0-2/authorized": Reading("1")}
    assert turned_off.waiting_docks(with_facts(texts=docks, listings={place: Listing(("0-1", "0-2", "0-3"))})) == ("0-1",)
