"""Prints what it costs to judge and document so many cards in so many builds: CPU seconds and bytes, as JSON."""

import json
import sys
import time
import tracemalloc

from gpuprobe.command.listing import document, headline, part_of
from gpuprobe.facts import FoundBuild, PciFunction
from gpuprobe.judging.rules import judge
from gpuprobe.model import Depth, Device, DeviceType, Evidence, Outcome, Probe, Purpose, Request, Status
from tests.records import a_host

GiB = 1 << 30
ROUNDS = 3


def main() -> None:
    cards, builds = int(sys.argv[1]), int(sys.argv[2])
    answered(machine(cards, builds))  # what is imported and kept by the first answer is no cost of a card
    seconds = []
    for _ in range(ROUNDS):
        evidence = machine(cards, builds)
        began = time.process_time()
        answered(evidence)
        seconds.append(time.process_time() - began)
    evidence = machine(cards, builds)
    tracemalloc.start()
    answered(evidence)
    sys.stdout.write(json.dumps({"seconds": min(seconds), "bytes": tracemalloc.get_traced_memory()[1]}))


def answered(evidence: Evidence) -> str:
    inventory = judge(evidence, Request())
    part = part_of(inventory, None)
    return json.dumps(document(inventory, part, *headline(inventory, part, False, None)))


def machine(cards: int, builds: int) -> Evidence:
    """Each card is listed by CUDA, NVML, Vulkan and every build, and validated through CUDA."""
    names = [f"cuda_v{number}" for number in range(builds)]
    found = [FoundBuild(name, "CUDA", f"/x/{name}/libggml-cuda.so", (), (), "Ollama", product="ollama") for name in names]
    functions = [PciFunction(place(card), vendor=0x10DE, device=0x2684, class_code=0x30200) for card in range(cards)]
    outcomes = [
        listing("CUDA", cards, type=DeviceType.DISCRETE),
        listing("NVML", cards, used_memory=GiB),
        listing("Vulkan", cards, type=DeviceType.DISCRETE),
        *(listing("CUDA", cards, build=name) for name in names),
        *(validation(device) for device in listing("CUDA", cards).devices),
    ]
    return Evidence(a_host(pci=tuple(functions), builds=tuple(found)), tuple(outcomes), "2026-01-01T00:00:00Z")


def place(card: int) -> str:
    return f"{card >> 7:04x}:{(card & 127) + 1:02x}:00.0"


def listing(library: str, cards: int, build: str = "system", **more: object) -> Outcome:
    probe = Probe(library, Purpose.LIST, build=build)
    return Outcome(probe, Status.OK, devices=tuple(device(library, card, build, **more) for card in range(cards)), seconds=0.1)


def device(library: str, card: int, build: str, **more: object) -> Device:
    plain = Device(library, card, build=build, name="NVIDIA H100", pci_id=place(card), total_memory=80 * GiB)
    told = plain._replace(free_memory=79 * GiB, compute_major=9, compute_minor=0, **more)  # type: ignore[arg-type]
    return told if build != "system" else told._replace(uuid=f"GPU-00000000-0000-0000-0000-{card:012x}", uuid_space="nvidia")


def validation(device: Device) -> Outcome:
    return Outcome(Probe("CUDA", Purpose.VALIDATE, device=device.key), Status.OK, depth=Depth.CONTEXT, seconds=0.1)


if __name__ == "__main__":
    main()
