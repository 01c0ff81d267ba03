"""Builders of what is read of running processes, and of the machine around them; a test names only what it is about."""

from __future__ import annotations

from typing import Any

from gpuprobe.doctor.judged_process import Judged
from gpuprobe.doctor.process_surroundings import Surroundings
from gpuprobe.doctor.process_verdicts import judged
from gpuprobe.facts import DeviceNode
from gpuprobe.judging.held_memory import Held, Holding
from gpuprobe.machine.process_records import Gathered, Interface, LogText, Process
from gpuprobe.model import Device, GiB
from tests.records import a_device

NUMBER = 4242
CARD = "0000:01:00.0"
CUDA_NODES = ("/dev/nvidia0", "/dev/nvidiactl", "/dev/nvidia-uvm")
BIN = "/opt/llama/bin"
GGML = (f"{BIN}/libggml-base.so.0", f"{BIN}/libggml-cpu.so", f"{BIN}/libllama.so")
WITH_CUDA = (*GGML, f"{BIN}/libggml-cuda.so", "/usr/lib/x86_64-linux-gnu/libcuda.so.580.95.05", "/usr/lib/libcuda.so.1")
SERVER = (f"{BIN}/llama-server", "-m", "/models/llama-8b.gguf")
ALL = "load_tensors: offloaded 33/33 layers to GPU\nload_tensors:   CUDA0 model buffer size =  4403.49 MiB\n"
SOME = (
    "load_tensors: offloaded 12/33 layers to GPU\nload_tensors:   CPU_Mapped model buffer size = 3000.00 MiB\n"
    "load_tensors:   CUDA0 model buffer size =  1400.00 MiB\n"
)
NONE = "load_tensors: offloaded 0/33 layers to GPU\nload_tensors:   CPU_Mapped model buffer size = 4403.49 MiB\n"
PRETENDED = "load_tensors: offloaded 33/33 layers to GPU\nload_tensors:   CPU_Mapped model buffer size = 4403.49 MiB\n"


def a_process(**fields: Any) -> Process:
    """A llama-server of our own account that maps a CUDA build and has a card open."""
    known: dict[str, Any] = {
        "number": NUMBER,
        "name": "llama-server",
        "command": SERVER,
        "parent": 1,
        "user": 1000,
        "groups": (1000,),
        "account": "anna",
        "started_at": 2000.0,
        "mapped": WITH_CUDA,
        "nodes": CUDA_NODES,
        "environ": {},
        "control_group": "0::/user.slice/session-1.scope\n",
        "resident": GiB,
        "beside": (f"{BIN}/libggml-cuda.so",),
    }
    return Process(**{**known, **fields})


def a_card(**fields: Any) -> Device:
    return a_device("CUDA", **{"pci_id": CARD, "uuid": "GPU-11111111-2222-3333-4444-555555555555", "ordinal": 0, **fields})


def around(*devices: Device, **fields: Any) -> Surroundings:
    """A machine with these devices; one CUDA card where none is named."""
    usable = devices or (a_card(),)
    known: dict[str, Any] = {
        "devices": usable,
        "listed": usable,
        "nodes": (DeviceNode("/dev/nvidiactl", 0o666, 0, 0, 195, 255, True),),
        "made_at": {"/dev/nvidiactl": 1000.0},
        "node_of": {"CUDA:0": ("/dev/nvidiactl",)},
        "why_none": "1 of 1 GPU usable",
        "undecided": False,
        "environ": {},
    }
    return Surroundings(**{**known, **fields})


def holds(size: int | None, device: str = "CUDA:0", teller: str = "NVML") -> Holding:
    return Holding((Held(device, size, teller),), ((device, teller),))


NOTHING = Holding((), (("CUDA:0", "NVML"),))
NOBODY_TELLS = Holding()


def verdict_of(
    process: Process,
    holding: Holding = NOTHING,
    log: str | None = None,
    *,
    machine: Surroundings | None = None,
    interfaces: tuple[Interface, ...] = (),
    model_size: int | None = None,
) -> Judged:
    logs = (LogText("/var/log/x.log", log),) if log is not None else ()
    gathered = Gathered(process, logs, interfaces, model_size)
    (found,) = judged([gathered], {process.number: holding}, machine or around())
    return found
