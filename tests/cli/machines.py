"""Machines made by hand, as captures that the installed command reads with `--from`."""

from __future__ import annotations

from pathlib import Path

from gpuprobe import capture
from gpuprobe.facts import FoundBuild, FoundLibrary, Host, PciFunction, Reading
from gpuprobe.model import Call, Depth, Device, DeviceType, Evidence, GiB, MiB, Outcome, Probe, Purpose, Status
from gpuprobe.probing.validation_questions import validation_probe
from tests.records import AMD, a_card, a_device, a_host, a_software_renderer, an_outcome

FIRST, SECOND, RADEON = "0000:01:00.0", "0000:41:00.0", "0000:03:00.0"
HOSTILE = "\"; touch x; echo \"$(touch y)`touch z`\n\x1b[31m[bold]red[/bold]' ; touch w; '"

CPUINFO = (
    "model name\t: AMD Ryzen 9 7950X 16-Core Processor\nsiblings\t: 32\ncpu cores\t: 16\n"
    "flags\t\t: sse4_2 avx fma avx2 f16c bmi2\n"
)
MEMINFO = "MemTotal: 65536000 kB\nMemAvailable: 41943040 kB\nSwapTotal: 8388608 kB\nSwapFree: 8388608 kB\n"


def installed(*names: str) -> tuple[FoundLibrary, ...]:
    folder = "/usr/lib/x86_64-linux-gnu"
    return tuple(FoundLibrary(name, f"{folder}/{name}", f"{folder}/{name}", "linker cache") for name in names)


NVIDIA_DRIVER = installed("libcuda.so.1", "libnvidia-ml.so.1")
VULKAN_LOADER = installed("libvulkan.so.1")


def a_workstation(**fields: object) -> Host:
    """An ordinary Linux desktop with the processor and the memory that people have."""
    texts = {
        "/proc/cpuinfo": Reading(CPUINFO),
        "/proc/meminfo": Reading(MEMINFO),
        "/sys/devices/system/cpu/online": Reading("0-31"),
        "/etc/os-release": Reading('PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n'),
    }
    return a_host(**{"texts": texts, **fields})


def a_geforce(**fields: object) -> Device:
    known = {
        "name": "NVIDIA GeForce RTX 4090",
        "pci_id": FIRST,
        "uuid": "GPU-11111111-2222-3333-4444-555555555555",
        "kernel_version": "580.95.05",
        "used_memory": 3 * GiB,
        "free_memory": 21 * GiB,
    }
    return a_device("CUDA", **{**known, **fields})


def a_radeon_of_vulkan(**fields: object) -> Device:
    known = {
        "name": "AMD Radeon RX 7900 XTX (RADV NAVI31)",
        "number": 1,
        "pci_id": RADEON,
        "uuid": "00000000-0300-0000-0000-000000000000",
        "uuid_space": "vulkan:radv",
        "vendor_id": AMD,
        "driver_name": "radv",
        "runtime_version": "Mesa 25.2.1",
        "api_version": "1.4.318",
    }
    return a_device("Vulkan", **{**known, **fields})


def an_amd_card(**fields: object) -> PciFunction:
    known = {"vendor": AMD, "device": 0x744C, "driver": "amdgpu", "product": "Navi 31 [Radeon RX 7900 XT/XTX]"}
    return a_card(RADEON, **{**known, **fields})


def passed(device: Device, seconds: float = 0.21) -> Outcome:
    calls = (
        Call("load library", 0.01),
        Call("cuInit", 0.1),
        Call("cuDeviceGet", 0.001),
        Call("cuDevicePrimaryCtxRetain", 0.1),
    )
    return Outcome(validation_probe(device), Status.OK, calls=calls, depth=Depth.CONTEXT, seconds=seconds)


def refused(device: Device) -> Outcome:
    """The library found the card and would not make a context on it."""
    calls = (
        Call("load library", 0.01),
        Call("cuInit", 0.1),
        Call("cuDeviceGet", 0.001),
        Call("cuDevicePrimaryCtxRetain", 0.1),
    )
    return Outcome(
        validation_probe(device),
        Status.CALL_FAILED,
        calls=calls,
        seconds=0.3,
        code=999,
        code_name="CUDA_ERROR_UNKNOWN",
        message="`cuDevicePrimaryCtxRetain` failed",
        failure="unsupported",
        stderr="NVRM: something broke\n",
    )


def hung(device: Device) -> Outcome:
    return Outcome(
        validation_probe(device),
        Status.TIMED_OUT,
        calls=(Call("load library", 0.01), Call("cuInit", None)),
        seconds=30.0,
    )


def evidence(*outcomes: Outcome, host: Host | None = None) -> Evidence:
    return Evidence(host or a_workstation(), outcomes, "2026-11-21T09:00:00Z")


def witnessed(*devices: Device) -> Outcome:
    """NVML sees the same cards as CUDA."""
    seen = [
        a_device(
            "NVML",
            number=each.number,
            pci_id=each.pci_id,
            uuid=each.uuid,
            free_memory=each.free_memory,
            used_memory=each.used_memory,
        )
        for each in devices
    ]
    return an_outcome(*seen)


def two_geforces() -> Evidence:
    """Both work; one of them through Vulkan too, and llvmpipe is installed as everywhere."""
    first = a_geforce()
    second = a_geforce(
        number=1,
        pci_id=SECOND,
        uuid="GPU-99999999-2222-3333-4444-555555555555",
        used_memory=20 * GiB,
        free_memory=4 * GiB,
    )
    twin = a_device("Vulkan", pci_id=FIRST, uuid="11111111-2222-3333-4444-555555555555", uuid_space="nvidia")
    llvmpipe = a_software_renderer(number=1)
    host = a_workstation(pci=(a_card(FIRST), a_card(SECOND)), libraries=(*NVIDIA_DRIVER, *VULKAN_LOADER))
    listings = (an_outcome(first, second), witnessed(first, second), an_outcome(twin, llvmpipe))
    return evidence(*listings, passed(first), passed(second), passed(twin), host=host)


def two_geforces_of_two_builds() -> Evidence:
    """Each card is listed by another of Ollama's builds, and works through it."""
    new = a_geforce(build="cuda_v13", compute_major=8, compute_minor=9)
    old = a_geforce(
        build="cuda_v12", name="Tesla V100", pci_id=SECOND, uuid="GPU-99999999-2222-3333-4444-555555555555", compute_major=7
    )
    builds = tuple(
        FoundBuild(name, "CUDA", f"/usr/lib/ollama/{name}/libggml-cuda.so", (), (), "Ollama", product="ollama")
        for name in ("cuda_v12", "cuda_v13")
    )
    host = a_workstation(pci=(a_card(FIRST), a_card(SECOND)), libraries=NVIDIA_DRIVER, builds=builds)
    system = (new._replace(build="system"), old._replace(build="system", number=1))
    listings = (an_outcome(*system), an_outcome(old), an_outcome(new), witnessed(new, old))
    return evidence(*listings, passed(new), passed(old), host=host)


def a_geforce_beside_a_broken_radeon() -> Evidence:
    """CUDA works; the AMD card is on the bus, its ROCm cannot be asked and Vulkan crashes."""
    first = a_geforce()
    host = a_workstation(pci=(a_card(FIRST), an_amd_card(driver=None)), libraries=NVIDIA_DRIVER)
    return evidence(an_outcome(first), witnessed(first), passed(first), host=host)


def with_driver() -> Host:
    return a_workstation(pci=(a_card(FIRST),), libraries=NVIDIA_DRIVER)


def a_geforce_that_fails() -> Evidence:
    first = a_geforce()
    return evidence(an_outcome(first), witnessed(first), refused(first), host=with_driver())


def a_geforce_that_hangs() -> Evidence:
    first = a_geforce()
    return evidence(an_outcome(first), witnessed(first), hung(first), host=with_driver())


def a_pascal() -> Evidence:
    old = a_geforce(name="NVIDIA GeForce GTX 1080", compute_major=6, compute_minor=1, total_memory=8 * GiB)
    return evidence(an_outcome(old), witnessed(old), passed(old), host=with_driver())


def a_nearly_full_geforce() -> Evidence:
    full = a_geforce(free_memory=100 * MiB, used_memory=24 * GiB - 100 * MiB)
    return evidence(an_outcome(full), witnessed(full), passed(full), host=with_driver())


def no_gpu() -> Evidence:
    """A server whose only display is its management chip."""
    aspeed = PciFunction("0000:02:00.0", vendor=0x1A03, device=0x2000, class_code=0x030000, driver="ast")
    return evidence(host=a_workstation(pci=(aspeed,)))


def a_hostile_machine() -> Evidence:
    """Every name and word that a driver gives is an attack."""
    device = a_geforce(name=HOSTILE, description=HOSTILE, driver_name=HOSTILE, kernel_version=HOSTILE, uuid=HOSTILE)
    failing = a_radeon_of_vulkan(name=HOSTILE, number=0)
    broken = refused(failing)._replace(message=HOSTILE, stderr=HOSTILE, code_name=HOSTILE)
    host = a_workstation(
        pci=(a_card(FIRST, product=HOSTILE), an_amd_card(product=HOSTILE)),
        environ={"CUDA_VISIBLE_DEVICES": HOSTILE},
        libraries=(*NVIDIA_DRIVER, *VULKAN_LOADER),
    )
    unfiltered = Probe("CUDA", Purpose.UNFILTERED, variables=(("CUDA_VISIBLE_DEVICES", None),))
    more = an_outcome(device, probe=unfiltered)
    return evidence(an_outcome(device), witnessed(device), an_outcome(failing), passed(device), broken, more, host=host)


def captured(machine: Evidence, folder: Path, name: str = "machine.json") -> str:
    """The path of the machine's capture, for `--from`."""
    path = folder / name
    capture.save(path, machine)
    return str(path)


def a_renderer_only() -> Evidence:
    """What most virtual machines have: Mesa's llvmpipe and nothing else."""
    return evidence(
        an_outcome(a_software_renderer()), passed(a_software_renderer()), host=a_workstation(libraries=VULKAN_LOADER)
    )


def integrated_intel() -> Evidence:
    device = a_radeon_of_vulkan(name="Intel(R) UHD Graphics 770 (ADL-S GT1)", type=DeviceType.INTEGRATED, pci_id="0000:00:02.0")
    card = a_card("0000:00:02.0", vendor=0x8086, device=0x4680, driver="i915")
    return evidence(an_outcome(device), passed(device), host=a_workstation(pci=(card,), libraries=VULKAN_LOADER))


RADEON_UUID = "GPU-aaaaaaaaaaaaaaaa"


def a_geforce_beside_a_radeon(**fields: object) -> Evidence:
    """CUDA shows the one and ROCm the other, Vulkan both, and all of it works."""
    geforce = a_geforce()
    radeon = a_device("ROCm", pci_id=RADEON, uuid=RADEON_UUID, type=DeviceType.DISCRETE, name="AMD Radeon RX 7900 XTX")
    views = a_device("Vulkan", number=0, pci_id=FIRST, uuid="v1"), a_device("Vulkan", number=1, pci_id=RADEON, uuid="v2")
    libraries = (*NVIDIA_DRIVER, *VULKAN_LOADER, *installed("libamdhip64.so.6"))
    host = a_workstation(**{"pci": (a_card(FIRST), an_amd_card()), "libraries": libraries, **fields})
    listings = (an_outcome(geforce), witnessed(geforce), an_outcome(radeon), an_outcome(*views))
    return evidence(*listings, *(passed(each) for each in (geforce, radeon, *views)), host=host)
