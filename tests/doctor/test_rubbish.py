"""Whatever stands in files, logs and drivers' words: no check ends in an error, or is certain of what it could not read."""

from __future__ import annotations

import random

import pytest

from gpuprobe.doctor.findings import Certainty
from gpuprobe.facts import Host, Manifest, Reading
from gpuprobe.facts.system_facts import DkmsModule, DriverLibrary, Opened, Package, Standing
from tests.doctor.sick_machines import (
    KFD,
    RENDER,
    findings,
    knowing,
    level_zero_finds_nothing,
    of_the_machine,
    rocm_finds_nothing,
    said,
    vulkan_fails,
    with_arc,
    with_radeon,
)

PIECES = (
    *("", "\0", "\n\n", "0", "-1", "9" * 400, "[" * 9000, "é\udc80", "gfx", "gfx1031", "10.3.0"),
    *("{", '{"ICD": []}', '{"ICD": {"library_path": 7}}', "nomodeset", "blacklist amdgpu"),
    *("BAR 0: no space for", "PCI rejects atomics 1<", "GuC firmware fetch failed"),
    *("kfd kfd: skipped device 1002:744c, PCI rejects atomics", "Resizable BAR not detected for device 0000:03:00.0"),
)


def rubbish(seed: int) -> str:
    draw = random.Random(seed)
    return draw.choice((" ", "\n", "")).join(draw.choice(PIECES) for _ in range(draw.randint(0, 5)))


def spoiled(host: Host, seed: int) -> Host:
    """Every text of the machine, and what only a diagnosis reads, replaced by pieces of what they may hold."""
    texts = {path: Reading(rubbish(seed + place)) for place, path in enumerate(host.texts)}
    known = {name: rubbish(seed + place) for place, name in enumerate(("HSA_OVERRIDE_GFX_VERSION", "ONEAPI_DEVICE_SELECTOR"))}
    return knowing(
        host._replace(
            texts={**texts, "/proc/cmdline": Reading(rubbish(seed)), "/.flatpak-info": Reading(rubbish(seed))},
            environ=known,
            manifests=(Manifest("/etc/vulkan/icd.d/x.json", Reading(rubbish(seed + 1))),),
        ),
        log=said(rubbish(seed), rubbish(seed + 2)),
        opened=(Opened(KFD, seed % 40, rubbish(seed)), Opened(RENDER, None, None, "asleep")),
        files={"/etc/modprobe.d/x.conf": Reading(rubbish(seed + 3))},
        dkms=(DkmsModule("amdgpu", rubbish(seed), (), Reading(rubbish(seed))),),
        packages=(Package("ollama", rubbish(seed)), Package("linux-firmware", rubbish(seed))),
        driver_libraries=(DriverLibrary("/etc/vulkan/icd.d/x.json", rubbish(seed), None, None, None),),
        servers=(Standing("process", "1", uid=7, groups=(), environ={rubbish(seed): rubbish(seed)}),),
    )


@pytest.mark.parametrize("seed", range(60))
def test_rubbish_ends_in_findings_or_none_and_never_in_an_error(seed: int) -> None:
    for host in (with_radeon(), with_arc()):
        sick, words = spoiled(host, seed), rubbish(seed)
        outcomes = (rocm_finds_nothing(seed), level_zero_finds_nothing(words), vulkan_fails(-seed, words))

        found = (*findings(sick, *outcomes), *of_the_machine(sick, *outcomes))

        assert all(each.because and each.brief for each in found)


@pytest.mark.parametrize("problem", ["denied", "error: input/output error"])
def test_what_could_not_be_read_makes_nobody_certain(problem: str) -> None:
    """Every text of the machine is there and unreadable, and nothing else is known."""
    for host in (with_radeon(), with_arc()):
        unread = host._replace(
            texts=dict.fromkeys(host.texts, Reading(None, problem)), facts={"dev_problem": problem}, nodes=()
        )

        found = findings(unread, rocm_finds_nothing(), level_zero_finds_nothing(), vulkan_fails())

        told = {each.id for each in found if each.certainty is Certainty.CERTAIN and not each.generic}
        assert told <= {"intel-l0-driver-missing"}  # by the linker's cache, which was read
