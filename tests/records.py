"""Builders of the records that tests judge: fields have plausible values, so a test names only what it is about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gpuprobe import vendors
from gpuprobe.facts import Host, Manifest, PciFunction, Reading
from gpuprobe.libraries import library_named
from gpuprobe.model import Device, DeviceType, Evidence, GiB, Outcome, Probe, Purpose, Status

NVIDIA, AMD, INTEL, APPLE = (maker.pci_id for maker in (vendors.NVIDIA, vendors.AMD, vendors.INTEL, vendors.APPLE))

# What each library typically reports; UUIDs and addresses are left unknown, because tests of identity must name them.
_TYPICAL: dict[str, dict[str, Any]] = {
    "CUDA": {
        "name": "NVIDIA GeForce RTX 4090",
        "type": DeviceType.DISCRETE,
        "uuid_space": "nvidia",
        "vendor_id": NVIDIA,
        "compute_major": 8,
        "compute_minor": 9,
        "total_memory": 24 * GiB,
        "free_memory": 23 * GiB,
        "api_version": "13.0",
    },
    "ROCm": {
        "name": "AMD Radeon RX 7900 XTX",
        "type": DeviceType.DISCRETE,
        "uuid_space": "rocr",
        "vendor_id": AMD,
        "compute_major": 11,
        "compute_minor": 0,
        "gfx_target": "gfx1100",
        "total_memory": 24 * GiB,
        "free_memory": 23 * GiB,
    },
    "Metal": {"name": "Apple M3 Max", "type": DeviceType.INTEGRATED, "vendor_id": APPLE, "total_memory": 48 * GiB},
    "Level Zero": {
        "name": "Intel(R) Arc(TM) A770 Graphics",
        "type": DeviceType.DISCRETE,
        "vendor_id": INTEL,
        "total_memory": 16 * GiB,
    },
    "Vulkan": {
        "name": "NVIDIA GeForce RTX 4090",
        "type": DeviceType.DISCRETE,
        "uuid_space": "vulkan:NVIDIA",
        "vendor_id": NVIDIA,
        "total_memory": 24 * GiB,
        "free_memory": 23 * GiB,
    },
    "NVML": {
        "name": "NVIDIA GeForce RTX 4090",
        "type": DeviceType.DISCRETE,
        "uuid_space": "nvidia",
        "vendor_id": NVIDIA,
        "total_memory": 24 * GiB,
        "free_memory": 23 * GiB,
        "kernel_version": "580.95.05",
    },
    "AMDGPU": {
        "name": "AMD Radeon RX 7900 XTX",
        "vendor_id": AMD,
        "total_memory": 24 * GiB,
        "free_memory": 23 * GiB,
    },
}


def a_device(library: str = "CUDA", **fields: Any) -> Device:
    """A discrete card as `library` typically reports it; number 0, no UUID, no PCI address."""
    return Device(**{"library": library_named(library).name, "number": 0, **_TYPICAL[library], **fields})


def a_software_renderer(**fields: Any) -> Device:
    """Mesa's llvmpipe: its UUID is the text "mesa22.3.6", the same on every machine and in every copy."""
    llvmpipe = {
        "name": "llvmpipe (LLVM 15.0.6, 256 bits)",
        "type": DeviceType.SOFTWARE,
        "uuid": "6d657361-3232-2e33-2e36-000000000000",
        "uuid_space": "vulkan:llvmpipe",
        "vendor_id": 0x10005,
        "driver_name": "llvmpipe",
        "total_memory": 2 * GiB,
        "free_memory": 2 * GiB,
    }
    return a_device("Vulkan", **{**llvmpipe, **fields})


def a_slice(**fields: Any) -> Device:
    """A MIG slice of a card, as CUDA lists it; name its `uuid` and `partition`."""
    sliced = {
        "name": "NVIDIA A100-SXM4-40GB MIG 1g.5gb",
        "compute_major": 8,
        "compute_minor": 0,
        "total_memory": 5 * GiB,
    }
    return a_device("CUDA", **{**sliced, **fields})


def a_card(address: str = "0000:01:00.0", **fields: Any) -> PciFunction:
    """An NVIDIA card as sysfs shows it."""
    found = {"vendor": NVIDIA, "device": 0x2684, "class_code": 0x030000, "driver": "nvidia"}
    return PciFunction(**{"address": address, **found, **fields})


def a_host(**fields: Any) -> Host:
    """A Linux machine on which nothing is installed and nothing is set."""
    bare: dict[str, Any] = {
        "platform": "linux",
        "machine": "x86_64",
        "kernel": "6.1.0-18-amd64",
        "uid": 1000,
        "gids": (1000,),
        "cpus_allowed": 8,
        "environ": {},
        "texts": {},
        "links": {},
        "pci": (),
        "nodes": (),
        "libraries": (),
        "manifests": (),
        "facts": {},
    }
    return Host(**{**bare, **fields})


def with_files(files: Mapping[str, str], **fields: Any) -> Host:
    """A host on which these texts stand in these files."""
    return a_host(texts={path: Reading(text) for path, text in files.items()}, **fields)


def a_manifest(path: str = "/usr/share/vulkan/icd.d/radeon_icd.x86_64.json", text: str | None = None) -> Manifest:
    """A Vulkan driver manifest that names `libvulkan_radeon.so`."""
    return Manifest(path, Reading(text or '{"ICD": {"library_path": "libvulkan_radeon.so", "api_version": "1.3.238"}}'))


def an_outcome(*devices: Device, library: str | None = None, status: Status = Status.OK, **fields: Any) -> Outcome:
    """The listing that gave `devices`; without devices, `library` says who was asked."""
    asked = library or devices[0].library
    build = devices[0].build if devices else "system"
    probe = fields.pop("probe", Probe(library=asked, purpose=Purpose.LIST, build=build))
    return Outcome(**{"probe": probe, "status": status, "devices": tuple(devices), "seconds": 0.05, **fields})


def evidence_of(*devices: Device, host: Host | None = None, outcomes: tuple[Outcome, ...] = ()) -> Evidence:
    """Evidence in which each library and build listed its devices, in the order given; `outcomes` come on top."""
    listings: dict[tuple[str, str], list[Device]] = {}
    for device in devices:
        listings.setdefault((device.library, device.build), []).append(device)
    listed = tuple(an_outcome(*views) for views in listings.values())
    return Evidence(host=host or a_host(), outcomes=(*listed, *outcomes), gathered_at="2026-11-21T09:00:00Z")
