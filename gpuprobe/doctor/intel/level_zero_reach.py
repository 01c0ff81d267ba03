"""Why Level Zero does not show an Intel card: Resizable BAR, its driver library, a chip that it dropped, an old release."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

from gpuprobe.doctor import installing
from gpuprobe.doctor.findings import Finding, Observed, Rung, Severity, Step
from gpuprobe.doctor.naming import cause
from gpuprobe.doctor.situation import Situation
from gpuprobe.doctor.ways import answers, weight_if_lost
from gpuprobe.facts import FoundLibrary, Host
from gpuprobe.libraries import LEVEL_ZERO
from gpuprobe.machine import intel
from gpuprobe.machine.address_windows import is_small, largest_bar
from gpuprobe.machine.permissions import opens
from gpuprobe.model import Status
from gpuprobe.strings import size_text
from gpuprobe.vendors import INTEL

_GPU, _LEGACY = "libze_intel_gpu.so.1", "libze_intel_gpu_legacy1.so.1"
_UNINITIALIZED = 0x78000001
# The runtime itself, on its standard error (intel/compute-runtime#933).
_SAID = re.compile(r"Resizable BAR not detected for device ([0-9a-fA-F:.]{7,16})")
_XE = "xe"
# Compute runtime 24.35.30872, the last that drives Gen8 to Gen11; `libze_intel_gpu.so.1.6.30872` is called by that number.
_LAST_FOR_OLD = 30872
# The first that drives cards through `xe` without a switch (compute-runtime's releases, 24.22.29735).
_FIRST_FOR_XE = 29735
# Broadwell; Skylake, Apollo Lake, Kaby Lake, Gemini Lake, Coffee Lake, Comet Lake; Ice Lake, Elkhart Lake, Jasper Lake.
_OLD_CHIPS = (
    *(range(0x1602, 0x1640), range(0x1902, 0x1940), range(0x5902, 0x5928), range(0x3E90, 0x3EAA), range(0x9B21, 0x9BF7)),
    *(range(0x5A84, 0x5A86), range(0x3184, 0x3186), range(0x87C0, 0x87CB), range(0x8A50, 0x8A72)),
    *(range(0x4541, 0x4572), range(0x4E51, 0x4E72)),
)

_library = partial(cause, rung=Rung.LIBRARY, library=LEVEL_ZERO)


def small_window(situation: Situation) -> Iterator[Finding]:
    """The runtime refuses a discrete card whose memory it sees through a window of 256 MiB under `xe`."""
    severity, host, address = _weight(situation), situation.host, situation.card.pci_id or ""
    said = _warning(situation)
    memory = _memory(situation)
    small = situation.card.driver == _XE and memory is not None and is_small(host, address) is True
    if severity is None or not (said or small) or is_small(host, address) is False:
        return
    size, window = memory, largest_bar(host, address)
    figures = f" (its window is {size_text(window)} of {size_text(size)})" if window and size else ""
    switch = "switch on Above 4G Decoding and Resizable BAR in the machine's firmware (BIOS setup)"
    evidence = [Observed("standard error of Level Zero", said)] if said else []
    evidence += [Observed(f"/sys/bus/pci/devices/{address}/resource", f"largest window {window}")] if window else []
    yield _library(
        "intel-small-bar",
        severity=severity,
        because=f"Intel's compute runtime refuses this card because Resizable BAR is off{figures}",
        brief="Resizable BAR is off",
        reason=Status.NO_DEVICES,
        evidence=tuple(evidence),
        fix=(Step(switch), *_vulkan(situation, "Vulkan works without it")),
    )


def _warning(situation: Situation) -> str | None:
    """What the runtime said of this card; a spelling of the address may lack the domain."""
    lines = (line for each in answers(situation, LEVEL_ZERO) for line in each.stderr.splitlines())
    for line in lines:
        found = _SAID.search(line)
        if found is not None and (situation.card.pci_id or "").endswith(found[1].lower()):
            return line.strip()
    return None


def _memory(situation: Situation) -> int | None:
    views = (each for each in intel.views(situation.host) if each.pci_id == situation.card.pci_id)
    return next((each.total_memory for each in views), None)


def driver_library_missing(situation: Situation) -> Iterator[Finding]:
    """The loader is there, and none of the libraries that it would load for a GPU."""
    severity = _weight(situation)
    if severity is None or _driver_library(situation.host) is not None or _is_old(situation):
        return
    yield _library(
        "intel-l0-driver-missing",
        severity=severity,
        because=f"Level Zero's loader is installed and the driver library for Intel's GPUs (`{_GPU}`) is not",
        brief=f"`{_GPU}` is not installed",
        reason=Status.NO_DEVICES,
        evidence=(Observed(_GPU, "not found"), Observed(LEVEL_ZERO.sonames["linux"][0], "found")),
        fix=(installing.library(situation.host, LEVEL_ZERO),),
    )


def chip_dropped(situation: Situation) -> Iterator[Finding]:
    """Graphics before Tiger Lake: today's runtime leaves them to a legacy branch, under a name of its own."""
    severity, found = _weight(situation), _driver_library(situation.host)
    release = _release(found)
    legacy = any(each.name == _LEGACY for each in situation.host.libraries)
    if severity is None or not _is_old(situation) or legacy or (release is not None and release <= _LAST_FOR_OLD):
        return
    if found is not None and release is None:
        return
    there = f"the compute runtime {release} that is installed" if release else "today's compute runtime"
    last = "install the runtime's legacy packages, release 24.35.30872 (`intel-level-zero-gpu-legacy1`)"
    yield _library(
        "intel-platform-legacy",
        severity=severity,
        because=f"{there} starts with Tiger Lake, and these graphics are older",
        brief="the compute runtime dropped this chip",
        reason=Status.NO_DEVICES,
        evidence=(Observed(_GPU, found.real_path if found else "not found"), _device(situation)),
        fix=(Step(last), *_vulkan(situation, "or use Vulkan")),
    )


def runtime_before_xe(situation: Situation) -> Iterator[Finding]:
    found = _driver_library(situation.host)
    severity, release = _weight(situation), _release(found)
    if severity is None or situation.card.driver != _XE or release is None or release >= _FIRST_FOR_XE or found is None:
        return
    newer = installing.library(situation.host, LEVEL_ZERO)
    yield _library(
        "intel-xe-runtime-mismatch",
        severity=severity,
        because=f"the kernel drives it with `xe`, which the installed compute runtime ({release}) is too old for",
        brief="the compute runtime is too old for `xe`",
        reason=Status.NO_DEVICES,
        evidence=(Observed(_GPU, found.real_path), Observed("kernel driver", _XE)),
        fix=(newer._replace(text=newer.text.replace("install ", "install a newer release of ", 1)),),
        settle="NEOReadDebugKeys=1 PrintDebugMessages=1 gpuprobe list --library level-zero -v",
    )


def _weight(situation: Situation) -> Severity | None:
    """Only where Level Zero's own word is that it has nothing, and nothing lower explains that."""
    card, host = situation.card, situation.host
    silent = any(each.code == _UNINITIALIZED or each.status is Status.NO_DEVICES for each in answers(situation, LEVEL_ZERO))
    reachable = card.driver in INTEL.drivers and card.render_node is not None and opens(host, card.render_node) is not False
    hidden = any(name in host.environ for name in LEVEL_ZERO.filters)
    return weight_if_lost(situation, LEVEL_ZERO) if silent and reachable and not hidden else None


def _driver_library(host: Host) -> FoundLibrary | None:
    """Where its own loader would find it."""
    return next((each for each in host.libraries if each.name in (_GPU, _LEGACY) and each.where != "known place"), None)


def _release(found: FoundLibrary | None) -> int | None:
    """`libze_intel_gpu.so.1.15.38646` is build 38646."""
    said = re.search(r"\.so\.[0-9]{1,3}\.[0-9]{1,3}\.([0-9]{4,6})$", found.real_path) if found else None
    return int(said[1]) if said else None


def _is_old(situation: Situation) -> bool:
    device = situation.card.device_id
    return device is not None and any(device in chips for chips in _OLD_CHIPS)


def _device(situation: Situation) -> Observed:
    return Observed(f"/sys/bus/pci/devices/{situation.card.pci_id}/device", f"{situation.card.device_id or 0:04x}")


def _vulkan(situation: Situation, words: str) -> tuple[Step, ...]:
    if situation.kept:
        return ()
    step = installing.vulkan_driver(situation.host, INTEL)
    return (step._replace(text=f"{words}: {step.text}"),)


CHECKS = (small_window, chip_dropped, driver_library_missing, runtime_before_xe)
