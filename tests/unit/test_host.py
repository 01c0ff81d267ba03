"""The survey of a machine: what is read, what is not touched, and what becomes of files full of rubbish."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gpuprobe.facts import Host, PciFunction, Reading
from gpuprobe.machine.mode_bits import may_open
from gpuprobe.survey import installed, other_systems
from gpuprobe.survey.host import read_host
from gpuprobe.survey.pci import product_name
from gpuprobe.survey.tree import Tree
from tests.file_trees import ELF_I386, ELF_X86_64, LIBC6_X86_64, RTX_4090, RX_7900, linker_cache, machine

UBUNTU = 'NAME="Ubuntu"\nPRETTY_NAME="Ubuntu 24.04.1 LTS"\n'
PCI_IDS = (
    b"# vendors\n\n1002  Advanced Micro Devices, Inc. [AMD/ATI]\n\t744c  Navi 31 [Radeon RX 7900 XT/7900 XTX]\n"
    b"\t\t1002 0e3b  a subsystem\n10de  NVIDIA Corporation\n\t2204  GA102\n\t2684  AD102 [GeForce RTX 4090]\n"
    b"8086  Intel Corporation\n\t56a0  DG2 [Arc A770]\nC 03  Display controller\n\t00  VGA compatible controller\n"
)


def survey(root: str, environ: dict[str, str] | None = None, **more: Any) -> Host:
    return read_host(root, environ or {}, platform="linux", **{"machine": "x86_64", **more})


def test_this_machine_can_be_surveyed() -> None:
    host = read_host()

    assert host.platform == sys.platform
    assert host.kernel == os.uname().release
    assert host.uid == os.geteuid()
    assert "MemTotal" in (host.texts["/proc/meminfo"].text or "")


def test_the_survey_of_linux_imports_neither_psutil_nor_any_binding() -> None:
    code = "import sys; from gpuprobe.survey.host import read_host; read_host(); print(*sys.modules)"

    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert "gpuprobe.survey.host" in said.stdout
    assert not {"psutil", "pynvml", "rich", "ctypes"} & set(said.stdout.split())


def test_an_empty_machine_gives_reasons_and_no_error(tmp_path: Path) -> None:
    host = survey(machine(tmp_path))

    assert host.texts["/proc/meminfo"] == Reading(None, "absent")
    assert (host.pci, host.nodes, host.libraries, host.manifests) == ((), (), (), ())
    assert host.facts["pci_problem"] == "absent"


def test_a_bus_without_gpus_differs_from_a_bus_that_cannot_be_seen(tmp_path: Path) -> None:
    (tmp_path / "sys/bus/pci/devices").mkdir(parents=True)

    assert survey(str(tmp_path)).facts["pci_problem"] is None


def test_a_card_is_read_as_sysfs_shows_it(tmp_path: Path) -> None:
    (function,) = survey(machine(tmp_path, pci={"0000:01:00.0": RTX_4090})).pci

    assert function == PciFunction(
        address="0000:01:00.0",
        vendor=0x10DE,
        device=0x2684,
        class_code=0x030000,
        driver="nvidia",
        driver_override=None,
        runtime_status="active",
        numa_node=0,
        current_link_speed="16.0 GT/s PCIe",
        current_link_width=16,
        max_link_speed="16.0 GT/s PCIe",
        max_link_width=16,
        drm=("card0", "renderD128"),
    )


def test_numa_node_minus_one_is_unknown(tmp_path: Path) -> None:
    (function,) = survey(machine(tmp_path, pci={"0000:03:00.0": RX_7900})).pci

    assert function.numa_node is None


def test_a_sleeping_card_is_not_asked_for_its_link(tmp_path: Path) -> None:
    """From Linux 6.18 on, reading the state of the link wakes the card."""
    asleep = {**RTX_4090, "power/runtime_status": "suspended\n"}

    (function,) = survey(machine(tmp_path, pci={"0000:01:00.0": asleep})).pci

    assert function.runtime_status == "suspended"
    assert (function.current_link_speed, function.current_link_width, function.max_link_width) == (None, None, None)


def test_the_survey_never_opens_what_would_wake_a_card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asleep = {**RTX_4090, "power/runtime_status": "suspended\n", "config": "would wake it"}
    root = machine(tmp_path, pci={"0000:01:00.0": asleep}, nodes={"/dev/nvidia0": 0o666, "/dev/dri/renderD128": 0o660})
    opened: list[str] = []
    really = os.open

    def noting(path: str, flags: int) -> int:
        opened.append(path)
        return really(path, flags)

    monkeypatch.setattr(os, "open", noting)

    survey(root)

    assert any(path.endswith("0000:01:00.0/vendor") for path in opened)
    assert [path for path in opened if path.endswith(("/config", "link_speed", "link_width")) or "/dev/" in path] == []


def test_only_displays_accelerators_and_nvidias_bridges_are_kept(tmp_path: Path) -> None:
    kinds = {
        "0000:00:02.0": ("0x8086", "0x030000"),
        "0000:01:00.0": ("0x10de", "0x030200"),
        "0000:01:00.1": ("0x10de", "0x040300"),
        "0000:02:00.0": ("0x1002", "0x120000"),
        "0000:03:00.0": ("0x8086", "0x0b4000"),
        "0000:04:00.0": ("0x10de", "0x068000"),
        "0000:05:00.0": ("0x8086", "0x068000"),
        "0000:06:00.0": ("0x8086", "0x020000"),
    }
    pci = {address: {"vendor": vendor, "device": "0x1", "class": kind} for address, (vendor, kind) in kinds.items()}

    kept = [function.address for function in survey(machine(tmp_path, pci=pci)).pci]

    assert kept == ["0000:00:02.0", "0000:01:00.0", "0000:02:00.0", "0000:03:00.0", "0000:04:00.0"]


def test_functions_come_in_the_order_of_their_addresses(tmp_path: Path) -> None:
    addresses = ("10000:01:00.0", "0001:01:00.0", "0000:C1:00.0", "0000:0a:00.0")
    pci = {address: {"class": "0x030000"} for address in addresses}

    listed = [function.address for function in survey(machine(tmp_path, pci=pci)).pci]

    assert listed == ["0000:0a:00.0", "0000:c1:00.0", "0001:01:00.0", "10000:01:00.0"]


@pytest.mark.parametrize("file", [name for name in RTX_4090 if name not in ("driver", "drm", "class")])
@pytest.mark.parametrize("rubbish", [b"", b"\xff\xfe\x00", b"-7", b"0xzz", b"9" * 5000])
def test_rubbish_in_one_file_costs_no_other_field(tmp_path: Path, file: str, rubbish: bytes) -> None:
    root = machine(tmp_path, pci={"0000:01:00.0": RTX_4090}, files={f"sys/devices/pci0000:00/0000:01:00.0/{file}": rubbish})

    (function,) = survey(root).pci

    assert (function.address, function.class_code, function.driver) == ("0000:01:00.0", 0x030000, "nvidia")
    if file == "vendor":
        assert (function.vendor, function.device) == (None, 0x2684)


def test_a_display_whose_class_is_rubbish_is_kept_by_its_drm_devices(tmp_path: Path) -> None:
    root = machine(tmp_path, pci={"0000:01:00.0": {**RTX_4090, "class": "rubbish"}})

    (function,) = survey(root).pci

    assert (function.class_code, function.vendor) == (None, 0x10DE)


def test_names_that_are_no_addresses_are_passed_over(tmp_path: Path) -> None:
    assert survey(machine(tmp_path, pci={"notes.txt": RTX_4090, "0000:01:00": RTX_4090})).pci == ()


@pytest.mark.parametrize("path", ["usr/share/hwdata/pci.ids", "usr/share/misc/pci.ids"])
def test_products_are_named_where_the_machine_has_the_names(tmp_path: Path, path: str) -> None:
    root = machine(tmp_path, pci={"0000:01:00.0": RTX_4090, "0000:03:00.0": RX_7900}, files={path: PCI_IDS})

    assert [function.product for function in survey(root).pci] == [
        "AD102 [GeForce RTX 4090]",
        "Navi 31 [Radeon RX 7900 XT/7900 XTX]",
    ]


@pytest.mark.parametrize(
    ("vendor", "device", "name"),
    [
        (0x8086, 0x56A0, "DG2 [Arc A770]"),
        (0x10DE, 0x744C, None),  # another vendor's device
        (0x10DE, 0x0E3B, None),  # a subsystem
        (0x10DE, None, None),
        (0x1234, 0x1111, None),
    ],
)
def test_a_product_is_looked_for_below_its_own_vendor_only(vendor: int, device: int | None, name: str | None) -> None:
    assert product_name(PCI_IDS, vendor, device) == name


@given(st.binary(max_size=200), st.integers(0, 0xFFFF))
def test_no_list_of_names_makes_the_look_up_fail(names: bytes, device: int) -> None:
    found = product_name(PCI_IDS + b"10de  again\n" + names, 0x10DE, device)

    assert found is None or found


def test_a_file_that_may_not_be_read_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)

    assert Tree().read("/proc/driver/nvidia/params") == Reading(None, "denied")


def test_a_file_that_is_a_directory_says_so(tmp_path: Path) -> None:
    assert Tree(str(tmp_path)).read("/") == Reading(None, "error: Is a directory")


def test_a_pipe_in_the_place_of_a_file_holds_nothing_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    assert Tree(str(tmp_path)).read("/pipe") == Reading(None, "error: no ordinary file")


def test_a_text_is_read_up_to_a_bound_and_stays_printable(tmp_path: Path) -> None:
    root = machine(tmp_path, files={"/long": b"\xff" + b"x" * 100_000})

    text = Tree(root).read("/long").text

    assert text is not None
    assert text.startswith("\\xffx")
    assert len(text) == 64 * 1024 + 3


def test_only_the_first_processor_is_kept_verbatim(tmp_path: Path) -> None:
    cpuinfo = "processor\t: 0\nmodel name\t: Fast\n\nprocessor\t: 1\nmodel name\t: Faster\n\n"

    host = survey(machine(tmp_path, files={"/proc/cpuinfo": cpuinfo}))

    assert host.texts["/proc/cpuinfo"].text == "processor\t: 0\nmodel name\t: Fast\n"


def test_the_second_place_of_os_release_is_read_where_the_first_is_absent(tmp_path: Path) -> None:
    host = survey(machine(tmp_path, files={"/usr/lib/os-release": UBUNTU}))

    assert host.texts["/usr/lib/os-release"] == Reading(UBUNTU)


def test_nodes_are_described_and_directories_are_not_nodes(tmp_path: Path) -> None:
    nodes = {
        "/dev/nvidia0": 0o666,
        "/dev/nvidia-caps/nvidia-cap1": 0o400,
        "/dev/dri/renderD128": 0o660,
        "/dev/kfd": 0o600,
    }
    root = machine(tmp_path, nodes=nodes, files={"/dev/null": "", "/dev/dri/by-path/x": ""})

    found = {node.path: node.mode for node in survey(root).nodes}

    assert found == nodes


@pytest.mark.parametrize(
    ("mode", "uid", "gids", "allowed"),
    [
        (0o666, 1000, (1000,), True),
        (0o660, 1000, (1000,), False),
        (0o660, 1000, (1000, 44), True),
        (0o600, 7, (1000,), True),
        (0o066, 7, (44,), False),  # the owner's bits decide, not the others'
        (0o606, 1000, (44,), False),
        (0o440, 1000, (44,), False),
        (0o000, 0, (0,), True),
    ],
)
def test_the_first_class_that_fits_decides_who_may_open(mode: int, uid: int, gids: tuple[int, ...], allowed: bool) -> None:
    assert may_open(mode, owner=7, group=44, uid=uid, gids=gids) is allowed


def test_a_library_is_found_through_the_linkers_cache_with_its_real_file(tmp_path: Path) -> None:
    path = "/usr/lib/x86_64-linux-gnu/libcuda.so.1"
    root = machine(
        tmp_path,
        files={
            "/etc/ld.so.cache": linker_cache([(LIBC6_X86_64, "libcuda.so.1", path)]),
            "/usr/lib/x86_64-linux-gnu/libcuda.so.580.95.05": ELF_X86_64,
        },
        links={path: "libcuda.so.580.95.05"},
    )

    (library,) = survey(root).libraries

    assert library == ("libcuda.so.1", path, "/usr/lib/x86_64-linux-gnu/libcuda.so.580.95.05", "linker cache")


def test_the_users_directory_wins_over_the_cache(tmp_path: Path) -> None:
    path = "/usr/lib/x86_64-linux-gnu/libcuda.so.1"
    files = {
        "/etc/ld.so.cache": linker_cache([(LIBC6_X86_64, "libcuda.so.1", path)]),
        path: ELF_X86_64,
        "/stub/libcuda.so.1": ELF_X86_64,
    }

    (library,) = survey(machine(tmp_path, files=files), {"LD_LIBRARY_PATH": "/stub"}).libraries

    assert (library.path, library.where) == ("/stub/libcuda.so.1", "LD_LIBRARY_PATH")


def test_a_32_bit_driver_alone_is_no_driver_for_this_process(tmp_path: Path) -> None:
    files = {
        "/usr/lib/libcuda.so.1": ELF_I386,
        "/usr/lib/libvulkan.so.1": ELF_I386,
        "/usr/lib64/libvulkan.so.1": ELF_X86_64,
    }

    (library,) = survey(machine(tmp_path, files=files)).libraries

    assert library.path == "/usr/lib64/libvulkan.so.1"


@pytest.mark.parametrize(
    ("directory", "arch"),
    [
        ("/usr/lib/wsl/lib", "x86_64"),
        ("/run/opengl-driver/lib", "x86_64"),
        ("/usr/lib/aarch64-linux-gnu/tegra", "aarch64"),
        ("/usr/lib/aarch64-linux-gnu/nvidia", "aarch64"),
        ("/usr/local/nvidia/lib64", "x86_64"),
        ("/usr/local/cuda/compat", "x86_64"),
    ],
)
def test_drivers_outside_the_loaders_search_are_found_in_known_places(tmp_path: Path, directory: str, arch: str) -> None:
    root = machine(tmp_path, files={f"{directory}/libcuda.so.1": "not read any further"})

    (library,) = survey(root, machine=arch).libraries

    assert (library.path, library.where) == (f"{directory}/libcuda.so.1", "known place")


def test_libraries_of_a_conda_environment_are_found_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "conda-meta").mkdir()
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "libze_loader.so.1").write_bytes(ELF_X86_64)
    monkeypatch.setattr("sys.base_prefix", str(tmp_path))

    places = list(installed._of_this_python(Tree("/")))

    assert places == [f"{tmp_path}/lib"]
    assert installed._of_this_python(Tree(str(tmp_path))) == []


def test_a_python_without_conda_has_no_place_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.base_prefix", str(tmp_path))

    assert installed._of_this_python(Tree("/")) == []


def test_each_rocm_is_searched(tmp_path: Path) -> None:
    root = machine(
        tmp_path,
        files={"/opt/rocm-6.4.1/lib/libamdhip64.so.6": ELF_X86_64, "/opt/rocm-7.0.0/lib/libamdhip64.so.7": ELF_X86_64},
    )

    assert [library.path for library in survey(root).libraries] == [
        "/opt/rocm-7.0.0/lib/libamdhip64.so.7",
        "/opt/rocm-6.4.1/lib/libamdhip64.so.6",
    ]


def test_musl_searches_where_its_path_file_says(tmp_path: Path) -> None:
    files = {
        "/lib/ld-musl-x86_64.so.1": b"",
        "/etc/ld-musl-x86_64.path": b"/a\n/b:/c\n",
        "/c/libvulkan.so.1": ELF_X86_64,
    }

    (library,) = survey(machine(tmp_path, files=files)).libraries

    assert (library.path, library.where) == ("/c/libvulkan.so.1", "default directory")


def test_manifests_are_read_from_files_and_directories_in_order(tmp_path: Path) -> None:
    files = {"/b/two.json": "{}", "/b/one.json": "not JSON", "/b/readme.txt": "", "/a.json": "{1}", "/c.txt": "{}"}
    environ = {"VK_DRIVER_FILES": "/a.json:/b:/missing.json:/c.txt"}

    manifests = survey(machine(tmp_path, files=files), environ).manifests

    assert [(manifest.path, manifest.reading.text) for manifest in manifests] == [
        ("/a.json", "{1}"),
        ("/b/one.json", "not JSON"),
        ("/b/two.json", "{}"),
    ]


def test_the_standard_manifest_directories_are_searched(tmp_path: Path) -> None:
    files = {
        "/usr/share/vulkan/icd.d/radeon.json": "{}",
        "/etc/vulkan/icd.d/nvidia.json": "{}",
        "/home/me/.local/share/vulkan/icd.d/my.json": "{}",
    }

    manifests = survey(machine(tmp_path, files=files), {"HOME": "/home/me"}).manifests

    assert [manifest.path for manifest in manifests] == [
        "/etc/vulkan/icd.d/nvidia.json",
        "/home/me/.local/share/vulkan/icd.d/my.json",
        "/usr/share/vulkan/icd.d/radeon.json",
    ]


def test_a_manifest_named_from_the_working_directory_is_found_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.json").write_text("{}")

    manifests = read_host("/", {"VK_DRIVER_FILES": "mine.json"}).manifests

    assert [manifest.path for manifest in manifests] == [str(tmp_path / "mine.json")]


def test_a_working_directory_that_is_gone_costs_only_what_is_named_from_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    (tmp_path / "a.json").write_text("{}")

    manifests = read_host("/", {"VK_DRIVER_FILES": f"mine.json:{tmp_path}/a.json"}).manifests

    assert [manifest.path for manifest in manifests] == [f"{tmp_path}/a.json"]


def memory_texts(host: Host) -> list[str]:
    return [path for path in host.texts if path.startswith("/sys/fs/cgroup")]


def test_groups_that_set_a_limit_are_read_up_to_the_root(tmp_path: Path) -> None:
    files = {
        "/proc/self/cgroup": "0::/a/b/c\n",
        "/sys/fs/cgroup/a/b/c/memory.max": "max\n",
        "/sys/fs/cgroup/a/b/memory.max": "1048576\n",
        "/sys/fs/cgroup/a/b/memory.current": "4096\n",
        "/sys/fs/cgroup/a/b/memory.stat": "inactive_file 0\n",
    }

    host = survey(machine(tmp_path, files=files))

    assert memory_texts(host) == [f"/sys/fs/cgroup/a/b/memory.{name}" for name in ("max", "current", "stat")]


def test_inside_a_container_the_root_of_the_mount_counts(tmp_path: Path) -> None:
    """The path in /proc/self/cgroup may be the host's, which is not visible here."""
    files = {"/proc/self/cgroup": "5:memory:/docker/0123\n", "/sys/fs/cgroup/memory/memory.limit_in_bytes": "1048576\n"}

    host = survey(machine(tmp_path, files=files))

    assert memory_texts(host)[0] == "/sys/fs/cgroup/memory/memory.limit_in_bytes"


def test_a_group_outside_the_namespace_leads_nowhere_else(tmp_path: Path) -> None:
    files = {"/proc/self/cgroup": "0::/../../etc\n", "/etc/memory.max": "1\n", "/sys/fs/cgroup/memory.max": "5\n"}

    assert "/sys/fs/cgroup/memory.max" in survey(machine(tmp_path, files=files)).texts
    assert not any(".." in path for path in survey(str(tmp_path)).texts)


@pytest.mark.parametrize("limit", ["9223372036854771712\n", "9223372036854710272\n", "max\n"])
def test_what_means_no_limit_is_not_read_further(tmp_path: Path, limit: str) -> None:
    files = {"/proc/self/cgroup": "5:memory:/\n0::/\n"}
    files |= {"/sys/fs/cgroup/memory/memory.limit_in_bytes": limit, "/sys/fs/cgroup/memory.max": limit}

    assert memory_texts(survey(machine(tmp_path, files=files))) == []


def test_paths_in_the_survey_are_the_machines_own(tmp_path: Path) -> None:
    root = machine(
        tmp_path,
        nodes={"/dev/kfd": 0o660},
        files={"/usr/lib/libcuda.so.1": ELF_X86_64, "/etc/vulkan/icd.d/a.json": "{}"},
    )

    assert str(tmp_path) not in repr(survey(root))


def test_windows_libraries_are_found_and_files_of_linux_are_not_asked_for(tmp_path: Path) -> None:
    files = {"/Windows/System32/nvcuda.dll": "MZ", "/Program Files/NVIDIA Corporation/NVSMI/nvml.dll": "MZ"}

    host = read_host(machine(tmp_path, files=files), {}, platform="win32", machine="AMD64")

    assert [(library.name, library.where) for library in host.libraries] == [
        ("nvcuda.dll", "default directory"),
        ("nvml.dll", "known place"),
    ]
    assert (host.texts, host.pci) == ({}, ())


def test_metal_is_named_on_macos_without_looking_for_a_file(tmp_path: Path) -> None:
    host = read_host(machine(tmp_path), {}, platform="darwin", machine="arm64")

    assert [library.where for library in host.libraries] == ["dyld cache"]


def test_what_macos_says_of_itself_keeps_its_names() -> None:
    answers = {
        "machdep.cpu.brand_string": b"Apple M3 Max\0",
        "hw.memsize": (48 << 30).to_bytes(8, sys.byteorder),
        "hw.physicalcpu": b"",
    }

    assert other_systems.sysctl_facts(answers.get) == {
        "machdep.cpu.brand_string": "Apple M3 Max",
        "hw.memsize": 48 << 30,
    }


RUBBISH = st.one_of(
    st.binary(max_size=60), st.sampled_from([b"\n\n", b"0::/../x\n", b"5:memory:\xff/\0\n", b"0::/a\0b\n", b"max"])
)
FILES = (
    "proc/self/cgroup",
    "proc/cpuinfo",
    "proc/meminfo",
    "etc/ld.so.cache",
    "etc/os-release",
    "sys/fs/cgroup/memory.max",
    "sys/devices/pci0000:00/0000:01:00.0/class",
    "sys/devices/pci0000:00/0000:01:00.0/vendor",
    "sys/devices/pci0000:00/0000:01:00.0/numa_node",
    "sys/devices/pci0000:00/0000:01:00.0/power/runtime_status",
    "usr/share/hwdata/pci.ids",
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.fixed_dictionaries(dict.fromkeys(FILES, RUBBISH)))
def test_no_rubbish_makes_the_survey_fail(tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes]) -> None:
    root = machine(tmp_path_factory.mktemp("machine"), files=files, pci={"0000:01:00.0": {"drm": "card0", "device": "0x2684"}})

    host = survey(root)

    assert len(host.pci) <= 1
    assert host.texts["/proc/cpuinfo"].problem is None
