"""What the kernel's files mean, to the last digit: bounds, defaults and what is not taken for an answer."""

from __future__ import annotations

from typing import Any

import pytest

from gpuprobe.facts import Bar, Host, Reading
from gpuprobe.facts.system_facts import (
    KernelLog,
    KernelModules,
    LogLine,
    SystemFacts,
)
from gpuprobe.machine import (
    address_windows,
    asked,
    boot_parameters,
    kernel_log,
    kernel_modules,
)
from gpuprobe.machine.surroundings import operating_system
from gpuprobe.machine.unread import unread, why_no_node
from tests.records import a_card, a_host, with_files

AT = "0000:01:00.0"


def with_facts(**facts: Any) -> Host:
    return a_host(system=SystemFacts(**facts))


def test_a_word_of_modprobe_alone_is_no_directive() -> None:
    files = {
        "/etc/modprobe.d/a.conf": Reading(
            "blacklist\n# blacklist nvidia x\n\nblacklist nvidia\noptions  nvidia-drm  a=1 b=2 \n"
        )
    }
    host = with_facts(files=files)

    assert [tuple(each) for each in kernel_modules.directives(host)] == [
        ("/etc/modprobe.d/a.conf", "blacklist nvidia", "blacklist", "nvidia", ""),
        ("/etc/modprobe.d/a.conf", "options  nvidia-drm  a=1 b=2", "options", "nvidia_drm", "a=1 b=2"),
    ]
    assert kernel_modules.directives(a_host()) == kernel_modules.directives(with_facts()) == ()
    denied = with_facts(files={"/etc/modprobe.d/a.conf": Reading(None, "denied")})
    assert kernel_modules.directives(denied) == ()


def test_of_what_forbids_a_module_the_hardest_is_told() -> None:
    files = {
        "/etc/modprobe.d/a.conf": Reading("blacklist nvidia"),
        "/etc/modprobe.d/b.conf": Reading("install nvidia /bin/false"),
        "/etc/modprobe.d/c.conf": Reading("install nvidia /bin/true\nalias nvidia other"),
    }

    found = kernel_modules.forbidden(with_facts(files=files), "nvidia")

    assert found == ("/etc/modprobe.d/b.conf", "install nvidia /bin/false", True)
    assert kernel_modules.forbidden(with_facts(files=files), "nouveau") is None


def test_without_a_kernel_s_modules_nothing_of_them_is_known() -> None:
    for host in (a_host(), with_facts(), with_facts(modules=(KernelModules("other", ("nvidia.ko",)),))):
        assert kernel_modules.headers(host) is None
        assert kernel_modules.files_of(host, "nvidia") is None
        assert kernel_modules.is_on_disk(host, "nvidia") is None
        assert kernel_modules.kernel_is_gone(host) is None
        assert kernel_modules.modules_for(host, AT) is None
        assert kernel_modules.dkms(host, "nvidia") is None
        assert kernel_modules.dkms_lacks_this_kernel(host, "nvidia") is None
        assert kernel_modules.version_loaded(host, "nvidia") is None
        assert kernel_modules.parameter(host, "nvidia", "x") is None
    assert kernel_modules.other_kernels_with(a_host(), "nvidia") == ()
    mine = with_facts(
        modules=(KernelModules(a_host().kernel, ("extra/nvidia.ko.xz", "nvidia-drm.ko"), None, "there"),),
        claims={AT: ("nvidia",)},
    )
    assert kernel_modules.files_of(mine, "nvidia") == (f"/lib/modules/{a_host().kernel}/extra/nvidia.ko.xz",)
    assert kernel_modules.files_of(mine, "nouveau") == ()
    assert (kernel_modules.headers(mine), kernel_modules.modules_for(mine, AT)) == ("there", ("nvidia",))
    assert kernel_modules.other_kernels_with(mine, "nvidia") == ()


def test_the_command_line_is_unknown_where_it_could_not_be_read() -> None:
    denied = a_host(texts={"/proc/cmdline": Reading(None, "denied")})
    known = with_files({"/proc/cmdline": "quiet modprobe.blacklist=a-b nvidia-drm.x=1 nvidia-drm nouveau.modeset=0"})

    assert [boot_parameters.is_known(host) for host in (a_host(), denied, known)] == [False, False, True]
    assert [boot_parameters.has_word(host, "quiet") for host in (a_host(), denied, known)] == [None, None, True]
    assert [boot_parameters.value_of(known, name) for name in ("quiet", "nvidia_drm.x", "x")] == ["", "1", None]
    assert boot_parameters.values_of(known, "nouveau.") == {"modeset": "0"}
    assert boot_parameters.values_of(known, "modprobe.blacklist") == {"": "a-b"}
    assert boot_parameters.values_of(known, "nvidia-drm") == {"": ""}


def a_log(*messages: str, whole: bool = True, source: str | None = "dmesg") -> Host:
    lines = tuple(LogLine(at=float(number), message=message) for number, message in enumerate(messages))
    return with_facts(log=KernelLog(source=source, lines=lines, is_whole=whole))


def test_what_the_kernel_does_not_say_is_known_where_its_log_is_whole() -> None:
    host = a_log("NVRM: x", "PM: suspend exit", "PM: hibernation exit", "last")

    assert (kernel_log.says(host, "nvrm"), kernel_log.says(host, "amdgpu")) == (True, False)
    assert kernel_log.says(a_log("x", whole=False), "amdgpu") is None
    assert kernel_log.says(a_log("x", source=None), "x") is None
    assert kernel_log.says(a_host(), "x") is None
    assert (kernel_log.resumed_at(host), kernel_log.resumed_at(a_log("x")), kernel_log.resumed_at(a_host())) == (
        2.0,
        None,
        None,
    )
    found = kernel_log.first(host, "pm:")
    assert found is not None and found.at == 1.0
    assert kernel_log.first(host, "amdgpu") is None


def test_a_fault_is_of_the_card_at_its_address() -> None:
    host = a_log("NVRM: Xid (PCI:0000:01:00): 79, GPU has fallen off the bus.", "NVRM: Xid (PCI:0000:02:00): 31, x", "other")

    assert [(each.number, each.address) for each in kernel_log.xids(host)] == [(79, "0000:01:00"), (31, "0000:02:00")]
    assert [each.number for each in kernel_log.xids(host, "0000:02:00.0")] == [31]
    assert [each.at for each in kernel_log.lines_of(host, "0000:02:00.0")] == [1.0]


def test_a_window_of_256_mib_is_small_and_a_larger_one_is_not() -> None:
    def small(*bars: Bar) -> bool | None:
        return address_windows.is_small(a_host(pci=(a_card(bars=bars),)), AT)

    assert [small(Bar(0, 1, 256 << 20)), small(Bar(0, 1, (256 << 20) + 1)), small()] == [True, False, None]
    assert address_windows.unassigned(a_host(pci=(a_card(bars=(Bar(0, 1, 5),)),)), AT) == ()
    assert address_windows.unassigned(a_host(), AT) is None
    assert address_windows.largest_bar(a_host(pci=(a_card(bars=(Bar(0, 1, 5), Bar(1, 1, 7))),)), AT) == 7
    assert address_windows.bars(a_host(pci=(a_card(), a_card("0000:02:00.0", bars=(Bar(0, 1, 5),)))), "0000:02:00.0") == (
        Bar(0, 1, 5),
    )


@pytest.mark.parametrize(
    ("host", "name"),
    [
        (a_host(platform="win32", facts={"windows_build": 22000}), "Windows 11 (build 22000)"),
        (a_host(platform="win32", facts={"windows_build": 21999}), "Windows 10 (build 21999)"),
        (a_host(platform="win32"), "Windows"),
        (a_host(platform="darwin"), "macOS"),
        (with_files({"/etc/os-release": 'NAME="X"\nno'}), "X"),
        (a_host(), None),
    ],
)
def test_a_system_is_called_as_people_call_it(host: Host, name: str | None) -> None:
    assert operating_system(host) == name


def test_a_directory_that_could_not_be_listed_is_named_with_what_is_therefore_not_known() -> None:
    host = a_host(
        facts={"pci_problem": "denied", "drm_problem": "absent", "dev_problem": "error: EIO", "proc_problem": "absent"}
    )

    assert [each.sentence for each in unread(host)] == [
        "`/sys/bus/pci/devices` cannot be listed by this user: which cards are on the PCI bus is not known",
        "`/dev` could not be listed (error: EIO): which device nodes there are is not known",
        "`/proc/self` is not there: what kind of machine and container this is, is not known",
    ]
    assert [each.place for each in unread(a_host(facts={"sys_problem": "denied", "pci_problem": "denied"}))] == ["/sys/bus"]
    assert unread(a_host()) == ()
    assert why_no_node(host, "/dev/kfd") == (
        "`/dev` could not be listed (error: EIO), so it is not known whether `/dev/kfd` exists"
    )
    assert why_no_node(host, "/other") is None
    assert why_no_node(a_host(facts={"dri_problem": "denied"}), "/dev/kfd") is None
    assert why_no_node(a_host(facts={"pci_problem": "denied"}), "/sys/bus/pci/devices/x") is None


@pytest.mark.parametrize(
    ("text", "number"), [("9" * 20, int("9" * 20)), ("9" * 21, None), ("-5", -5), ("--5", None), ("٣", None), ("-", None)]
)
def test_a_file_with_one_number_has_it_in_twenty_digits(text: str, number: int | None) -> None:
    assert asked.number(with_files({"/a": text}), "/a") == number
    assert asked.number(a_host(), "/a") is None


def test_a_file_is_there_as_far_as_anybody_could_tell() -> None:
    host = a_host(texts={"/a": Reading(None, "error: EIO"), "/b": Reading(None, "denied")})

    assert [asked.is_there(host, path) for path in ("/a", "/b", "/c")] == [None, True, None]
    assert [asked.has_program(each, "dracut") for each in (a_host(), with_facts(programs={"dracut": "/x"}))] == [None, True]
    assert asked.has_program(with_facts(programs={}), "dracut") is False
    assert asked.names_in(with_facts(), "/a") is None
