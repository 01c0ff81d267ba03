"""The kernel's log as evidence: which lines are kept, how far back it goes, and what becomes of one that cannot be read."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gpuprobe.facts.system_facts import KernelLog, LogLine, SystemFacts
from gpuprobe.machine import kernel_log
from gpuprobe.survey import bounded_child, kernel_messages
from gpuprobe.survey.kernel_messages import kernel_log as read_log
from gpuprobe.survey.tree import Tree
from tests.closing import closing_fails
from tests.file_trees import machine
from tests.records import a_host

BUFFER = (
    "6,0,0,-;Linux version 6.8.0 (builder@example) #1 SMP\n"
    "6,1,12,-;Command line: root=UUID=1234 quiet\n"
    "6,400,4100000,-;usb 1-1: new device\n"
    "4,401,4200000,-;NVRM: loading NVIDIA UNIX Open Kernel Module  580.95.05\n"
    " SUBSYSTEM=pci\n"
    "3,402,5000000,-;NVRM: GPU 0000:01:00.0: RmInitAdapter failed! (0x62:0x1f:2477)\n"
    "3,403,6000000,-;NVRM: GPU 0000:01:00.0: RmInitAdapter failed! (0x62:0x40:2477)\n"
    "4,404,90000000,-;NVRM: Xid (PCI:0000:01:00): 79, pid=4711, name=ollama, GPU has fallen off the bus.\n"
    "4,405,99000000,-;NVRM: Xid (PCI:0000:01:00): 79, pid=4712, name=ollama, GPU has fallen off the bus.\n"
)


def read(tmp_path: Path, **files: str | bytes) -> KernelLog:
    paths = {"kmsg": "/dev/kmsg", "kern": "/var/log/kern.log", "boot": "/var/log/dmesg"}
    return read_log(Tree(machine(tmp_path, {paths[name]: content for name, content in files.items()})), ("0000:01:00.0",))


def host_with(*lines: LogLine, **more: object) -> object:
    return a_host(system=SystemFacts(log=KernelLog("/dev/kmsg", lines, **more)))  # type: ignore[arg-type]


@pytest.mark.skipif(sys.platform != "linux", reason="by the links of /proc")
def test_a_buffer_that_cannot_be_closed_is_a_reason(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    closing_fails(monkeypatch, "/dev/kmsg")

    log = read(tmp_path, kmsg=BUFFER)

    assert log.source is None
    assert dict(log.problems)["/dev/kmsg"] == "error: Interrupted system call"


def test_the_buffer_gives_the_lines_about_gpus_from_its_top(tmp_path: Path) -> None:
    log = read(tmp_path, kmsg=BUFFER)

    assert (log.source, log.is_whole) == ("/dev/kmsg", True)
    assert [line.message.split(" ")[1] for line in log.lines] == ["loading", "GPU", "GPU", "Xid"]
    assert log.lines[0].at == 4.2


def test_two_faults_that_differ_in_their_codes_are_two_lines(tmp_path: Path) -> None:
    log = read(tmp_path, kmsg=BUFFER)

    assert [line.message for line in log.lines if "RmInit" in line.message] == [
        "NVRM: GPU 0000:01:00.0: RmInitAdapter failed! (0x62:0x1f:2477)",
        "NVRM: GPU 0000:01:00.0: RmInitAdapter failed! (0x62:0x40:2477)",
    ]


def test_what_differs_in_its_process_alone_is_counted(tmp_path: Path) -> None:
    last = read(tmp_path, kmsg=BUFFER).lines[-1]

    assert (last.times, last.at, last.last) == (2, 90.0, 99.0)


def test_neither_the_builder_nor_the_command_line_is_kept(tmp_path: Path) -> None:
    said = str(read(tmp_path, kmsg=BUFFER))

    assert "builder" not in said
    assert "UUID" not in said


def test_a_buffer_that_forgot_its_beginning_gives_way_to_a_log_that_did_not(tmp_path: Path) -> None:
    kern = (
        "Nov 28 09:00:01 box kernel: [    0.000000] Linux version 6.8.0\n"
        "Nov 28 09:00:02 box kernel: [    1.000000] amdgpu 0000:03:00.0: of the start before\n"
        "2026-11-29T09:00:01.123+00:00 box kernel: Linux version 6.8.0\n"
        "Nov 29 09:00:02 box ollama[4]: amdgpu is what a daemon speaks of\n"
        "Nov 29 09:00:02 box kernel: [    5.500000] amdgpu 0000:03:00.0: Fatal error during GPU init\n"
    )

    log = read(tmp_path, kmsg="4,90000,990000000,-;amdgpu 0000:03:00.0: the last words\n", kern=kern)

    assert (log.source, log.is_whole) == ("/var/log/kern.log", True)
    assert log.lines == (LogLine("amdgpu 0000:03:00.0: Fatal error during GPU init", 5.5),)


def test_where_no_other_log_is_there_the_rest_of_the_buffer_counts_and_is_not_whole(tmp_path: Path) -> None:
    log = read(tmp_path, kmsg="4,90000,990000000,-;amdgpu 0000:03:00.0: the last words\n")

    assert (log.source, log.is_whole) == ("/dev/kmsg", False)
    assert log.problems["/var/log/kern.log"] == "absent"


def test_a_machine_without_any_log_says_where_it_was_looked_for(tmp_path: Path) -> None:
    log = read(tmp_path)

    assert (log.source, log.lines) == (None, ())
    assert set(log.problems.values()) == {"absent"}


def test_of_very_many_lines_the_first_are_kept_and_the_log_is_not_whole(tmp_path: Path) -> None:
    words = (f"word{chr(97 + number % 26)}{chr(97 + number // 26 % 26)}{chr(97 + number // 676)}" for number in range(3000))
    lines = "".join(f"4,{number},{number},-;NVRM: failed {word}\n" for number, word in enumerate(words))

    log = read(tmp_path, kmsg=lines)

    assert len(log.lines) == 400
    assert log.lines[0].message.endswith("wordaaa")
    assert not log.is_whole


@given(st.binary(max_size=3000), st.binary(max_size=3000))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_rubbish_whatever_is_an_error_of_ours(tmp_path_factory: pytest.TempPathFactory, kmsg: bytes, kern: bytes) -> None:
    log = read(tmp_path_factory.mktemp("log"), kmsg=b"4,0,1,-;NVRM: " + kmsg, kern=kern)

    assert all(len(line.message) <= 512 for line in log.lines)


def test_a_line_of_a_mebibyte_is_cut(tmp_path: Path) -> None:
    log = read(tmp_path, boot="[    1.5] nvidia: " + "kernel: 0x" * 100_000)

    assert [len(line.message) for line in log.lines] == [512]


def test_a_log_says_no_only_where_it_is_whole_and_none_where_nobody_could_look() -> None:
    line = LogLine("kfd kfd: skipped device 1002:744c, PCI rejects atomics", 4.0)

    assert kernel_log.says(host_with(line), "rejects atomics") is True  # type: ignore[arg-type]
    assert kernel_log.says(host_with(line), "Small BAR") is None  # type: ignore[arg-type]
    assert kernel_log.says(host_with(line, is_whole=True), "Small BAR") is False  # type: ignore[arg-type]
    assert kernel_log.says(a_host(), "Small BAR") is None
    denied = a_host(system=SystemFacts(log=KernelLog(problems={"/dev/kmsg": "denied", "/var/log/dmesg": "absent"})))
    assert kernel_log.says(denied, "x") is None


def test_xids_are_told_apart_by_card() -> None:
    lost = LogLine("NVRM: Xid (PCI:0000:41:00): 79, pid='<unknown>', name=<unknown>, GPU has fallen off the bus.", 9.0)
    gsp = LogLine("NVRM: Xid (PCI:0000:81:00): 119, Timeout after 6s of waiting for RPC response", 10.0)
    host = host_with(lost, gsp)

    assert [xid.number for xid in kernel_log.xids(host, "0000:41:00.0")] == [79]  # type: ignore[arg-type]
    assert [xid.number for xid in kernel_log.xids(host)] == [79, 119]  # type: ignore[arg-type]


def test_the_last_sleep_is_the_one_that_counts() -> None:
    host = host_with(LogLine("PM: suspend entry (deep)", 40.0), LogLine("PM: suspend exit", 50.0, times=3, last=900.0))

    assert kernel_log.resumed_at(host) == 900.0  # type: ignore[arg-type]


def test_a_program_that_does_not_end_is_ended_and_said_to_be_cut() -> None:
    said = bounded_child.said_by([sys.executable, "-c", "print('x', flush=True); import time; time.sleep(60)"], {}, 0.8, 1000)

    assert isinstance(said, bounded_child.Said)
    assert (said.output, said.was_cut) == ("x\n", True)


def test_a_program_that_says_too_much_is_ended() -> None:
    said = bounded_child.said_by([sys.executable, "-c", "while True: print('x' * 4000)"], {}, 30, 200_000)

    assert isinstance(said, bounded_child.Said)
    assert said.was_cut


def test_a_program_that_is_not_there_is_a_clause() -> None:
    assert bounded_child.said_by(["/nonexistent"], {}, 1, 10) == "error: No such file or directory"


def a_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    program = tmp_path / "journalctl"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setattr(bounded_child, "_JOURNALCTL", (str(program),))
    monkeypatch.setattr(kernel_messages, "KMSG", str(tmp_path / "no-buffer"))


@pytest.mark.parametrize(
    "message",
    [
        "pci 0000:01:00.0: BAR 1 [mem size 0x400000000 64bit pref]: can't assign; no space",
        "pci 0000:01:00.0: Refused to change power state from D0 to D3hot",
        "NVRM: This PCI I/O region assigned to your NVIDIA device is invalid:",
        "nvidia 0000:01:00.0: Unable to change power state from D3cold to D0, device inaccessible",
        "kfd kfd: amdgpu: skipped device 1002:67df, PCI rejects atomics 494<509",
        "amdgpu 0000:03:00.0: Direct firmware load for amdgpu/gc_11_0_0_mes.bin failed with error -2",
        "i915 0000:00:02.0: Your graphics device 7d55 is not properly supported by i915 in this kernel version",
        "xe 0000:03:00.0: [drm] Small BAR device",
        "misc dxg: dxgk: dxgkio_query_adapter_info: Ioctl failed: -22",
        "nvidia: module verification failed: signature and/or required key missing - tainting kernel",
        "Loading of module with unavailable key is rejected",
        "Loading of unsigned module is rejected",
        "Lockdown: modprobe: unsigned module loading is restricted; see man kernel_lockdown.7",
        "nvidia-uvm: uvm_pmm_gpu.c:3446 devmem_alloc_pagemap[pid:91] request_free_mem_region() err -34",
        "NVRM: The NVIDIA probe routine was not called for 1 device(s).",
        "NVRM: API mismatch: the client has the version 580.95.05, but this kernel module has the version 580.82.07",
        "pcieport 0000:00:1c.0: AER: Multiple Uncorrected (Fatal) error message received from 0000:00:1c.0",
        "Memory cgroup out of memory: Killed process 1234 (ollama) total-vm:1kB",
        "PM: suspend exit",
        "You have booted with nomodeset. This means your GPU drivers are DISABLED",
        'audit: type=1400 audit(1.2:3): apparmor="DENIED" operation="open" name="/dev/nvidiactl"',
        "[drm:amdgpu_job_timedout [amdgpu]] *ERROR* ring gfx_0.0.0 timeout",
    ],
)
def test_what_the_catalogue_looks_for_is_kept_and_counts_as_trouble(tmp_path: Path, message: str) -> None:
    ordinary = "".join(
        f"6,{number},{number},-;amdgpu: {'x' * (number % 200)}{chr(97 + number // 200)}\n" for number in range(800)
    )

    log = read(tmp_path, kmsg=f"{ordinary}4,900,5000000,-;{message}\n")

    assert log.lines[-1] == LogLine(message, 5.0)


def test_the_journal_is_read_where_the_buffer_may_not_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a_journal(
        tmp_path,
        monkeypatch,
        "echo '-- Boot 1 --'; echo '[    0.000000] box kernel: Linux version 6.8'\n"
        "echo '[    7.250000] box kernel: kfd kfd: amdgpu: x'",
    )

    log = read_log(Tree())

    assert (log.source, log.is_whole) == ("journalctl -k -b", True)
    assert log.lines == (LogLine("kfd kfd: amdgpu: x", 7.25),)


def test_a_journal_that_hides_the_system_s_lines_is_denied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a_journal(
        tmp_path,
        monkeypatch,
        "echo 'Hint: You are currently not seeing messages from other users' >&2; echo '-- No entries --'",
    )

    assert read_log(Tree()).problems["journalctl -k -b"] == "denied"


def test_a_journal_without_entries_is_empty_and_not_denied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a_journal(tmp_path, monkeypatch, "echo '-- No entries --'")

    assert read_log(Tree()).problems["journalctl -k -b"] == "empty"
