"""What the checks of NVIDIA's cards look at, each by one name: nothing here is a judgement. None: nobody could look."""

from __future__ import annotations

import re

from gpuprobe import machine
from gpuprobe.doctor.situation import Situation
from gpuprobe.facts import DeviceNode, FoundLibrary, Host
from gpuprobe.libraries import CUDA, NVML
from gpuprobe.machine import asked, kernel_modules, permissions
from gpuprobe.machine.nvidia import module_version
from gpuprobe.machine.surroundings import fields_of, text_of
from gpuprobe.model import Device, Outcome, Status
from gpuprobe.vendors import vendor_of

MODULE, MEMORY_MODULE = "nvidia", "nvidia_uvm"
CONTROL, MEMORY = "/dev/nvidiactl", "/dev/nvidia-uvm"
VERSION, PARAMETERS = "/proc/driver/nvidia/version", "/proc/driver/nvidia/params"
CUDA_FILE, NVML_FILE = "libcuda.so.1", "libnvidia-ml.so.1"
VISIBLE, CAPABILITIES = "NVIDIA_VISIBLE_DEVICES", "NVIDIA_DRIVER_CAPABILITIES"

_PROBLEM = re.compile(r"\(([0-9]{1,4})\)$")
# What NVIDIA calls a virtual GPU: its card and a profile, "NVIDIA A10-24Q", "GRID T4-8C".
_VIRTUAL = re.compile(r"-[0-9]{1,3}(?:-[0-9]{1,3})?[QCAB][0-9]?$")


def is_on_the_bus(situation: Situation) -> bool:
    return situation.card.kind == "pci" and situation.host.platform == "linux"


def is_bound(situation: Situation) -> bool:
    """Whether NVIDIA's own kernel driver holds the card."""
    maker = vendor_of(situation.card.vendor_id)
    return is_on_the_bus(situation) and maker is not None and situation.card.driver in maker.drivers


def is_reserved(situation: Situation) -> bool:
    """Whether it is held for a virtual machine."""
    return "vfio-pci" in (situation.card.driver, situation.card.driver_override)


def cuda_code(situation: Situation) -> int | None:
    return situation.code(CUDA.name)


def how_cuda_ended(situation: Situation) -> Status:
    listed = situation.listing(CUDA.name)
    return Status.INIT_FAILED if listed is None or listed.status is Status.OK else listed.status


def nvml_code(situation: Situation) -> int | None:
    return situation.code(NVML.name)


def nvml_answer(situation: Situation) -> Outcome | None:
    return situation.listing(NVML.name)


def nvml_views(situation: Situation) -> tuple[Device, ...]:
    """This card as NVML lists it, its slices too."""
    return situation.views(NVML.name)


def whole_view(situation: Situation) -> Device | None:
    return next((view for view in nvml_views(situation) if view.partition is None), None)


def problem_of(view: Device, field: str) -> int | None:
    """NVML's number for what it could not tell of a card: 15 of "NVML_ERROR_GPU_IS_LOST (15)"."""
    found = _PROBLEM.search(str((view.capabilities.get("problems") or {}).get(field) or ""))
    return int(found[1]) if found else None


def library(host: Host, name: str) -> FoundLibrary | None:
    return next((found for found in host.libraries if found.name == name), None)


def has_no_cuda(situation: Situation) -> bool:
    """Whether CUDA's library is nowhere here: neither found by the survey nor by the child that looked for it."""
    listed = situation.listing(CUDA.name)
    return listed is not None and listed.status.not_there and library(situation.host, CUDA_FILE) is None


def has_driver_libraries(host: Host) -> bool:
    """Whether the driver's part for programs is installed, whatever of it."""
    return library(host, CUDA_FILE) is not None or library(host, NVML_FILE) is not None


def version_of_libraries(host: Host) -> str | None:
    """The release in the name of the driver's file that the loader takes: "580.105.08"."""
    for name in (CUDA_FILE, NVML_FILE):
        found = library(host, name)
        file = found.real_path.rpartition("/")[2] if found else ""
        version = re.fullmatch(rf"{re.escape(name[:-2])}\.([0-9]{{2,4}}(?:\.[0-9]{{1,4}}){{1,3}})", file)
        if version:
            return version[1]
    return None


def driver_version(host: Host) -> str | None:
    """Of the module in memory, else of the libraries."""
    return module_version(host) or version_of_libraries(host)


def module_is_loaded(host: Host) -> bool | None:
    return True if module_version(host) else kernel_modules.is_loaded(host, MODULE)


def is_open_module(host: Host) -> bool | None:
    """Whether the module in memory is of the open flavour."""
    said = text_of(host, VERSION)
    return "Open Kernel Module" in said if "NVRM version" in said else None


def told_of_card(situation: Situation) -> dict[str, str]:
    """What the kernel driver says of this card: "GPU UUID", "Device Minor", "GPU Excluded"."""
    return fields_of(text_of(situation.host, f"/proc/driver/nvidia/gpus/{situation.card.pci_id}/information"))


def card_node(situation: Situation) -> str | None:
    """The node of this very card: by the number that its driver gives it; a single card is number 0."""
    minor = told_of_card(situation).get("Device Minor", "")
    if re.fullmatch("[0-9]{1,3}", minor):
        return f"/dev/nvidia{minor}"
    return "/dev/nvidia0" if len(own_cards(situation)) == 1 else None


def is_given(situation: Situation) -> bool:
    """Whether this process has the card's node at all: a container sees every card of the bus, and is given some."""
    node = card_node(situation)
    return situation.container is None or (node is not None and situation.node(node) is not None)


def own_cards(situation: Situation) -> tuple[machine.Card, ...]:
    """NVIDIA's cards on the bus."""
    maker = vendor_of(situation.card.vendor_id)
    found = machine.cards(situation.host)
    return tuple(card for card in found if card.kind == "pci" and maker is not None and maker.made(card.vendor_id))


def nodes(host: Host) -> tuple[DeviceNode, ...]:
    """The driver's nodes directly under /dev."""
    return tuple(node for node in host.nodes if re.fullmatch(r"/dev/nvidia(?:[0-9]{1,3}|ctl|-uvm)", node.path))


def nodes_are_known(host: Host) -> bool:
    return machine.why_no_node(host, CONTROL) is None


def parameter(host: Host, name: str) -> str | None:
    """A setting of the module in memory: "DeviceFileMode"."""
    return fields_of(text_of(host, PARAMETERS)).get(name)


def memory_major(host: Host) -> int | None:
    """The major number that the kernel gives the memory module at this start; it may be another at the next."""
    found = re.search(r"(?m)^\s*([0-9]{1,4}) nvidia-uvm$", text_of(host, "/proc/devices"))
    return int(found[1]) if found else None


def memory_is_loaded(host: Host) -> bool | None:
    if memory_major(host) is not None:
        return True
    return kernel_modules.is_loaded(host, MEMORY_MODULE)


def switches(host: Host) -> tuple[str, ...]:
    """Addresses of the NVSwitch bridges."""
    found = machine.bystanders(host)
    return tuple(
        one.pci_id for one in found if (maker := vendor_of(one.vendor_id)) and one.what in maker.other_classes.values()
    )


def virtual_machine(host: Host) -> str | None:
    """What this machine runs on, where it is a virtual one."""
    kind = machine.virtualization(host)
    return None if kind == machine.NONE else kind


def is_virtual_card(situation: Situation) -> bool:
    """Whether this is a virtual GPU, by its name."""
    views = (*nvml_views(situation), *situation.views(CUDA.name))
    names = (situation.card.name, *(view.name for view in views if view.partition is None))
    return virtual_machine(situation.host) is not None and any(_VIRTUAL.search(name or "") for name in names)


def compute_mode(situation: Situation) -> str | None:
    views = (*nvml_views(situation), *situation.views(CUDA.name))
    return next((mode for view in views if (mode := view.capabilities.get("compute_mode"))), None)


def error_of(host: Host, path: str) -> str | None:
    """What opening a node gave: "EPERM"; "" where it opened; None: nobody tried."""
    tried = permissions.opened(host, path)
    return None if tried is None or tried.number is None else tried.name or ""


def says(host: Host, path: str) -> str | None:
    return asked.text(host, path)


def value(situation: Situation, variable: str) -> str | None:
    return situation.host.environ.get(variable)
