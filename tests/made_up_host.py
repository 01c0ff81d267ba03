"""The road below the command, on a host that this machine is not: `python -m tests.made_up_host mac|amd list|validate SECONDS`.

Real children are started; what came of them is printed as JSON. FAKE_FRAMEWORK names the double of Metal.
"""

from __future__ import annotations

import json
import os
import sys

from gpuprobe.discovery import gather
from gpuprobe.facts import FoundLibrary, Host
from gpuprobe.judging.rules import judge
from gpuprobe.libraries import METAL
from gpuprobe.model import Request, StageName, ValidationScope
from gpuprobe.survey.host import read_host
from tests.records import AMD, a_card, a_host

BINDINGS = os.path.join(os.path.dirname(__file__), "drivers", "dist-packages")


def _mac() -> Host:
    (name,), framework = METAL.sonames["darwin"], os.environ["FAKE_FRAMEWORK"]
    found = FoundLibrary(name, framework, framework, "known place")
    facts = {"machdep.cpu.brand_string": "Apple M3 Max"}
    return a_host(platform="darwin", machine="arm64", libraries=(found,), facts=facts)


def _amd() -> Host:
    """This machine with a card of AMD's, which is what the module is asked for."""
    sys.path.insert(0, BINDINGS)
    return read_host(software=False)._replace(pci=(a_card("0000:05:00.0", vendor=AMD, device=0x744C, driver="amdgpu"),))


def main(machine: str, what: str, seconds: float) -> None:
    host = _mac() if machine == "mac" else _amd()
    libraries = ("Metal",) if machine == "mac" else ("ROCm", "AMDGPU", "Vulkan", "Level Zero")
    scope = ValidationScope.PROVED if what == "validate" else ValidationScope.NEEDED
    until = StageName.KERNEL if what == "validate" else None
    request = Request(libraries=libraries, validate=scope, until=until, seconds=seconds)
    evidence = gather(host, request)
    outcomes = [(outcome.probe, outcome.status) for outcome in evidence.outcomes]
    probes = [{"library": probe.library, "build": probe.build, "status": status.value} for probe, status in outcomes]
    kept = judge(evidence, request).kept
    devices = [{"library": device.library, "id": device.id, "name": device.name} for device in kept]
    sys.stdout.write(json.dumps({"devices": devices, "probes": probes}))


if __name__ == "__main__":
    try:
        main(sys.argv[1], sys.argv[2], float(sys.argv[3]))
    except KeyboardInterrupt:  # as the command above it answers; that nothing is left is for the road below
        sys.exit(130)
