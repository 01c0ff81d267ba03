"""What a survey means: which cards there are, how much memory, and what kind of machine it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpuprobe import machine as judged
from gpuprobe.facts import DeviceNode, DrmDevice, FoundLibrary, Host, PciFunction, Reading
from gpuprobe.model import GiB, MiB
from gpuprobe.survey.host import read_host
from tests.file_trees import RTX_4090, RX_7900, machine
from tests.records import AMD, INTEL, NVIDIA

KIB = 1024
MEMINFO = (
    "MemTotal:  16777216 kB\nMemFree:  1048576 kB\nMemAvailable:  8388608 kB\nBuffers: 0 kB\n"
    "SwapTotal: 2097152 kB\nSwapFree: 1048576 kB\n"
)
BLOCK = (
    "processor\t: 0\nmodel name\t: Some  Processor\nsiblings\t: 16\ncpu cores\t: 10\n"
    "flags\t\t: fpu avx avx2 f16c fma hypervisor\n"
)


def a_host(texts: dict[str, str] | None = None, **fields: Any) -> Host:
    plain: dict[str, Any] = {
        "platform": "linux",
        "machine": "x86_64",
        "kernel": "6.8.0-45-generic",
        "uid": 1000,
        "gids": (1000,),
        "cpus_allowed": 8,
        "environ": {},
        "links": {},
        "pci": (),
        "nodes": (),
        "libraries": (),
        "manifests": (),
        "facts": {},
    }
    readings = {path: Reading(text) for path, text in (texts or {}).items()}
    return Host(**{**plain, "texts": readings, **fields})


def a_function(vendor: int | None, device: int | None = 1, kind: int | None = 0x030000, **fields: Any) -> PciFunction:
    return PciFunction(address=fields.pop("address", "0000:01:00.0"), vendor=vendor, device=device, class_code=kind, **fields)


def a_node(path: str) -> DeviceNode:
    return DeviceNode(path=path, mode=0o666, uid=0, gid=0, major=10, minor=1, accessible=True)


def test_a_card_carries_what_the_bus_says_of_it(tmp_path: Path) -> None:
    information = "Model: \t\t NVIDIA GeForce RTX 4090\nIRQ:   \t\t 151\nGPU UUID: \t GPU-????\n"
    root = machine(
        tmp_path,
        pci={"0000:01:00.0": {**RTX_4090, "power/runtime_status": "suspended"}, "0000:03:00.0": RX_7900},
        files={"/proc/driver/nvidia/gpus/0000:01:00.0/information": information},
    )

    nvidia, amd = judged.cards(read_host(root, {}, platform="linux", machine="x86_64"))

    assert (nvidia.kind, nvidia.pci_id, nvidia.vendor_id, nvidia.device_id) == ("pci", "0000:01:00.0", NVIDIA, 0x2684)
    assert (nvidia.name, nvidia.driver, nvidia.render_node) == (
        "NVIDIA GeForce RTX 4090",
        "nvidia",
        "/dev/dri/renderD128",
    )
    assert (nvidia.was_asleep, nvidia.current_link_width) == (True, None)
    assert (amd.vendor_id, amd.was_asleep, amd.current_link_width, amd.numa_node) == (AMD, False, 16, None)


@pytest.mark.parametrize("kind", [0x030000, 0x030200, 0x038000, 0x120000, 0x0B4000])
@pytest.mark.parametrize("vendor", [NVIDIA, AMD])
def test_displays_and_accelerators_of_gpu_vendors_are_cards(vendor: int, kind: int) -> None:
    host = a_host(pci=(a_function(vendor, kind=kind),))

    assert len(judged.cards(host)) == 1
    assert judged.bystanders(host) == ()


@pytest.mark.parametrize(
    ("function", "what"),
    [
        (a_function(0x1A03, 0x2000), "ASPEED management display"),
        (a_function(0x102B, 0x0536), "Matrox management display"),
        (a_function(0x1AF4, 0x1050), "virtio virtual display"),
        (a_function(0x1B36, 0x0100), "QXL virtual display"),
        (a_function(0x15AD, 0x0405), "VMware virtual display"),
        (a_function(0x1414, 0x5353), "Hyper-V virtual display"),
        (a_function(0x1414, 0x008E, 0x030200), "adapter of Windows, reached through /dev/dxg"),
        (a_function(NVIDIA, 0x22A3, 0x068000), "NVIDIA NVSwitch bridge"),
        (a_function(AMD, 0x515E), "ATI ES1000 management display"),
        (a_function(INTEL, 0x7D1D, 0x120000), "Intel NPU"),
        (a_function(INTEL, 0x1234, 0x120000, driver="intel_vpu"), "Intel NPU"),
        (a_function(INTEL, 0x4940, 0x0B4000), "Intel coprocessor (QuickAssist or Xeon Phi)"),
        (a_function(0x1DA3, 0x1020, 0x120000), "Habana accelerator"),
        (a_function(0x4321), "display or accelerator of vendor 4321"),
        (a_function(None), "display or accelerator of vendor unknown"),
    ],
)
def test_what_only_looks_like_a_card_is_named_as_what_it_is(function: PciFunction, what: str) -> None:
    host = a_host(pci=(function,))

    assert judged.cards(host) == ()
    assert [bystander.what for bystander in judged.bystanders(host)] == [what]


@pytest.mark.parametrize("kind", [0x030000, 0x038000, 0x120000, None])
def test_an_intel_gpu_is_a_card(kind: int | None) -> None:
    assert len(judged.cards(a_host(pci=(a_function(INTEL, 0x56A0, kind),)))) == 1


def test_a_virtual_function_is_a_card_of_its_own() -> None:
    functions = [a_function(AMD, 0x74A1, 0x120000, address=f"0000:01:00.{number}") for number in (0, 2)]

    assert [card.pci_id for card in judged.cards(a_host(pci=tuple(functions)))] == ["0000:01:00.0", "0000:01:00.2"]


@pytest.mark.parametrize(("status", "asleep"), [("suspended", True), ("active", False), ("unsupported", None), (None, None)])
def test_whether_a_card_slept_is_unknown_where_the_kernel_does_not_say(status: str | None, asleep: bool | None) -> None:
    (card,) = judged.cards(a_host(pci=(a_function(NVIDIA, runtime_status=status),)))

    assert card.was_asleep is asleep


@pytest.mark.parametrize("model", ["Model: \t Unknown\n", "Model:\n", "rubbish"])
def test_a_name_that_the_driver_does_not_know_yet_is_taken_from_the_list(model: str) -> None:
    texts = {"/proc/driver/nvidia/gpus/0000:01:00.0/information": model}

    (card,) = judged.cards(a_host(texts, pci=(a_function(NVIDIA, product="AD102"),)))

    assert card.name == "AD102"


def tegra(chip: str, *functions: PciFunction) -> Host:
    texts = {
        "/proc/device-tree/compatible": f"nvidia,p3768-0000\0nvidia,{chip}\0",
        "/proc/device-tree/model": "NVIDIA Jetson Orin Nano\0",
        "/sys/module/nvgpu/initstate": "live\n",
    }
    return a_host(texts, machine="aarch64", pci=functions)


ERROR = Reading(None, "error: Too many open files")


def test_a_jetson_whose_driver_could_not_be_looked_for_is_not_said_to_lack_it() -> None:
    host = tegra("tegra234")
    (card,) = judged.cards(host._replace(texts={**host.texts, "/sys/module/nvgpu/initstate": ERROR}))

    assert card.driver == "nvgpu"


def test_a_release_file_that_could_not_be_read_is_not_said_to_name_none() -> None:
    found = judged.jetpack(a_host(machine="aarch64")._replace(texts={"/etc/nv_tegra_release": ERROR}))

    assert found is not None
    assert "could not be read (error: Too many open files)" in (found.problem or "")


def test_a_jetson_has_a_card_that_is_not_on_the_bus() -> None:
    (card,) = judged.cards(tegra("tegra234"))

    assert (card.kind, card.vendor_id, card.name, card.driver, card.pci_id) == (
        "board",
        NVIDIA,
        "NVIDIA Jetson Orin Nano",
        "nvgpu",
        None,
    )


def test_thors_gpu_is_on_the_bus_and_is_counted_once() -> None:
    assert [card.kind for card in judged.cards(tegra("tegra264", a_function(NVIDIA)))] == ["pci"]


def test_a_card_in_the_slot_of_an_orin_is_a_second_one() -> None:
    assert [card.kind for card in judged.cards(tegra("tegra234", a_function(NVIDIA)))] == ["pci", "board"]


def test_an_apple_chip_is_a_card_and_an_intel_mac_has_none_that_can_be_seen_from_here() -> None:
    facts = {"machdep.cpu.brand_string": "Apple M3 Max"}

    (card,) = judged.cards(a_host(platform="darwin", machine="arm64", facts=facts))

    assert (card.kind, card.name) == ("board", "Apple M3 Max")
    assert judged.cards(a_host(platform="darwin", machine="x86_64", facts=facts)) == ()


def test_wsl_has_a_card_for_each_vendor_in_windows_driver_store() -> None:
    facts = {"wsl_drivers": "c_wsl.inf_amd64_1 iigd_dch.inf_amd64_2 nv_dispi.inf_amd64_3 nv_dispi.inf_amd64_4"}
    host = a_host(kernel="5.15.90.1-microsoft-standard-WSL2", nodes=(a_node("/dev/dxg"),), facts=facts)

    assert [(card.kind, card.vendor_id) for card in judged.cards(host)] == [("wsl", NVIDIA), ("wsl", INTEL)]


def test_wsl_with_an_adapter_and_no_known_driver_has_a_card_of_unknown_vendor() -> None:
    host = a_host(kernel="5.15.90.1-microsoft-standard-WSL2", nodes=(a_node("/dev/dxg"),))

    assert [(card.kind, card.vendor_id) for card in judged.cards(host)] == [("wsl", None)]


def test_wsl_without_an_adapter_has_no_card() -> None:
    assert judged.cards(a_host(kernel="5.15.90.1-microsoft-standard-WSL2")) == ()


@pytest.mark.parametrize(
    ("kernel", "version"),
    [
        ("5.15.90.1-microsoft-standard-WSL2", 2),
        ("4.19.84-microsoft-standard", 2),
        ("4.4.0-19041-Microsoft", 1),
        ("6.5.0-1025-azure", None),
    ],
)
def test_wsl_shows_in_the_kernels_name(kernel: str, version: int | None) -> None:
    assert judged.wsl(a_host(kernel=kernel)) == version


def test_wsl_with_a_kernel_of_ones_own_shows_by_its_surroundings() -> None:
    assert judged.wsl(a_host(kernel="6.1.21-mine", environ={"WSL_DISTRO_NAME": "Debian"})) == 2


LINUX_DRIVER, WINDOWS_DRIVER = "/usr/lib/x86_64-linux-gnu/libcuda.so.1", "/usr/lib/wsl/lib/libcuda.so.1"


@pytest.mark.parametrize(
    ("kernel", "path", "environ", "found"),
    [
        ("5.15.90.1-microsoft-standard-WSL2", LINUX_DRIVER, {}, LINUX_DRIVER),
        ("5.15.90.1-microsoft-standard-WSL2", WINDOWS_DRIVER, {}, None),
        ("5.15.90.1-microsoft-standard-WSL2", LINUX_DRIVER, {"container": "docker"}, None),
        ("6.8.0-48-generic", LINUX_DRIVER, {}, None),
    ],
)
def test_a_driver_for_linux_inside_wsl_is_noticed(kernel: str, path: str, environ: dict[str, str], found: str | None) -> None:
    library = FoundLibrary("libcuda.so.1", path, path, "linker cache")

    assert judged.foreign_to_wsl(a_host(kernel=kernel, environ=environ, libraries=(library,)), ("libcuda.so.1",)) == found
    assert judged.foreign_to_wsl(a_host(kernel=kernel, environ=environ), ("libcuda.so.1",)) is None


def tegra_release(release: int, revision: str = "4.3") -> dict[str, str]:
    return {
        "/etc/nv_tegra_release": f"# R{release} (release), REVISION: {revision}, GCID: 1, BOARD: generic\n",
    }


@pytest.mark.parametrize(
    ("release", "version", "supported"),
    [(32, 4, False), (34, 5, True), (35, 5, True), (36, 6, True), (38, 7, True), (39, 7, True)],
)
def test_jetpack_follows_from_the_linux_for_tegra_release(release: int, version: int, supported: bool) -> None:
    found = judged.jetpack(a_host(tegra_release(release), machine="aarch64"))

    assert found is not None
    assert (found.version, found.supported, found.l4t, found.problem) == (version, supported, f"{release}.4.3", None)


@pytest.mark.parametrize(("value", "version"), [("6", 6), (" 6.2 ", 6), ('"5"', 5), ("5.1.2", 5)])
def test_the_variable_wins_over_what_is_installed(value: str, version: int) -> None:
    found = judged.jetpack(a_host(tegra_release(36), machine="aarch64", environ={"JETSON_JETPACK": value}))

    assert found is not None
    assert (found.version, found.source) == (version, "JETSON_JETPACK")


@pytest.mark.parametrize("value", ["six", "jetpack6", "-6", "6;rm", "v6"])
def test_a_variable_that_is_no_number_is_not_followed_and_is_named(value: str) -> None:
    found = judged.jetpack(a_host(tegra_release(36), machine="aarch64", environ={"JETSON_JETPACK": value}))

    assert found is not None
    assert found.version == 6
    assert value in (found.problem or "")


def test_an_unknown_release_is_a_jetson_of_unknown_jetpack() -> None:
    found = judged.jetpack(a_host(tegra_release(41), machine="aarch64"))

    assert found is not None
    assert (found.version, found.supported) == (None, None)
    assert "41" in (found.problem or "")


def test_a_release_file_of_another_form_is_named() -> None:
    found = judged.jetpack(a_host({"/etc/nv_tegra_release": "something else"}, machine="aarch64"))

    assert found is not None
    assert "/etc/nv_tegra_release" in (found.problem or "")


@pytest.mark.parametrize("environ", [{}, {"JETSON_JETPACK": ""}, {"JETSON_JETPACK": "''"}])
def test_an_arm_server_has_no_jetpack(environ: dict[str, str]) -> None:
    assert judged.jetpack(a_host(machine="aarch64", environ=environ)) is None


def test_the_variable_means_nothing_on_other_processors() -> None:
    assert judged.jetpack(a_host(tegra_release(36), environ={"JETSON_JETPACK": "6"})) is None


@pytest.mark.parametrize(
    ("texts", "environ", "name"),
    [
        ({"/.dockerenv": ""}, {}, "docker"),
        ({"/run/.containerenv": 'engine="podman"'}, {}, "podman"),
        ({"/.dockerenv": ""}, {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, "kubernetes"),
        ({"/run/systemd/container": "lxc\n"}, {}, "lxc"),
        ({"/proc/version": ""}, {"container": "systemd-nspawn"}, "systemd-nspawn"),
        ({"/proc/self/cgroup": "0::/system.slice/docker-0123456789ab.scope\n"}, {}, "docker"),
        ({"/proc/self/cgroup": "5:memory:/docker/0123456789ab\n"}, {}, "docker"),
        ({"/proc/self/cgroup": "0::/kubepods.slice/kubepods-pod1.slice/x\n"}, {}, "kubernetes"),
        ({"/proc/self/cgroup": "0::/lxc.payload.web/init.scope\n"}, {}, "lxc"),
        ({"/proc/self/cgroup": "0::/system.slice/docker.service\n"}, {}, "none"),
        ({"/proc/self/cgroup": "0::/user.slice/user-1000.slice/session-2.scope\n"}, {}, "none"),
        ({"/proc/version": ""}, {"APPTAINER_CONTAINER": "/x.sif"}, "apptainer"),
    ],
)
def test_a_container_is_known_by_its_marks(texts: dict[str, str], environ: dict[str, str], name: str) -> None:
    assert judged.container(a_host(texts, environ=environ)) == name


def test_a_mark_that_may_not_be_read_is_a_mark() -> None:
    host = a_host()._replace(texts={"/run/.containerenv": Reading(None, "denied"), "/.dockerenv": Reading(None, "absent")})

    assert judged.container(host) == "podman"


def test_where_a_mark_gave_an_error_nobody_knows_whether_this_is_a_container() -> None:
    texts = {"/run/.containerenv": Reading(None, "error: Too many open files"), "/.dockerenv": Reading(None, "absent")}

    assert judged.container(a_host()._replace(texts=texts)) is None
    assert judged.container(a_host()._replace(texts={**texts, "/.dockerenv": Reading("")})) == "docker"


@pytest.mark.parametrize(
    ("texts", "name"),
    [
        ({"/sys/class/dmi/id/sys_vendor": "QEMU\n"}, "QEMU"),
        ({"/sys/class/dmi/id/sys_vendor": "VMware, Inc.\n"}, "VMware"),
        (
            {
                "/sys/class/dmi/id/sys_vendor": "Microsoft Corporation\n",
                "/sys/class/dmi/id/product_name": "Virtual Machine\n",
            },
            "Hyper-V",
        ),
        (
            {"/sys/class/dmi/id/sys_vendor": "Amazon EC2\n", "/sys/class/dmi/id/product_name": "g5.xlarge\n"},
            "Amazon EC2",
        ),
        ({"/sys/class/dmi/id/sys_vendor": "Amazon EC2\n", "/sys/class/dmi/id/product_name": "g5.metal\n"}, None),
        ({"/sys/hypervisor/type": "xen\n"}, "Xen"),
        ({"/proc/cpuinfo": BLOCK}, "virtual machine"),
        ({"/proc/cpuinfo": BLOCK.replace(" hypervisor", "")}, "none"),
        ({"/proc/cpuinfo": "Features\t: asimd\n"}, None),
        ({"/sys/class/dmi/id/sys_vendor": "Dell Inc.\n", "/proc/cpuinfo": "flags : avx\n"}, "none"),
    ],
)
def test_a_hypervisor_is_named_as_far_as_it_says(texts: dict[str, str], name: str | None) -> None:
    assert judged.virtualization(a_host(texts)) == name


@pytest.mark.parametrize(
    ("host", "name"),
    [
        (a_host({"/etc/os-release": 'NAME="Ubuntu"\nPRETTY_NAME="Ubuntu 24.04.1 LTS"\n'}), "Ubuntu 24.04.1 LTS"),
        (a_host({"/usr/lib/os-release": "NAME=NixOS\n"}), "NixOS"),
        (a_host({"/etc/os-release": "rubbish"}), None),
        (a_host(), None),
        (a_host(platform="darwin", facts={"kern.osproductversion": "15.1"}), "macOS 15.1"),
        (a_host(platform="win32", facts={"windows_build": 26100}), "Windows 11 (build 26100)"),
    ],
)
def test_the_operating_system_has_the_name_that_people_know(host: Host, name: str | None) -> None:
    assert judged.operating_system(host) == name


def test_a_processor_with_efficient_cores_is_counted_right() -> None:
    """Ten cores, six of them with two threads: 16 threads."""
    found = judged.processor(a_host({"/proc/cpuinfo": BLOCK, "/sys/devices/system/cpu/online": "0-15\n"}))

    assert (found.model, found.cores, found.threads) == ("Some Processor", 10, 16)
    assert found.features == ("avx", "f16c", "fma", "avx2")


@pytest.mark.parametrize(("text", "features"), [("", None), ("model name : X\n", None), ("flags : fpu vme\n", ())])
def test_a_processor_of_which_nobody_tells_the_sets_is_not_one_without_any(text: str, features: object) -> None:
    assert judged.processor(a_host({"/proc/cpuinfo": text})).features == features


def test_two_sockets_count_twice() -> None:
    found = judged.processor(a_host({"/proc/cpuinfo": BLOCK, "/sys/devices/system/cpu/online": "0-15,16-31\n"}))

    assert (found.cores, found.threads) == (20, 32)


def test_an_arm_processor_is_named_by_its_part() -> None:
    texts = {
        "/proc/cpuinfo": "processor\t: 0\nFeatures\t: asimd asimddp sve\nCPU implementer\t: 0x41\nCPU part\t: 0xd4f\n",
        "/sys/devices/system/cpu/online": "0-71\n",
        "/sys/devices/system/cpu/cpu0/topology/thread_siblings_list": "0\n",
    }

    found = judged.processor(a_host(texts, machine="aarch64"))

    assert (found.model, found.cores, found.threads) == ("Arm Neoverse V2", 72, 72)
    assert found.features == ("neon", "dotprod", "sve")


def test_caches_are_in_bytes() -> None:
    place = "/sys/devices/system/cpu/cpu0/cache"
    texts = {
        f"{place}/index0/level": "1\n",
        f"{place}/index0/type": "Data\n",
        f"{place}/index0/size": "32K\n",
        f"{place}/index3/level": "3\n",
        f"{place}/index3/type": "Unified\n",
        f"{place}/index3/size": "36M\n",
        f"{place}/index4/level": "rubbish\n",
    }

    assert judged.processor(a_host(texts)).caches == (
        judged.Cache(level=1, type="Data", size=32 * KIB),
        judged.Cache(level=3, type="Unified", size=36 * MiB),
    )


def test_nothing_known_of_a_processor_is_unknown_and_not_zero() -> None:
    assert judged.processor(a_host()) == judged.Processor(None, None, None, None, ())


def test_macos_and_windows_say_the_same_in_their_own_words() -> None:
    apple = a_host(
        platform="darwin",
        facts={
            "machdep.cpu.brand_string": "Apple M3",
            "hw.physicalcpu": 8,
            "cpu_count": 8,
            "hw.optional.arm.FEAT_DotProd": 1,
        },
    )
    windows = a_host(
        platform="win32",
        facts={
            "ProcessorNameString": "AMD Ryzen 9",
            "cpu_cores": 16,
            "cpu_count": 32,
            "PF_AVX2_INSTRUCTIONS_AVAILABLE": 1,
        },
    )

    assert judged.processor(apple) == judged.Processor("Apple M3", 8, 8, ("dotprod",))
    assert judged.processor(windows) == judged.Processor("AMD Ryzen 9", 16, 32, ("avx2",))


def test_memory_without_a_limit_is_what_the_kernel_says() -> None:
    assert judged.memory(a_host({"/proc/meminfo": MEMINFO})) == judged.Memory(16 * GiB, 8 * GiB, 2 * GiB, 1 * GiB)


def test_before_mem_available_free_and_caches_are_added() -> None:
    meminfo = "MemTotal: 1000 kB\nMemFree: 100 kB\nBuffers: 20 kB\nCached: 3 kB\n"

    assert judged.memory(a_host({"/proc/meminfo": meminfo})).available == 123 * KIB


def limited(limit: str, current: str = "0", stat: str = "", place: str = "/sys/fs/cgroup") -> dict[str, str]:
    return {f"{place}/memory.max": limit, f"{place}/memory.current": current, f"{place}/memory.stat": stat}


def test_a_containers_limit_bounds_what_is_available() -> None:
    """Limits were ignored, and page cache counted as used."""
    stat = f"anon 1\ninactive_file {1 * GiB}\n"

    found = judged.memory(a_host({"/proc/meminfo": MEMINFO, **limited(str(4 * GiB), str(3 * GiB), stat)}))

    assert (found.total, found.available) == (16 * GiB, 2 * GiB)
    assert (found.limit, found.limit_source) == (4 * GiB, "/sys/fs/cgroup/memory.max")


@pytest.mark.parametrize("limit", ["max", "9223372036854771712", str(16 * GiB), str(64 * GiB), "rubbish", ""])
def test_what_is_no_limit_bounds_nothing(limit: str) -> None:
    found = judged.memory(a_host({"/proc/meminfo": MEMINFO, **limited(limit, str(15 * GiB))}))

    assert (found.available, found.limit, found.limit_source) == (8 * GiB, None, None)


def test_a_limit_that_is_used_up_leaves_nothing_and_never_less() -> None:
    found = judged.memory(a_host({"/proc/meminfo": MEMINFO, **limited(str(1 * GiB), str(2 * GiB))}))

    assert found.available == 0


def test_the_tightest_group_above_the_process_decides() -> None:
    inner = limited(str(8 * GiB), str(1 * GiB), place="/sys/fs/cgroup/a/b")
    outer = limited(str(6 * GiB), str(5 * GiB), place="/sys/fs/cgroup/a")

    found = judged.memory(a_host({"/proc/meminfo": MEMINFO, **inner, **outer}))

    assert (found.available, found.limit, found.limit_source) == (1 * GiB, 6 * GiB, "/sys/fs/cgroup/a/memory.max")


def test_version_1_counts_the_page_cache_of_its_children() -> None:
    place = "/sys/fs/cgroup/memory"
    texts = {
        "/proc/meminfo": MEMINFO,
        f"{place}/memory.limit_in_bytes": str(4 * GiB),
        f"{place}/memory.usage_in_bytes": str(4 * GiB),
        f"{place}/memory.stat": f"inactive_file 0\ntotal_inactive_file {1 * GiB}\n",
    }

    assert judged.memory(a_host(texts)).available == 1 * GiB


def test_memory_elsewhere_is_what_the_system_says() -> None:
    facts = {"memory_total": 8 * GiB, "memory_available": 3 * GiB, "swap_total": 0, "swap_free": 0}

    assert judged.memory(a_host(platform="win32", facts=facts)) == judged.Memory(8 * GiB, 3 * GiB, 0, 0)


LINES = st.lists(
    st.tuples(
        st.sampled_from(["MemTotal", "MemAvailable", "MemFree", "flags", "siblings", "cpu cores", ""]),
        st.text(max_size=12),
    ),
    max_size=8,
).map(lambda rows: "\n".join(f"{name}:{value}" for name, value in rows))
SIZES = st.one_of(st.integers(0, 2**66).map(str), st.text(max_size=8))


@given(LINES, LINES, st.text(max_size=30))
def test_no_text_makes_the_reading_of_processor_and_memory_fail(meminfo: str, cpuinfo: str, online: str) -> None:
    host = a_host({"/proc/meminfo": meminfo, "/proc/cpuinfo": cpuinfo, "/sys/devices/system/cpu/online": online})

    cores, threads = judged.processor(host)[1:3]

    assert cores is None or threads is None or 0 < cores <= threads
    assert judged.memory(host).limit is None


@given(limit=SIZES, current=SIZES, stat=SIZES.map("inactive_file {}\n".format))
def test_available_memory_stays_between_nothing_and_the_total(limit: str, current: str, stat: str) -> None:
    found = judged.memory(a_host({"/proc/meminfo": MEMINFO, **limited(limit, current, stat)}))

    if found.available is None:  # what the group holds is not told, so what it leaves is unknown
        assert found.limit is not None
        assert not current.strip().isdecimal()
        return
    assert 0 <= found.available <= 8 * GiB
    assert found.limit is None or found.available <= found.limit


@given(st.text(max_size=40), st.text(max_size=12))
def test_no_text_makes_the_naming_of_the_machine_fail(text: str, value: str) -> None:
    paths = ("/etc/os-release", "/etc/nv_tegra_release", "/proc/self/cgroup", "/proc/device-tree/compatible")
    host = a_host(dict.fromkeys(paths, text), machine="aarch64", environ={"JETSON_JETPACK": value})

    named = (judged.operating_system(host), judged.container(host), judged.virtualization(host), judged.jetpack(host))

    assert named[1] is not None
    assert judged.wsl(host) is None


@pytest.mark.parametrize(("present", "name"), [(1, "virtual machine"), (0, "none"), (None, None)])
def test_macos_says_itself_whether_it_is_in_a_virtual_machine(present: int | None, name: str | None) -> None:
    facts = {} if present is None else {"kern.hv_vmm_present": present}

    assert judged.virtualization(a_host(platform="darwin", facts=facts)) == name


@pytest.mark.parametrize(
    ("texts", "platform", "name"),
    [
        ({"/proc/device-tree/compatible": "linux,dummy-virt"}, "linux", "QEMU"),
        ({"/sys/class/dmi/id/product_name": "KVM"}, "linux", "KVM"),
        ({"/sys/class/dmi/id/sys_vendor": "Microsoft Corporation", "/proc/cpuinfo": "flags: x"}, "linux", "none"),
        ({}, "win32", None),
        ({"/sys/class/dmi/id/sys_vendor": "QEMU"}, "win32", "QEMU"),
    ],
)
def test_a_hypervisor_is_named_by_any_of_its_signs(texts: dict[str, str], platform: str, name: str | None) -> None:
    assert judged.virtualization(a_host(texts, platform=platform)) == name


@pytest.mark.parametrize(
    ("texts", "environ", "name"),
    [
        ({"/x": ""}, {"KUBERNETES_SERVICE_HOST": "1"}, "kubernetes"),
        ({"/x": ""}, {"SINGULARITY_CONTAINER": "x"}, "apptainer"),
        ({"/x": ""}, {"SNAP_NAME": "x"}, "snap"),
        ({"/.flatpak-info": ""}, {}, "flatpak"),
        ({"/run/systemd/container": "oci", "/proc/self/cgroup": "0::/lxc.payload.x"}, {"container": "podman"}, "oci"),
        ({"/proc/self/cgroup": "0::/lxc.payload.x"}, {"container": "'podman'"}, "podman"),
        ({"/proc/self/cgroup": "0::/a/libpod-x/b"}, {}, "podman"),
        ({"/proc/self/cgroup": "0::/systemd-nspawn@x.service"}, {}, "systemd-nspawn"),
        ({"/proc/self/cgroup": "0::/docker-x.scope"}, {}, "docker"),
        ({"/proc/self/cgroup": "0::/docker-x"}, {}, "none"),
        ({"/proc/self/cgroup": "1:x:/docker/y"}, {}, "docker"),
        ({"/proc/self/cgroup": "1:x:/lxc"}, {}, "lxc"),
        ({"/proc/self/cgroup": "docker"}, {}, "none"),
        ({}, {}, None),
    ],
)
def test_a_container_is_known_by_the_surest_of_its_signs(
    texts: dict[str, str], environ: dict[str, str], name: str | None
) -> None:
    assert judged.container(a_host(texts, environ=environ)) == name
    assert judged.container(a_host(texts, environ=environ, platform="darwin")) is None


AT = "0000:01:00.0"
INFORMATION = f"/proc/driver/nvidia/gpus/{AT}/information"


@pytest.mark.parametrize(
    ("text", "name", "file"),
    [
        ("Model: \t RTX 4090 \nDevice Minor: \t 3\n", "RTX 4090", "/dev/nvidia3"),
        ("Model: Unknown\nDevice Minor: 007", None, "/dev/nvidia7"),
        ("Model: ?\nDevice Minor: 12345", None, None),
        ("Model:\nDevice Minor:", None, None),
        ("", None, None),
    ],
)
def test_the_kernel_driver_names_a_card_and_its_file(text: str, name: str | None, file: str | None) -> None:
    host = a_host({INFORMATION: text}, pci=(a_function(NVIDIA),))
    address = host.pci[0].address
    there = a_host({f"/proc/driver/nvidia/gpus/{address}/information": text}, pci=host.pci)

    assert judged.device_file(there, address) == file
    (card,) = judged.cards(there)
    assert card.name == name
    assert judged.card_at(there, address) == card
    assert judged.card_at(there, "0000:99:00.0") is None


RELEASE = "/etc/nv_tegra_release"
UNKNOWN_RELEASE = "is not a release that gpuprobe knows; set JETSON_JETPACK"
NO_NUMBER = "JETSON_JETPACK is `six`, and not a number such as 6 or 6.2: it is ignored"


@pytest.mark.parametrize(
    ("text", "variable", "expected"),
    [
        ("# R36 (release)", "", (6, RELEASE, "36", None)),
        ("# R36 (release), REVISION: 4.", "", (6, RELEASE, "36.4", None)),
        ("# R99 (release), REVISION: 1.0", "", (None, RELEASE, "99.1.0", f"Linux for Tegra 99.1.0 {UNKNOWN_RELEASE}")),
        ("x", "", (None, RELEASE, None, f"`{RELEASE}` names no release; set JETSON_JETPACK, for example to 6")),
        ("x", "six", (None, RELEASE, None, NO_NUMBER)),
        ("# R99 (release)", "six", (None, RELEASE, "99", NO_NUMBER)),
        (None, "six", (None, "JETSON_JETPACK", None, NO_NUMBER)),
        (None, "6.", (6, "JETSON_JETPACK", None, None)),
        (None, "", None),
    ],
)
def test_a_jetson_s_release_is_told_with_its_source_and_what_is_wrong_with_it(
    text: str | None, variable: str, expected: tuple[object, ...] | None
) -> None:
    texts = {} if text is None else {"/etc/nv_tegra_release": text}

    for chip in ("aarch64", "arm64"):
        assert judged.jetpack(a_host(texts, machine=chip, environ={"JETSON_JETPACK": variable})) == expected
    assert judged.jetpack(a_host(texts, platform="darwin", machine="arm64", environ={"JETSON_JETPACK": "6"})) is None


@pytest.mark.parametrize(
    ("status", "drm", "asleep", "node"),
    [
        ("suspended", ("card0",), True, None),
        ("active", ("card0", "renderD129", "renderD130"), False, "/dev/dri/renderD129"),
        ("suspending", (), None, None),
    ],
)
def test_a_card_has_what_its_function_shows(status: str, drm: tuple[str, ...], asleep: bool | None, node: str | None) -> None:
    function = a_function(NVIDIA)._replace(runtime_status=status, drm=drm, product="of the list", driver_override="vfio-pci")

    (card,) = judged.cards(a_host(pci=(function,)))

    assert (card.was_asleep, card.render_node, card.name, card.driver_override) == (asleep, node, "of the list", "vfio-pci")


def test_what_looks_like_a_card_is_told_with_its_numbers() -> None:
    function = a_function(0x4321, 0x1, 0x068000)

    (found,) = judged.bystanders(a_host(pci=(function, a_function(NVIDIA))))

    assert tuple(found) == (function.address, "bridge", 0x4321, 0x1)


def test_a_gpu_beside_the_processor_is_a_card_where_it_has_a_render_node_and_a_known_driver() -> None:
    def found(driver: str | None, *drm: str) -> list[tuple[str | None, str | None]]:
        host = a_host(off_the_bus=(DrmDevice("x", driver, drm),))
        return [(card.driver, card.render_node) for card in judged.cards(host)]

    assert found("panfrost", "card0", "renderD128") == [("panfrost", "/dev/dri/renderD128")]
    assert found("panfrost", "card0") == found(None, "renderD128") == found("nothing", "renderD128") == []


def test_a_board_s_gpu_takes_what_its_driver_shows() -> None:
    host = tegra("tegra234")
    driven = host._replace(off_the_bus=(DrmDevice("y", "panfrost", ("renderD129",)), DrmDevice("x", "tegra", ("renderD128",))))

    kinds = [(card.kind, card.driver) for card in judged.cards(driven)]

    assert ("board", "nvgpu") in kinds or ("board", "tegra") in kinds
    assert ("platform", "panfrost") in kinds
    bare = tegra("tegra234")._replace(texts={p: t for p, t in host.texts.items() if "module" not in p})
    assert [card.driver for card in judged.cards(bare)] == [None]
