"""Machines on which something is wrong that concerns no one card, and all that the checks of the whole machine say of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gpuprobe.doctor.findings import Finding
from gpuprobe.facts import DrmDevice, Host, Listing, Reading
from gpuprobe.facts.system_facts import Package, Standing, SystemFacts, SystemGroup, UnitFiles
from gpuprobe.model import Device, DeviceType, Outcome
from tests.doctor import nvidia_machines as nvidia
from tests.doctor.sick_machines import (
    ADDRESS,
    KFD,
    RENDER,
    UBUNTU,
    a_node,
    a_radeon,
    an_arc,
    knowing,
    not_installed,
    of_the_machine,
    passed,
    with_radeon,
)
from tests.records import AMD, INTEL, a_card, a_device, a_host, a_software_renderer, an_outcome

Told = tuple[Finding, ...]
QEMU = {"/sys/class/dmi/id/sys_vendor": Reading("QEMU")}
PLAIN = {"/proc/self/cgroup": Reading("0::/\n")}
DOCKER = {"/.dockerenv": Reading("")}
RADEON = a_device("Vulkan", pci_id=ADDRESS, vendor_id=AMD)
CUDA = nvidia.cuda()
BESIDE = "0000:00:02.0"


def with_devices(host: Host, *devices: Device, outcomes: tuple[Outcome, ...] = ()) -> Told:
    return of_the_machine(host, *map(passed, devices), *outcomes, devices=devices)


def a_display(address: str, vendor: int, device: int, driver: str) -> Any:
    return a_card(address, vendor=vendor, device=device, driver=driver)


def with_no_cards() -> dict[str, Told]:
    emulated = a_display("0000:00:01.0", 0x1AF4, 0x1050, "virtio-pci")
    managed = [a_display(f"0000:0{number}:00.0", 0x1A03, 0x2000, "ast") for number in range(1, 7)]
    network = a_card("0000:02:00.0", vendor=0x15B3, device=0x1017, class_code=0x020000, driver="mlx5_core")
    render = a_node("/dev/dri/renderD128")
    board = DrmDevice("1002000000.v3d", "v3d", ("card0", "renderD128"), ("brcm,2712-v3d",))
    other = DrmDevice("2000.gpu", "plan9", ("card1", "renderD129"))
    linuxkit = {"machine": "aarch64", "kernel": "6.10.14-linuxkit", "texts": {**UBUNTU, **DOCKER}}
    return {
        "emulated-display": of_the_machine(a_host(pci=(emulated,), texts={**UBUNTU, **QEMU})),
        "emulated-display-of-nobody-knows-what": of_the_machine(a_host(pci=(emulated,), texts=UBUNTU)),
        "six-displays-of-a-management-controller": of_the_machine(a_host(pci=tuple(managed), texts=UBUNTU)),
        "bus-without-a-gpu": of_the_machine(a_host(pci=(network,), texts={**UBUNTU, **PLAIN})),
        "bus-without-a-gpu-in-a-virtual-machine": of_the_machine(a_host(pci=(network,), texts={**UBUNTU, **PLAIN, **QEMU})),
        "bus-without-a-gpu-in-a-container": of_the_machine(a_host(pci=(network,), texts={**UBUNTU, **DOCKER})),
        "bus-without-a-gpu-in-wsl": of_the_machine(
            a_host(pci=(network,), texts=PLAIN, kernel="5.15.167.4-microsoft-standard-WSL2")
        ),
        "bus-without-a-function": of_the_machine(a_host(pci=(), texts={**UBUNTU, **PLAIN})),
        "windows-without-a-gpu": of_the_machine(a_host(pci=(network,), platform="win32")),
        "renderer-alone": of_the_machine(a_host(pci=(network,), texts={**UBUNTU, **PLAIN}), devices=(a_software_renderer(),)),
        "container-on-a-mac": of_the_machine(a_host(**linuxkit)),
        "container-of-orbstack-on-a-mac": of_the_machine(a_host(**{**linuxkit, "kernel": "6.12-OrbStack"})),
        "container-on-a-server-of-arm": of_the_machine(a_host(**{**linuxkit, "kernel": "6.8.0-generic"})),
        "container-on-a-mac-of-intel": of_the_machine(a_host(**{**linuxkit, "machine": "x86_64"})),
        "container-on-a-mac-with-a-render-node": of_the_machine(
            a_host(**linuxkit, nodes=(render,)), an_outcome(library="Vulkan")
        ),
        "gpu-beside-the-processor": of_the_machine(a_host(texts=UBUNTU, nodes=(render,)), not_installed("Vulkan")),
        "gpu-beside-the-processor-that-is-known": of_the_machine(
            a_host(texts=UBUNTU, nodes=(render,), off_the_bus=(board,)), not_installed("Vulkan")
        ),
        "gpu-beside-the-processor-of-an-unknown-driver": of_the_machine(
            a_host(texts=UBUNTU, nodes=(a_node("/dev/dri/renderD129"),), off_the_bus=(other,)), not_installed("Vulkan")
        ),
        "gpu-beside-the-processor-never-asked": of_the_machine(a_host(texts=UBUNTU, nodes=(render,))),
        "gpu-beside-the-processor-that-vulkan-lists-none-of": of_the_machine(
            a_host(texts=UBUNTU, nodes=(render,)), an_outcome(library="Vulkan")
        ),
    }


def with_missing_cards() -> dict[str, Told]:
    gone = nvidia.log(
        *(f"{name}: enabling device" for name in ("nvidia 0000:41:00.0", "xe 0000:42:00.0")), f"amdgpu {BESIDE}: x"
    )
    many = nvidia.log(*(f"amdgpu 0000:4{number}:00.0: ring" for number in range(6)))
    wsl = {"kernel": "5.15.167.4-microsoft-standard-WSL2", "texts": PLAIN}
    folder = "/sys/bus/thunderbolt/devices"
    docks = SystemFacts(
        listings={folder: Listing(tuple(f"0-{number}" for number in range(1, 7)))},
        texts={
            **{f"{folder}/0-{number}/authorized": Reading("0\n") for number in range(1, 7)},
            **{f"{folder}/0-{number}/device_name": Reading(f"Core {number}\n") for number in range(1, 7)},
        },
    )
    off = SystemFacts(texts={"/etc/prime-discrete": Reading("off\n")})
    inside = a_card(BESIDE, vendor=INTEL, device=0xA7A0, driver="i915")
    first, second = "0000:01:00.0", "0000:41:00.0"
    turned = [nvidia.cuda(pci_id=pci, uuid=f"GPU-{at}", number=at) for at, pci in enumerate((second, first))]
    both = nvidia.nvidia_host(pci=(a_card(first), a_card(second)))
    return {
        "two-cards-gone": of_the_machine(nvidia.nvidia_host(system=gone, pci=(a_card(first), inside))),
        "card-gone-beside-one-that-works": with_devices(nvidia.nvidia_host(system=gone, pci=(a_card(first), inside)), CUDA),
        "six-cards-gone": of_the_machine(nvidia.nvidia_host(system=many)),
        "cards-gone-in-a-container": of_the_machine(nvidia.nvidia_host(system=many, texts=nvidia.texts(nvidia.DOCKER))),
        "six-docks-that-wait": of_the_machine(a_host(system=docks, texts={**UBUNTU, **PLAIN})),
        "docks-that-wait-beside-a-card": with_devices(nvidia.nvidia_host(system=docks), CUDA),
        "discrete-card-switched-off": of_the_machine(a_host(pci=(inside,), system=off, texts=PLAIN), not_installed("Vulkan")),
        "discrete-card-switched-off-in-a-container": of_the_machine(a_host(pci=(inside,), system=off, texts=DOCKER)),
        "wsl-1": of_the_machine(a_host(kernel="4.4.0-19041-Microsoft")),
        "wsl-2-without-an-adapter": of_the_machine(a_host(**wsl)),
        "wsl-2-in-a-container": of_the_machine(a_host(**{**wsl, "texts": DOCKER})),
        "numbered-in-two-ways": with_devices(both, *turned),
        "numbered-in-one-way": with_devices(both, *(turned[1]._replace(number=0), turned[0]._replace(number=1))),
        "of-unknown-places": with_devices(nvidia.nvidia_host(), turned[0]._replace(pci_id=None), turned[1]),
    }


def a_server(**fields: Any) -> Standing:
    usual: dict[str, Any] = {"process": 4711, "command": "ollama", "account": "ollama", "uid": 998, "groups": (998,)}
    return Standing(**{"kind": "process", "name": "4711", "unit": "ollama.service", **usual, **fields})


def serving(host: Host, *servers: Standing, **fields: Any) -> Host:
    return knowing(host, servers=servers, **fields)


def with_servers_of_accounts() -> dict[str, Told]:
    inside = an_arc(BESIDE, device=0x46A6, driver="i915", drm=("card1", "renderD129"))
    opened = (a_node(mode=0o666), a_node("/dev/dri/renderD129", mode=0o666), a_node(KFD, mode=0o666))
    both = with_radeon(pci=(inside, a_radeon()), nodes=opened)
    lesser = a_device("Vulkan", pci_id=BESIDE, vendor_id=INTEL, type=DeviceType.INTEGRATED, number=1, name="UHD")
    on_it = a_server(nodes=("/dev/dri/renderD129",))
    nameless = (a_node(group=None), a_node(KFD, group=None, gid=44))
    hidden_avx = {**UBUNTU, **QEMU, "/proc/cpuinfo": Reading("flags\t\t: fpu sse2 hypervisor\n")}

    def of(host: Host, *servers: Standing, **fields: Any) -> Told:
        return with_devices(serving(host, *servers, **fields), RADEON)

    return {
        "server-in-no-group": of(with_radeon(), a_server()),
        "server-without-a-name-in-no-group": of(with_radeon(nodes=nameless), a_server(unit=None, command=None, account=None)),
        "server-of-the-nodes-owner": of(with_radeon(nodes=(a_node(uid=998), a_node(KFD, uid=998))), a_server()),
        "server-that-may-open-the-render-node-alone": of(
            with_radeon(nodes=(a_node(), a_node(KFD, gid=44))), a_server(groups=(992,))
        ),
        "server-from-before-the-group": of(
            with_radeon(), a_server(unit=None), groups=(SystemGroup("render", 992, services=("ollama",)),)
        ),
        "server-of-a-group-of-others": of(with_radeon(), a_server(), groups=(SystemGroup("render", 992, services=("x",)),)),
        "server-on-the-integrated-gpu": with_devices(serving(both, on_it), lesser, RADEON),
        "nameless-server-on-the-integrated-gpu": with_devices(
            serving(both, on_it._replace(command=None)), lesser, RADEON._replace(name=None)
        ),
        "server-on-the-integrated-gpu-beside-a-card-without-a-node": with_devices(
            serving(both._replace(pci=(inside, a_radeon(drm=()))), on_it), lesser, RADEON
        ),
        "server-on-both": with_devices(serving(both, on_it._replace(nodes=("/dev/dri/renderD129", RENDER))), lesser, RADEON),
        "server-with-cuda-too": with_devices(
            serving(both, on_it._replace(nodes=("/dev/dri/renderD129", "/dev/nvidia0"))), lesser, RADEON
        ),
        "server-with-nothing-open": with_devices(serving(both, on_it._replace(nodes=())), lesser, RADEON),
        "server-where-the-discrete-card-fails": of_the_machine(serving(both, on_it), passed(lesser), devices=(lesser,)),
        "processor-without-avx": with_devices(with_radeon(texts=hidden_avx), RADEON),
        "processor-without-avx-on-the-board-itself": with_devices(
            with_radeon(texts={**hidden_avx, "/sys/class/dmi/id/sys_vendor": Reading("ASUS")}), RADEON
        ),
        "processor-of-arm": with_devices(with_radeon(texts=hidden_avx, machine="aarch64"), RADEON),
        "processor-of-unknown-flags": with_devices(with_radeon(texts={**UBUNTU, **QEMU}), RADEON),
    }


def with_settings_of_servers() -> dict[str, Told]:
    host = nvidia.nvidia_host()
    plain = a_server(uid=0, environ={})
    loose = plain._replace(unit=None)

    def of(server: Standing, device: Device = CUDA, **environ: str) -> Told:
        machine = with_radeon() if device.vendor_id == AMD else host
        return with_devices(serving(machine._replace(environ=environ), server), device)

    def setting(server: Standing, name: str, value: str) -> Standing:
        return server._replace(environ={name: value})

    def started(*words: str) -> Standing:
        return loose._replace(command="llama-server", arguments=words)

    rocm = a_device("ROCm", pci_id=ADDRESS)
    return {
        "variable-hides-all-from-a-unit": of(setting(plain, "CUDA_VISIBLE_DEVICES", " ")),
        "variable-hides-all-from-a-process": of(setting(loose, "CUDA_VISIBLE_DEVICES", "-1")._replace(command=None)),
        "variable-of-rocm-hides-all": of(setting(plain, "ROCR_VISIBLE_DEVICES", ""), rocm),
        "variable-of-vulkan-hides-all": of(setting(plain, "GGML_VK_VISIBLE_DEVICES", "-1"), RADEON),
        "variable-of-cuda-beside-vulkan": of(setting(plain, "CUDA_VISIBLE_DEVICES", "-1"), RADEON),
        "variable-leaves-one": of(setting(plain, "CUDA_VISIBLE_DEVICES", "0")),
        "started-with-no-layers": of(started("-c", "0", "-ngl", "0")),
        "started-with-no-device": of(started("--device=none")._replace(unit="llama.service", command=None)),
        "started-with-layers": of(started("--ngl=7", "-dev", "CUDA0", "-c", "0")),
        "started-with-no-layers-where-nothing-works": of_the_machine(serving(host, started("-ngl", "0")), nvidia.refused(999)),
        "set-here-and-not-in-the-unit": of(plain, OLLAMA_VULKAN="1", OLLAMA_HOST="x", CUDA_MODULE_LOADING="LAZY"),
        "set-here-and-otherwise-there": of(setting(loose, "OLLAMA_VULKAN", "0"), OLLAMA_VULKAN="1"),
        "set-here-and-unknown-there": of(plain._replace(environ=None), OLLAMA_VULKAN="1"),
        "set-here-and-there": of(setting(plain, "OLLAMA_VULKAN", "1"), OLLAMA_VULKAN="1"),
    }


def with_sandboxes() -> dict[str, Told]:
    path = "/etc/systemd/system/ollama.service"

    def of(*lines: str, name: str = "ollama.service", device: Device = CUDA) -> Told:
        unit = UnitFiles(name, files={path: Reading("\n".join(("[Service]", "ExecStart=/usr/bin/x", *lines)))})
        host = with_radeon() if device.vendor_id == AMD else nvidia.nvidia_host()
        return with_devices(knowing(host, units=(unit,)), device)

    return {
        "private-devices": of("PrivateDevices=Yes"),
        "devices-closed": of("DevicePolicy=Closed"),
        "devices-closed-for-a-radeon": of("DevicePolicy=strict", device=RADEON),
        "one-device-allowed": of("DeviceAllow=/dev/null rw", "DeviceAllow=char-pts rw"),
        "devices-closed-and-the-card-allowed": of("DevicePolicy=strict", "DeviceAllow=/dev/nvidia* rw"),
        "devices-closed-and-drm-allowed": of("DevicePolicy=strict", "DeviceAllow=char-drm rw", device=RADEON),
        "devices-closed-and-drm-allowed-for-a-geforce": of("DevicePolicy=strict", "DeviceAllow=char-drm rw"),
        "nothing-allowed-and-nothing-closed": of("DeviceAllow="),
        "private-devices-of-vllm": of("PrivateDevices=on", name="vllm@0.service"),
        "private-devices-of-another": of("PrivateDevices=on", name="my-ollama.service"),
    }


def with_containers() -> dict[str, Told]:
    engine, toolkit = Package("docker-ce", "28.0", "dpkg"), Package("nvidia-container-toolkit", "1.19.0-1", "dpkg")
    snap, podman = Package("docker", "28.1", "snap"), Package("podman", "5.0", "dpkg")
    none = {"/etc/cdi": Listing((), "absent"), "/var/run/cdi": Listing((), "absent")}
    some = {"/etc/cdi": Listing(("x.yaml",)), "/var/run/cdi": Listing((), "absent")}
    file = {"/etc/cdi/nvidia.yaml": Reading("hostPath: /usr/lib/x86_64-linux-gnu/libcuda.so.570.169\n")}

    def of(
        *packages: Package, distribution: str = "ubuntu", changed: Mapping[str, str | None] | None = None, **facts: Any
    ) -> Told:
        system = SystemFacts(packages=packages, package_lists={"dpkg": None}, **facts)
        host = nvidia.nvidia_host(system=system, texts=nvidia.texts(changed or {}, distribution))
        return with_devices(host, CUDA)

    return {
        "docker-without-the-toolkit": of(engine),
        "docker-without-the-toolkit-on-fedora": of(engine._replace(version=None), distribution="fedora"),
        "docker-without-the-toolkit-on-plan-9": of(engine, distribution="other"),
        "docker-without-the-toolkit-in-a-container": of(engine, changed={"/.dockerenv": ""}),
        "docker-of-a-snap": of(snap, toolkit),
        "docker-of-a-snap-that-no-list-has": of(toolkit, listings={"/snap/docker": Listing(("current",))}),
        "docker-of-a-snap-beside-another": of(snap, engine, toolkit),
        "cdi-file-of-another-driver": of(toolkit, files=file),
        "cdi-file-of-another-driver-where-the-modules-is-unknown": of(
            toolkit, files=file, changed={"/sys/module/nvidia/version": None, "/proc/driver/nvidia/version": None}
        ),
        "podman-without-a-cdi-file": of(podman, toolkit, listings=none),
        "podman-with-one": of(podman, toolkit, listings=some),
        "podman-of-unknown-folders": of(podman, toolkit, listings={"/etc/cdi": Listing(())}),
        "podman-beside-docker": of(podman, toolkit, listings=none, daemons={"dockerd": 7}),
        "toolkit-without-podman": of(toolkit, listings=none),
    }


KINDS = (
    with_no_cards,
    with_missing_cards,
    with_servers_of_accounts,
    with_settings_of_servers,
    with_sandboxes,
    with_containers,
)
