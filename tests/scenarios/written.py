"""The machines that are written by hand, because nothing here can be asked in their place."""

from __future__ import annotations

from gpuprobe.libraries import AMD, APPLE, INTEL, VULKAN
from gpuprobe.model import (
    Device,
    DeviceType,
    Evidence,
    FoundLibrary,
    Host,
    Manifest,
    Outcome,
    PciFunction,
    Probe,
    Purpose,
    Reading,
    Status,
    Step,
)
from gpuprobe.probing.questions import validation_probe
from tests.records import a_card, a_device, a_host, a_manifest, an_outcome
from tests.scenarios.parts import FIRST, A, B, GiB, computer
from tests.scenarios.staging import ASKED_AT, not_found

STEPS = {
    "CUDA": ("load libcuda.so.1", "cuDriverGetVersion", "cuInit", "cuDeviceGetCount", "cuDevicePrimaryCtxRetain"),
    "ROCm": ("load libamdhip64.so.6", "hipInit", "hipGetDeviceCount", "hipSetDevice", "rocblas_create_handle"),
    "Metal": (
        "load /System/Library/Frameworks/Metal.framework/Metal",
        *("MTLCopyAllDevices", "count", "objectAtIndex:", "newCommandQueue", "newBufferWithLength:options:", "length"),
        *("release", "release"),
    ),
    "Level Zero": ("load libze_loader.so.1", "zeInit", "zeDeviceGet", "zeContextCreate"),
    "Vulkan": ("load libvulkan.so.1", "vkCreateInstance", "vkEnumeratePhysicalDevices", "vkCreateDevice"),
}


def linux(pci: tuple[PciFunction, ...], *libraries: str, manifests: tuple[Manifest, ...] = ()) -> Host:
    texts = {path: Reading(text) for path, text in computer().items() if not path.endswith("pci.ids")}
    folder = "/usr/lib/x86_64-linux-gnu"
    found = tuple(FoundLibrary(name, f"{folder}/{name}", f"{folder}/{name}", "linker cache") for name in libraries)
    known = {"texts": texts, "kernel": "6.8.0-48-generic", "cpus_allowed": None}
    return a_host(pci=pci, libraries=found, manifests=manifests, **known)


def evidence(host: Host, *outcomes: Outcome) -> Evidence:
    return Evidence(host, outcomes, ASKED_AT)


def passed(device: Device, loaded: str | None = None) -> Outcome:
    """A context was made on it, through the library `loaded`, else the one that Linux has."""
    first, *rest = STEPS[device.library]
    steps = tuple(Step(name, 0.01) for name in (f"load {loaded}" if loaded else first, *rest))
    return Outcome(validation_probe(device), Status.OK, steps=steps, depth="context", seconds=0.09, exit_code=0)


def refused(device: Device, code: int, name: str, message: str) -> Outcome:
    steps = tuple(Step(step, 0.01) for step in STEPS[device.library][:-1])
    last = Step(STEPS[device.library][-1], None)
    return Outcome(
        validation_probe(device), Status.CALL_FAILED, steps=(*steps, last), seconds=0.09, exit_code=0, code=code,
        code_name=name, message=message, failure="unsupported",
    )


def witnessed(*devices: Device) -> Outcome:
    """NVML sees the same cards as CUDA."""
    same = ("number", "name", "pci_id", "uuid", "total_memory", "free_memory")
    return an_outcome(*(a_device("NVML", **{field: getattr(each, field) for field in same}) for each in devices))


def windows() -> Evidence:
    system = "C:/Windows/System32"
    names = ("nvcuda.dll", "vulkan-1.dll", "nvml.dll")
    host = a_host(
        platform="win32", machine="AMD64", kernel="", uid=None, gids=(), cpus_allowed=None,
        environ={"SYSTEMROOT": r"C:\Windows", "PROGRAMFILES": r"C:\Program Files"},
        libraries=tuple(FoundLibrary(name, f"{system}/{name}", f"{system}/{name}", "default directory") for name in names),
        facts={
            "memory_total": 32 * GiB, "memory_available": 21 * GiB, "swap_total": 8 * GiB, "swap_free": 8 * GiB,
            "cpu_cores": 8, "cpu_count": 16, "PF_AVX2_INSTRUCTIONS_AVAILABLE": 1, "PF_AVX_INSTRUCTIONS_AVAILABLE": 1,
            "PF_SSE4_2_INSTRUCTIONS_AVAILABLE": 1, "PF_AVX512F_INSTRUCTIONS_AVAILABLE": 0, "windows_build": 26100,
            "ProcessorNameString": "11th Gen Intel(R) Core(TM) i7-11700K @ 3.60GHz",
        },
    )
    card = a_device(
        "CUDA", name="NVIDIA GeForce RTX 4070", uuid=A, pci_id=FIRST, total_memory=12 * GiB, free_memory=None,
        device_id=0x2786, library_path=rf"{system}/nvcuda.dll",
    )
    witness = a_device(
        "NVML", name=card.name, uuid=A, pci_id=FIRST, total_memory=12 * GiB, free_memory=10 * GiB, used_memory=2 * GiB,
        kernel_version="576.88",
    )
    twin = a_device(
        "Vulkan", name=card.name, uuid=A.removeprefix("GPU-"), uuid_space="nvidia", pci_id=FIRST, driver_name="NVIDIA",
        runtime_version="576.88", total_memory=12 * GiB, free_memory=11 * GiB,
    )
    graphics = a_device(
        "Vulkan", number=1, name="Intel(R) UHD Graphics 750", type=DeviceType.INTEGRATED, vendor_id=INTEL, pci_id=None,
        uuid="86804c8a-0400-0000-0002-000000000000", uuid_space="vulkan:Intel Corporation", total_memory=16 * GiB,
        free_memory=15 * GiB, driver_name="Intel Corporation", runtime_version="32.0.101.6078",
    )
    listings = (an_outcome(card), an_outcome(twin, graphics), an_outcome(witness))
    return evidence(host, *listings, passed(card, "nvcuda.dll"), *(passed(each, "vulkan-1.dll") for each in (twin, graphics)))


def mac() -> Evidence:
    framework = "/System/Library/Frameworks/Metal.framework/Metal"
    host = a_host(
        platform="darwin", machine="arm64", kernel="24.6.0", uid=501, gids=(20,), cpus_allowed=None,
        libraries=(FoundLibrary(framework, framework, framework, "dyld cache"),),
        facts={
            "machdep.cpu.brand_string": "Apple M3 Max", "kern.osproductversion": "15.6.1", "hw.memsize": 64 * GiB,
            "hw.physicalcpu": 16, "hw.logicalcpu": 16, "kern.hv_vmm_present": 0, "hw.optional.AdvSIMD": 1,
            "memory_total": 64 * GiB, "memory_available": 40 * GiB, "swap_total": 0, "swap_free": 0, "cpu_cores": 16,
            "cpu_count": 16,
        },
    )
    chip = a_device("Metal", vendor_id=APPLE, total_memory=48 * GiB, free_memory=48 * GiB, library_path=framework)
    tried = "dlopen(libvulkan.1.dylib, 0x0002): tried: '/usr/lib/libvulkan.1.dylib' (no such file)"
    no_vulkan = not_found(VULKAN)._replace(steps=(), message=f"`libvulkan.1.dylib` did not load: {tried}")
    return evidence(host, an_outcome(chip), passed(chip), no_vulkan)


def three_vendors() -> Evidence:
    """Every card is seen by its vendor's library and by Vulkan, and HIP would also obey `CUDA_VISIBLE_DEVICES`."""
    radeon_at, arc_at = "0000:03:00.0", "0000:07:00.0"
    pci = (
        a_card(FIRST, product="AD102 [GeForce RTX 4090]", drm=("card0", "renderD128")),
        a_card(radeon_at, vendor=AMD, device=0x744C, driver="amdgpu", product="Navi 31", drm=("card1", "renderD129")),
        a_card(arc_at, vendor=INTEL, device=0x56A0, driver="xe", product="DG2 [Arc A770]", drm=("card2", "renderD130")),
    )
    libraries = ("libcuda.so.1", "libamdhip64.so.6", "libze_loader.so.1", "libvulkan.so.1", "libnvidia-ml.so.1")
    geforce = a_device("CUDA", uuid=A, pci_id=FIRST)
    radeon = a_device("ROCm", uuid="GPU-8b5ac29c9e8f1a2b", pci_id=radeon_at)
    arc = a_device("Level Zero", uuid="86800056-a000-0000-0007-000000000000", uuid_space="level zero", pci_id=arc_at)
    views = (
        a_device("Vulkan", uuid=A.removeprefix("GPU-"), uuid_space="nvidia", pci_id=FIRST, driver_name="NVIDIA"),
        a_device(
            "Vulkan", number=1, name="AMD Radeon RX 7900 XTX (RADV NAVI31)", vendor_id=AMD, pci_id=radeon_at,
            uuid="00000000-0300-0000-0000-000000000000", uuid_space="vulkan:radv", driver_name="radv",
        ),
        a_device(
            "Vulkan", number=2, name="Intel(R) Arc(tm) A770 Graphics (DG2)", vendor_id=INTEL, pci_id=arc_at,
            uuid="86800056-0800-0000-0700-000000000000", uuid_space="vulkan:Intel", total_memory=16 * GiB,
            free_memory=15 * GiB,
        ),
    )
    everything = (geforce, radeon, arc, *views)
    host = linux(pci, *libraries, manifests=(a_manifest(),))
    kernel = an_outcome(a_device("AMDGPU", pci_id=radeon_at, used_memory=GiB))
    listings = (*(an_outcome(each) for each in (geforce, radeon, arc)), an_outcome(*views), witnessed(geforce), kernel)
    return evidence(host, *listings, *map(passed, everything))


def two_builds() -> Evidence:
    """CUDA 13 dropped the older card; only the build for CUDA 12 can use both."""
    second, old = "0000:41:00.0", "NVIDIA GeForce GTX 1080"
    pci = (a_card(FIRST), a_card(second, device=0x1B80))
    new = a_device("CUDA", uuid=A, pci_id=FIRST)
    older = a_device(
        "CUDA", number=1, name=old, uuid=B, pci_id=second, compute_major=6, compute_minor=1, total_memory=8 * GiB,
        free_memory=7 * GiB,
    )
    system, in_12, in_13 = ([card._replace(build=build) for card in (new, older)] for build in ("system", *BUILDS))
    asked = [_listing(in_12, "cuda_v12"), _listing(in_13, "cuda_v13"), an_outcome(*system), witnessed(new, older)]
    lost = refused(in_13[1], 209, "CUDA_ERROR_NO_BINARY_FOR_GPU", "`ggml_backend_cuda_init` found no code for this card")
    host = linux(pci, "libcuda.so.1", "libnvidia-ml.so.1")
    return evidence(host, *asked, not_found(VULKAN), *map(passed, [*system, *in_12, in_13[0]]), lost)


BUILDS = ("cuda_v12", "cuda_v13")


def _listing(views: list[Device], build: str) -> Outcome:
    return an_outcome(*views, probe=Probe("CUDA", Purpose.LIST, build=build))


WRITTEN = {
    "windows": windows,
    "mac-apple-silicon": mac,
    "three-vendors": three_vendors,
    "two-builds": two_builds,
}

