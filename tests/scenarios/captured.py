"""The machines that are really captured: wherever this runs, nothing is doubled. What tells this machine from others of
its kind (name, kernel's build, control group, amount of memory, times) is replaced.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from gpuprobe.discovery import gather
from gpuprobe.facts import Reading
from gpuprobe.model import Evidence
from gpuprobe.survey.host import read_host
from tests.scenarios.parts import virtual_computer
from tests.scenarios.staging import ASKED_AT, EVERYTHING, USER, steady

_TEXTS = ("version", "sys/kernel/osrelease", "cpuinfo", "meminfo", "self/cgroup", "devices")
_REPLACED = tuple(f"/proc/{name}" for name in _TEXTS)


def lavapipe_only() -> Evidence:
    """A machine without a GPU on which Mesa is installed. Raises SystemExit where there is a GPU."""
    environ = {"PATH": os.defpath, "LANG": "C.UTF-8"}
    host = read_host(environ=environ)
    if host.pci or not any(Path(each.path).name.startswith("lvp_icd") for each in host.manifests):
        raise SystemExit("lavapipe-only is captured on a machine without a display adapter, with Mesa's Vulkan drivers")
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(environ)
    try:
        asked = gather(host, EVERYTHING)
    finally:
        os.environ.update(before)
    neutral = virtual_computer()
    texts = {path: reading for path, reading in host.texts.items() if "/cpu/" not in path}
    texts.update({path: Reading(neutral[path]) for path in _REPLACED if path in neutral})
    texts.update({path: Reading(None, "absent") for path in _REPLACED if path not in neutral})
    texts["/sys/devices/system/cpu/online"] = Reading(neutral["/sys/devices/system/cpu/online"])
    kernel = neutral["/proc/sys/kernel/osrelease"].strip()
    told = host._replace(
        texts=texts, kernel=kernel, uid=USER, gids=(USER,), cpus_allowed=4, facts={**host.facts, "cpu_count": 4}, links={}
    )
    return Evidence(told, tuple(steady(outcome) for outcome in asked.outcomes), ASKED_AT)


CAPTURED: dict[str, Callable[[], Evidence]] = {"lavapipe-only": lavapipe_only}
