"""What the deep evidence means, as yes, no and cannot be told."""

from __future__ import annotations

from typing import Any

import pytest

from gpuprobe.facts import Bar, DeviceNode, Host, Listing, Reading
from gpuprobe.facts.system_facts import (
    DkmsModule,
    KernelModules,
    Opened,
    Package,
    Standing,
    SystemFacts,
    SystemGroup,
    UnitFiles,
)
from gpuprobe.machine import (
    address_windows,
    asked,
    boot_parameters,
    container_settings,
    installed_packages,
    kernel_log,
    kernel_modules,
    permissions,
    secure_boot,
    services,
    turned_off,
    vulkan_drivers,
)
from gpuprobe.machine.distribution import distribution
from tests.records import a_card, a_host

KERNEL = "6.1.0-18-amd64"


def everything_asked(host: Host) -> None:
    """Whatever stands in the evidence, each question has an answer."""
    for name in ("nvidia", "amdgpu"):
        kernel_modules.is_on_disk(host, name), kernel_modules.is_loaded(host, name), kernel_modules.dkms(host, name)
        kernel_modules.forbidden(host, name), kernel_modules.options(host, name), kernel_modules.other_kernels_with(host, name)
    kernel_log.xids(host), kernel_log.lines_of(host, "0000:01:00.0"), kernel_log.says(host, "x"), kernel_log.resumed_at(host)
    (
        secure_boot.secure_boot(host),
        secure_boot.lockdown(host),
        secure_boot.signatures_enforced(host),
        secure_boot.key_to_enrol(host),
    )
    installed_packages.package(host, "x"), distribution(host), permissions.in_user_namespace(host)
    boot_parameters.values_of(host, "amdgpu."), container_settings.descriptions(host), container_settings.has_toolkit(host)
    turned_off.turned_off(host), turned_off.waiting_docks(host), vulkan_drivers.drivers(host)
    services.servers(host), address_windows.is_small(host, "0000:01:00.0")
    for unit in services.units(host):
        services.environment_in(unit), services.value_in(unit, "User"), services.values_in(unit, "DeviceAllow")


ABSENT, DENIED = Reading(None, "absent"), Reading(None, "denied")


def host_of(cheap: dict[str, Reading] | None = None, /, **facts: Any) -> Host:
    return a_host(texts=cheap or {}, system=SystemFacts(**facts))


def test_not_asked_absent_and_denied_are_three_answers() -> None:
    host = host_of(files={"/a": Reading("x\n"), "/b": ABSENT, "/c": DENIED})

    assert [asked.is_there(host, path) for path in ("/a", "/b", "/c", "/d")] == [True, False, True, None]
    assert [asked.text(host, path) for path in ("/a", "/b", "/c", "/d")] == ["x", None, None, None]
    assert asked.is_there(a_host(), "/a") is None


def test_a_directory_that_is_not_there_is_empty_and_one_that_is_denied_is_unknown() -> None:
    host = host_of(listings={"/a": Listing(("x",)), "/b": Listing(None, "absent"), "/c": Listing(None, "denied")})

    assert [asked.names_in(host, path) for path in ("/a", "/b", "/c", "/d")] == [("x",), (), None, None]


@pytest.mark.parametrize(("text", "number"), [("12\n", 12), ("-1", -1), ("", None), ("x", None), ("9" * 30, None)])
def test_a_number_is_a_number(text: str, number: int | None) -> None:
    assert asked.number(a_host(texts={"/a": Reading(text)}), "/a") == number


def test_words_of_the_command_line_are_found_in_either_spelling() -> None:
    host = a_host(texts={"/proc/cmdline": Reading("nomodeset amdgpu.gttsize=1 nvidia-drm.modeset=1 amdgpu.gttsize=2\n")})

    assert (boot_parameters.has_word(host, "nomodeset"), boot_parameters.has_word(host, "nokaslr")) == (True, False)
    assert boot_parameters.values_of(host, "amdgpu.") == {"gttsize": "2"}
    assert boot_parameters.value_of(host, "nvidia_drm.modeset") == "1"
    assert boot_parameters.has_word(a_host(), "nomodeset") is None


def module_host(**more: Any) -> Host:
    mine = KernelModules(KERNEL, ("updates/dkms/nvidia-uvm.ko.zst",), ("kernel/drivers/gpu/drm/i915/i915.ko",), "dangling")
    other = KernelModules("6.1.0-17-amd64", ("updates/dkms/nvidia.ko",))
    return host_of(**{"modules": (mine, other), **more})


def test_a_module_is_on_disk_built_in_or_for_another_kernel() -> None:
    host = module_host()

    assert kernel_modules.is_on_disk(host, "nvidia_uvm") is True
    assert kernel_modules.is_on_disk(host, "i915") is True
    assert kernel_modules.is_on_disk(host, "nvidia") is False
    assert kernel_modules.other_kernels_with(host, "nvidia") == ("6.1.0-17-amd64",)
    assert kernel_modules.headers(host) == "dangling"
    assert kernel_modules.is_on_disk(host_of(modules=(KernelModules(KERNEL, None, problem="denied"),)), "nvidia") is None
    assert kernel_modules.is_on_disk(a_host(), "nvidia") is None


def test_a_module_is_loaded_where_the_kernel_has_its_directory() -> None:
    listed = host_of(listings={"/sys/module": Listing(("nvidia",))})
    state = "/sys/module/nvidia/initstate"

    assert [kernel_modules.is_loaded(listed, name) for name in ("nvidia", "nouveau")] == [True, False]
    assert kernel_modules.is_loaded(a_host(texts={state: Reading("live\n")}), "nvidia") is True
    assert kernel_modules.is_loaded(a_host(texts={state: ABSENT}), "nvidia") is False
    assert kernel_modules.is_loaded(a_host(texts={state: DENIED}), "nvidia") is None
    assert kernel_modules.is_loaded(a_host(), "nvidia") is None


@pytest.mark.parametrize(
    ("path", "line", "is_hard"),
    [
        ("/etc/modprobe.d/a.conf", "blacklist nvidia", False),
        ("/etc/modprobe.d/a.conf", "install nvidia /bin/false", True),
        ("/usr/lib/modprobe.d/a.conf", "install nvidia /usr/bin/true", True),
        ("/etc/modprobe.d/a.conf", "alias nvidia off", True),
        ("/etc/modprobe.d/a.conf", "install nvidia modprobe -i nvidia && modprobe nvidia-uvm", None),
        ("/etc/modprobe.d/a.conf", "options nvidia x=1", None),
        ("/etc/modprobe.d/a.conf", "blacklist nvidia-uvm", None),
        ("/proc/cmdline", "module_blacklist=nouveau,nvidia", True),
        ("/proc/cmdline", "modprobe.blacklist=nvidia", False),
    ],
)
def test_what_forbids_a_module_is_named_with_its_place(path: str, line: str, is_hard: bool | None) -> None:
    texts, files = ({path: Reading(line)}, {}) if path.startswith("/proc") else ({}, {path: Reading(line)})

    found = kernel_modules.forbidden(host_of(texts, files=files), "nvidia")

    assert (found and (found.path, found.line, found.is_hard)) == (None if is_hard is None else (path, line, is_hard))


def test_a_file_of_the_administrator_s_hides_its_namesake_of_the_distribution() -> None:
    files = {"/usr/lib/modprobe.d/nvidia.conf": Reading("blacklist nvidia"), "/etc/modprobe.d/nvidia.conf": Reading("")}

    assert kernel_modules.forbidden(host_of(files=files), "nvidia") is None


def test_options_of_the_command_line_come_last() -> None:
    files = {"/etc/modprobe.d/a.conf": Reading("options nvidia-uvm uvm_disable_hmm=0 x=1")}

    host = host_of({"/proc/cmdline": Reading("nvidia_uvm.uvm_disable_hmm=1")}, files=files)

    assert kernel_modules.options(host, "nvidia_uvm") == {"uvm_disable_hmm": "1", "x": "1"}


def test_dkms_lacks_this_kernel_only_where_it_has_the_source() -> None:
    without = host_of(dkms=(DkmsModule("nvidia", "580", ("6.1.0-17-amd64",)),))

    assert kernel_modules.dkms_lacks_this_kernel(without, "nvidia") is True
    assert kernel_modules.dkms_lacks_this_kernel(host_of(dkms=(DkmsModule("nvidia", "580", (KERNEL,)),)), "nvidia") is False
    assert kernel_modules.dkms_lacks_this_kernel(host_of(dkms=()), "nvidia") is None


@pytest.mark.parametrize(("text", "on"), [("\x06\x00\x00\x00\x01", True), ("\x06\x00\x00\x00\x00", False)])
def test_secure_boot_is_the_fifth_byte(text: str, on: bool) -> None:
    assert secure_boot.secure_boot(host_of(texts={secure_boot.VARIABLE: Reading(text)})) is on


def test_secure_boot_is_off_without_the_variable_and_unknown_where_it_is_denied() -> None:
    assert secure_boot.secure_boot(host_of(texts={secure_boot.VARIABLE: ABSENT})) is False
    assert secure_boot.secure_boot(host_of(texts={secure_boot.VARIABLE: DENIED})) is None
    assert secure_boot.secure_boot(a_host()) is None


@pytest.mark.parametrize(
    ("lockdown", "enforced", "refuses"),
    [
        ("none [integrity] confidentiality", "N", True),
        ("[none] integrity", "N", False),
        ("[none]", "Y", True),
        (None, None, None),
    ],
)
def test_unsigned_modules_are_refused_by_lockdown_or_by_the_kernel_s_own_rule(
    lockdown: str | None, enforced: str | None, refuses: bool | None
) -> None:
    texts = {secure_boot.LOCKDOWN: lockdown, secure_boot.SIGNATURES: enforced}
    host = host_of(texts={path: Reading(text) for path, text in texts.items() if text is not None})

    assert secure_boot.signatures_enforced(host) is refuses


@pytest.mark.parametrize(("enforced", "boot", "refuses"), [("N", ABSENT, False), ("N", DENIED, None), (None, ABSENT, None)])
def test_where_lockdown_is_not_told_only_a_machine_without_secure_boot_is_sure_to_take_unsigned_modules(
    enforced: str | None, boot: Reading, refuses: bool | None
) -> None:
    texts = {secure_boot.VARIABLE: boot, **({} if enforced is None else {secure_boot.SIGNATURES: Reading(enforced)})}

    assert secure_boot.signatures_enforced(host_of(texts=texts)) is refuses


def test_a_package_is_known_to_be_missing_only_where_a_list_was_read() -> None:
    known = host_of(packages=(Package("a", "1"), Package("b", "2", state="config-files")), package_lists={"dpkg": None})
    unread = host_of(packages=(), package_lists={"dpkg": "denied", "rpm": "absent"})

    assert [installed_packages.package(known, name) is not None for name in "abc"] == [True, False, False]
    assert [installed_packages.are_known(host) for host in (known, unread)] == [True, False]


@pytest.mark.parametrize(
    ("release", "identity", "manager"),
    [
        ('ID=ubuntu\nID_LIKE=debian\nVERSION_ID="24.04"', "ubuntu", "apt"),
        ('ID=linuxmint\nID_LIKE="ubuntu debian"', "linuxmint", "apt"),
        ('ID="rocky"\nID_LIKE="rhel centos fedora"', "rocky", "dnf"),
        ("ID=cachyos\nID_LIKE=arch", "cachyos", "pacman"),
        ("ID=nixos", "nixos", "nix"),
        ("ID=deepin", "deepin", None),
        ("rubbish", None, None),
    ],
)
def test_the_distribution_decides_the_package_manager(release: str, identity: str | None, manager: str | None) -> None:
    found = distribution(a_host(texts={"/etc/os-release": Reading(release)}))

    assert (found.id, found.manager) == (identity, manager)


def a_node(path: str, *, accessible: bool = True, gid: int = 992) -> DeviceNode:
    return DeviceNode(path, 0o660, 0, gid, 226, 128, accessible, "render")


def test_a_node_opens_as_it_was_tried_and_else_as_its_bits_say() -> None:
    nodes = (a_node("/dev/kfd"), a_node("/dev/dri/renderD128", accessible=False), a_node("/dev/nvidia0"))
    tried = (Opened("/dev/kfd", 22, "EINVAL"), Opened("/dev/dri/renderD128", why_not="asleep"))
    host = a_host(nodes=nodes, system=SystemFacts(opened=tried))

    assert [permissions.opens(host, node.path) for node in nodes] == [False, False, True]
    assert permissions.opens(host, "/dev/nvidia1") is None
    assert [permissions.error_of(host, node.path) for node in nodes] == ["EINVAL", None, None]


def test_a_group_that_was_added_and_is_not_active_yet_is_pending() -> None:
    host = a_host(gids=(1000,), system=SystemFacts(login_groups=(992, 1000), groups=(SystemGroup("render", 992, True),)))

    assert [permissions.group_is_pending(host, gid) for gid in (992, 1000, 44)] == [True, False, False]
    assert permissions.group_is_pending(a_host(), 992) is None


def test_a_map_that_is_not_the_whole_machine_is_a_namespace() -> None:
    rootless = a_host(texts={permissions.UID_MAP: Reading("0 1000 1\n1 100000 65536\n")})
    whole = a_host(texts={permissions.UID_MAP: Reading("         0          0 4294967295\n")})

    assert [permissions.in_user_namespace(host) for host in (rootless, whole, a_host())] == [True, False, None]


def test_a_card_with_one_small_window_has_no_resizable_one() -> None:
    small = a_host(pci=(a_card(bars=(Bar(0, 1, 16 << 20), Bar(2, 1, 256 << 20))),))
    large = a_host(pci=(a_card(bars=(Bar(0, 1, 16 << 20), Bar(2, 0, 16 << 30))),))

    assert [address_windows.is_small(host, "0000:01:00.0") for host in (small, large)] == [True, False]
    assert address_windows.unassigned(large, "0000:01:00.0") == (Bar(2, 0, 16 << 30),)
    assert address_windows.is_small(a_host(pci=(a_card(),)), "0000:01:00.0") is None


def a_unit(*texts: str) -> UnitFiles:
    return UnitFiles("ollama.service", files={f"/etc/{number}": Reading(text) for number, text in enumerate(texts)})


def test_the_last_line_of_a_unit_counts_and_an_empty_one_takes_back() -> None:
    unit = a_unit(
        '[Service]\nUser=a\nDeviceAllow=/dev/kfd rw\nEnvironment="A=1 2" B=3\n',
        "[Service]\nUser=b\nDeviceAllow=\nDeviceAllow=char-drm rw\nEnvironment=B=4\n[Unit]\nUser=c\n",
    )
    user = services.value_in(unit, "User")

    assert user is not None
    assert (user.value, user.path) == ("b", "/etc/1")
    assert [line.value for line in services.values_in(unit, "DeviceAllow")] == ["char-drm rw"]
    assert services.environment_in(unit) == {"A": "1 2", "B": "4"}


def test_a_comment_in_a_unit_sets_nothing() -> None:
    unit = a_unit("[Service]\n# User=a\n;Environment=A=1\nUser=b # not a comment\nnonsense\n")

    assert [(line.name, line.value) for line in services.settings(unit)] == [("User", "b # not a comment")]


def test_servers_are_found_by_their_program() -> None:
    host = host_of(servers=(Standing("process", "7", 7, program="/usr/bin/ollama", command="ollama"),), daemons={"dockerd": 3})

    assert [each.name for each in services.servers(host, "ollama") or ()] == ["7"]
    assert services.servers(host, "vllm") == ()
    assert services.servers(a_host()) is None
    assert [services.runs(host, name) for name in ("dockerd", "nv-fabricmanager")] == [True, False]
    assert services.runs(a_host(), "dockerd") is None


def test_a_tool_that_turned_the_card_off_is_named_by_its_file() -> None:
    files = {"/etc/supergfxd.conf": Reading('{ "mode": "Integrated" }')}
    listings = {"/etc/udev/rules.d": Listing(("50-remove-nvidia.rules", "70-x.rules"))}

    found = turned_off.turned_off(host_of(files=files, listings=listings))

    assert [each.path for each in found] == ["/etc/supergfxd.conf", "/etc/udev/rules.d/50-remove-nvidia.rules"]
    assert turned_off.turned_off(host_of(files={"/etc/supergfxd.conf": Reading('{ "mode": "Hybrid" }')})) == ()


def test_a_dock_that_nobody_authorised_waits() -> None:
    place = "/sys/bus/thunderbolt/devices"
    texts = {f"{place}/0-1/authorized": Reading("0\n"), f"{place}/0-1/device_name": Reading("Core X\n")}

    assert turned_off.waiting_docks(host_of(texts=texts, listings={place: Listing(("0-1", "domain0"))})) == ("Core X",)


def test_a_kernel_whose_modules_an_update_took_is_gone_and_one_in_a_container_is_not() -> None:
    mine, other = KernelModules(KERNEL, (), problem="absent"), KernelModules("6.1.0-19-amd64", ("updates/dkms/nvidia.ko",))

    assert kernel_modules.kernel_is_gone(host_of(modules=(mine, other))) is True
    assert kernel_modules.is_on_disk(host_of(modules=(mine, other)), "nvidia") is False
    assert kernel_modules.kernel_is_gone(host_of(modules=(mine,))) is False
    assert kernel_modules.is_on_disk(host_of(modules=(mine,)), "nvidia") is None


def test_a_description_for_containers_tells_its_nodes_and_versions() -> None:
    written = "kind: nvidia.com/gpu\n- path: /dev/nvidia0\n- path: /dev/nvidiactl\nhostPath: /usr/lib/libcuda.so.550.163.01\n"
    found = container_settings.descriptions(host_of(files={"/etc/cdi/nvidia.yaml": Reading(written)}))

    assert found is not None
    assert (found[0].kind, found[0].nodes) == ("nvidia.com/gpu", ("/dev/nvidia0", "/dev/nvidiactl"))
    assert found[0].versions == ("550.163.01",)
    assert (container_settings.descriptions(host_of(files={})), container_settings.descriptions(a_host())) == ((), None)


def test_the_toolkit_is_known_by_its_programs() -> None:
    assert container_settings.has_toolkit(host_of(programs={"nvidia-ctk": "/usr/bin/nvidia-ctk"})) is True
    assert container_settings.has_toolkit(host_of(programs={})) is False
    assert container_settings.has_toolkit(a_host()) is None


def test_a_process_in_a_container_does_not_share_the_files() -> None:
    mine = {"mnt": "mnt:[1]"}
    here, there = (
        Standing("process", "7", namespaces={"mnt": "mnt:[1]"}),
        Standing("process", "8", namespaces={"mnt": "mnt:[2]"}),
    )

    assert [services.shares_files(mine, each) for each in (here, there, Standing("process", "9"))] == [True, False, None]
    assert services.shares_files(None, here) is None
