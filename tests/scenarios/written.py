"""The machines that are written by hand, because nothing here can be asked in their place."""

from __future__ import annotations

from gpuprobe.facts import FoundBuild, FoundLibrary, Host, Manifest, PciFunction, Reading
from gpuprobe.libraries import NVML, VULKAN
from gpuprobe.model import Call, Depth, Device, DeviceType, Evidence, Outcome, Status
from gpuprobe.probing.validation_questions import validation_probe
from tests.records import AMD, APPLE, INTEL, a_card, a_device, a_host, a_manifest, an_outcome
from tests.scenarios.parts import FIRST, A, B, GiB, arm, computer
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
    calls = tuple(Call(name, 0.01) for name in (f"load {loaded}" if loaded else first, *rest))
    return Outcome(validation_probe(device), Status.OK, calls=calls, depth=Depth.CONTEXT, seconds=0.09, exit_code=0)


def refused(device: Device, code: int, name: str, message: str) -> Outcome:
    calls = tuple(Call(step, 0.01) for step in STEPS[device.library][:-1])
    last = Call(STEPS[device.library][-1], None)
    return Outcome(
        validation_probe(device),
        Status.CALL_FAILED,
        calls=(*calls, last),
        seconds=0.09,
        exit_code=0,
        code=code,
        code_name=name,
        message=message,
        failure="unsupported",
    )


def witnessed(*devices: Device) -> Outcome:
    """NVML sees the same cards as CUDA."""
    same = ("number", "name", "pci_id", "uuid", "total_memory", "free_memory")
    return an_outcome(*(a_device("NVML", **{field: getattr(each, field) for field in same}) for each in devices))


def windows() -> Evidence:
    system = "C:/Windows/System32"
    names = ("nvcuda.dll", "vulkan-1.dll", "nvml.dll")
    host = a_host(
        platform="win32",
        machine="AMD64",
        kernel="",
        uid=None,
        gids=(),
        cpus_allowed=None,
        environ={"SYSTEMROOT": r"C:\Windows", "PROGRAMFILES": r"C:\Program Files"},
        libraries=tuple(FoundLibrary(name, f"{system}/{name}", f"{system}/{name}", "default directory") for name in names),
        facts={
            "memory_total": 32 * GiB,
            "memory_available": 21 * GiB,
            "swap_total": 8 * GiB,
            "swap_free": 8 * GiB,
            "cpu_cores": 8,
            "cpu_count": 16,
            "PF_AVX2_INSTRUCTIONS_AVAILABLE": 1,
            "PF_AVX_INSTRUCTIONS_AVAILABLE": 1,
            "PF_SSE4_2_INSTRUCTIONS_AVAILABLE": 1,
            "PF_AVX512F_INSTRUCTIONS_AVAILABLE": 0,
            "windows_build": 26100,
            "ProcessorNameString": "11th Gen Intel(R) Core(TM) i7-11700K @ 3.60GHz",
        },
    )
    card = a_device(
        "CUDA",
        name="NVIDIA GeForce RTX 4070",
        uuid=A,
        pci_id=FIRST,
        total_memory=12 * GiB,
        free_memory=None,
        device_id=0x2786,
        library_path=rf"{system}/nvcuda.dll",
    )
    witness = a_device(
        "NVML",
        name=card.name,
        uuid=A,
        pci_id=FIRST,
        total_memory=12 * GiB,
        free_memory=10 * GiB,
        used_memory=2 * GiB,
        kernel_version="576.88",
    )
    twin = a_device(
        "Vulkan",
        name=card.name,
        uuid=A.removeprefix("GPU-"),
        uuid_space="nvidia",
        pci_id=FIRST,
        driver_name="NVIDIA",
        runtime_version="576.88",
        total_memory=12 * GiB,
        free_memory=11 * GiB,
    )
    graphics = a_device(
        "Vulkan",
        number=1,
        name="Intel(R) UHD Graphics 750",
        type=DeviceType.INTEGRATED,
        vendor_id=INTEL,
        pci_id=None,
        uuid="86804c8a-0400-0000-0002-000000000000",
        uuid_space="vulkan:Intel Corporation",
        total_memory=16 * GiB,
        free_memory=15 * GiB,
        driver_name="Intel Corporation",
        runtime_version="32.0.101.6078",
    )
    listings = (an_outcome(card), an_outcome(twin, graphics), an_outcome(witness))
    return evidence(host, *listings, passed(card, "nvcuda.dll"), *(passed(each, "vulkan-1.dll") for each in (twin, graphics)))


def mac() -> Evidence:
    framework = "/System/Library/Frameworks/Metal.framework/Metal"
    host = a_host(
        platform="darwin",
        machine="arm64",
        kernel="24.6.0",
        uid=501,
        gids=(20,),
        cpus_allowed=None,
        libraries=(FoundLibrary(framework, framework, framework, "dyld cache"),),
        facts={
            "machdep.cpu.brand_string": "Apple M3 Max",
            "kern.osproductversion": "15.6.1",
            "hw.memsize": 64 * GiB,
            "hw.physicalcpu": 16,
            "hw.logicalcpu": 16,
            "kern.hv_vmm_present": 0,
            "hw.optional.AdvSIMD": 1,
            "memory_total": 64 * GiB,
            "memory_available": 40 * GiB,
            "swap_total": 0,
            "swap_free": 0,
            "cpu_cores": 16,
            "cpu_count": 16,
        },
    )
    chip = a_device("Metal", vendor_id=APPLE, total_memory=48 * GiB, free_memory=48 * GiB, library_path=framework)
    tried = "dlopen(libvulkan.1.dylib, 0x0002): tried: '/usr/lib/libvulkan.1.dylib' (no such file)"
    no_vulkan = not_found(VULKAN)._replace(calls=(), message=f"`libvulkan.1.dylib` did not load: {tried}")
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
            "Vulkan",
            number=1,
            name="AMD Radeon RX 7900 XTX (RADV NAVI31)",
            vendor_id=AMD,
            pci_id=radeon_at,
            uuid="00000000-0300-0000-0000-000000000000",
            uuid_space="vulkan:radv",
            driver_name="radv",
        ),
        a_device(
            "Vulkan",
            number=2,
            name="Intel(R) Arc(tm) A770 Graphics (DG2)",
            vendor_id=INTEL,
            pci_id=arc_at,
            uuid="86800056-0800-0000-0700-000000000000",
            uuid_space="vulkan:Intel",
            total_memory=16 * GiB,
            free_memory=15 * GiB,
        ),
    )
    everything = (geforce, radeon, arc, *views)
    host = linux(pci, *libraries, manifests=(a_manifest(),))
    kernel = an_outcome(a_device("AMDGPU", pci_id=radeon_at, used_memory=GiB))
    listings = (*(an_outcome(each) for each in (geforce, radeon, arc)), an_outcome(*views), witnessed(geforce), kernel)
    return evidence(host, *listings, *map(passed, everything))


OLLAMA = "/usr/local/lib/ollama"
ARCHITECTURES = {
    "cuda_v12": ["500", "520", "600", "610", "700", "750", "800", "860", "890", "900", "1000", "1200"],
    "cuda_v13": ["750", "800", "860", "870", "890", "900", "1000", "1030", "1100", "1200", "1210"],
    "cuda_jetpack6": ["870"],
}


def build(name: str) -> FoundBuild:
    """One folder of an Ollama install, as the survey finds it."""
    before = (f"{OLLAMA}/libggml-base.so", f"{OLLAMA}/libggml.so")
    return FoundBuild(
        name, "CUDA", f"{OLLAMA}/{name}/libggml-cuda.so", before, (OLLAMA, f"{OLLAMA}/{name}"), "Ollama", product="ollama"
    )


def through(name: str, *cards: Device) -> list[Device]:
    """What the build tells of the cards, which is less than CUDA does."""
    told = ("number", "name", "pci_id", "compute_major", "compute_minor", "total_memory", "free_memory")
    known = {"architectures": ARCHITECTURES[name], "ggml_version": "0.25.1"}
    path = f"{OLLAMA}/{name}/libggml-cuda.so"
    return [
        Device("CUDA", build=name, capabilities=known, library_path=path, **{field: getattr(card, field) for field in told})
        for card in cards
    ]


def _listing(views: list[Device]) -> Outcome:
    (name,) = {view.build for view in views}
    facts = {"ggml_version": "0.25.1", "architectures": ARCHITECTURES[name]}
    return an_outcome(*views, facts=facts, library_path=views[0].library_path)


def _started(view: Device) -> Outcome:
    calls = ("ggml_backend_load", "ggml_backend_reg_dev_count", "ggml_backend_dev_init", "ggml_backend_free")
    known = tuple(Call(name, 0.02) for name in (f"load {view.library_path}", *calls))
    return Outcome(validation_probe(view), Status.OK, calls=known, depth=Depth.CONTEXT, seconds=0.2, exit_code=0)


def two_builds() -> Evidence:
    """CUDA 13 dropped the older card; only the build for CUDA 12 can use both."""
    second, old = "0000:41:00.0", "NVIDIA GeForce GTX 1080"
    pci = (a_card(FIRST), a_card(second, device=0x1B80))
    new = a_device("CUDA", uuid=A, pci_id=FIRST)
    older = a_device(
        "CUDA",
        number=1,
        name=old,
        uuid=B,
        pci_id=second,
        compute_major=6,
        compute_minor=1,
        total_memory=8 * GiB,
        free_memory=7 * GiB,
    )
    names = ("cuda_v12", "cuda_v13")
    in_12, in_13 = (through(name, new, older) for name in names)
    asked = [_listing(in_12), _listing(in_13), an_outcome(new, older), witnessed(new, older)]
    host = linux(pci, "libcuda.so.1", "libnvidia-ml.so.1")._replace(builds=tuple(map(build, names)))
    started = map(_started, [*in_12, *in_13])  # a context says nothing of kernels
    return evidence(host, *asked, not_found(VULKAN), passed(new), passed(older), *started)


def jetson_with_builds() -> Evidence:
    """Ollama's installer brings the builds of both JetPacks and the common ones; one of the four is for this board."""
    names = ("cuda_jetpack5", "cuda_jetpack6", "cuda_v12", "cuda_v13")
    texts = {path: Reading(text) for path, text in computer("Ubuntu 22.04.5 LTS", cpuinfo=arm("0xd42")).items()}
    texts = {path: reading for path, reading in texts.items() if not path.endswith(("pci.ids", "sys_vendor"))}
    texts["/etc/nv_tegra_release"] = Reading("# R36 (release), REVISION: 4.3, GCID: 38968081, BOARD: generic, EABI: aarch64")
    texts["/proc/device-tree/model"] = Reading("NVIDIA Jetson AGX Orin Developer Kit\0")
    texts["/proc/device-tree/compatible"] = Reading("nvidia,p3737-0000+p3701-0005\0nvidia,tegra234\0")
    library = FoundLibrary("libcuda.so.1", "/usr/lib/aarch64-linux-gnu/nvidia/libcuda.so.1", "", "known place")
    orin = a_device(
        "CUDA",
        name="Orin",
        uuid=A,
        compute_major=8,
        compute_minor=7,
        total_memory=30 * GiB,
        free_memory=5 * GiB,
        type=DeviceType.INTEGRATED,
    )
    (view,) = through("cuda_jetpack6", orin)
    host = a_host(
        machine="aarch64",
        kernel="5.15.148-tegra",
        cpus_allowed=None,
        texts=texts,
        builds=tuple(map(build, names)),
        libraries=(library._replace(real_path=f"{library.path}.1"),),
    )
    return evidence(host, _listing([view]), an_outcome(orin), not_found(VULKAN), not_found(NVML), passed(orin), _started(view))


WRITTEN = {
    "windows": windows,
    "mac-apple-silicon": mac,
    "three-vendors": three_vendors,
    "two-builds": two_builds,
    "jetson-with-builds": jetson_with_builds,
}
