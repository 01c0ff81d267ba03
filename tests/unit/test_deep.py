"""What only a diagnosis reads: modules, settings, packages, units, openings, accounts; and what rubbish in them becomes."""

from __future__ import annotations

import os
import sqlite3
import stat
import struct
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gpuprobe.facts import Host, PciFunction, Reading
from gpuprobe.facts.system_facts import DkmsModule, DriverLibrary, Opened, Package, SystemFacts
from gpuprobe.survey import deep, elf
from gpuprobe.survey import openings as openings_module
from gpuprobe.survey.account_files import account_named, groups_of_nodes, login_groups
from gpuprobe.survey.driver_libraries import driver_libraries
from gpuprobe.survey.host import read_host
from gpuprobe.survey.modules_on_disk import claims, dkms_modules, modules_on_disk
from gpuprobe.survey.openings import error_numbers, openings
from gpuprobe.survey.package_lists import package_lists
from gpuprobe.survey.settings_files import settings_files
from gpuprobe.survey.tree import Tree
from gpuprobe.survey.unit_files import unit_files, unit_named
from tests.file_trees import RTX_4090, Content, machine
from tests.records import a_card, a_host, a_manifest
from tests.unit.test_evidence_accessors import everything_asked

KERNEL = "6.8.0-45-generic"
MODULES = f"/lib/modules/{KERNEL}"


def a_tree(tmp_path: Path, files: dict[str, Content] | None = None, **more: dict[str, str]) -> Tree:
    return Tree(machine(tmp_path, files, **more))  # type: ignore[arg-type]


def test_a_module_on_disk_is_named_with_its_place_and_others_are_not(tmp_path: Path) -> None:
    listed = "kernel/drivers/net/e1000.ko: \nupdates/dkms/nvidia-uvm.ko.zst: updates/dkms/nvidia.ko.zst\n"
    tree = a_tree(
        tmp_path, {f"{MODULES}/modules.dep": listed, f"{MODULES}/modules.builtin": "kernel/drivers/gpu/drm/i915/i915.ko\n"}
    )

    mine = modules_on_disk(tree, KERNEL)[0]

    assert (mine.kernel, mine.files) == (KERNEL, ("updates/dkms/nvidia-uvm.ko.zst",))
    assert (mine.built_in, mine.build) == (("kernel/drivers/gpu/drm/i915/i915.ko",), "absent")


def test_a_module_of_another_kernel_is_that_kernel_s(tmp_path: Path) -> None:
    other = "/lib/modules/6.8.0-44-generic/updates/dkms/nvidia.ko.zst"
    tree = a_tree(
        tmp_path, {f"{MODULES}/modules.dep": "", other: ""}, links={f"{MODULES}/build": "/usr/src/linux-headers-gone"}
    )

    mine, before = modules_on_disk(tree, KERNEL)

    assert (mine.files, mine.build) == ((), "dangling")
    assert (before.kernel, before.files) == ("6.8.0-44-generic", ("updates/dkms/nvidia.ko.zst",))


def test_a_kernel_without_its_directory_has_no_modules_and_says_why(tmp_path: Path) -> None:
    mine = modules_on_disk(a_tree(tmp_path), KERNEL)[0]

    assert (mine.files, mine.problem) == ((), "absent")


def test_modules_claim_the_cards_that_they_are_for(tmp_path: Path) -> None:
    aliases = (
        "# Aliases extracted from modules themselves.\n"
        "alias pci:v000010DEd*sv*sd*bc03sc00i00* nvidia\n"
        "alias pci:v000010DEd00002684sv*sd*bc*sc*i* nouveau\n"
        "alias pci:v00001002d0000744Csv*sd*bc*sc*i* amdgpu\n"
    )
    cards = (a_card("0000:01:00.0"), PciFunction("0000:03:00.0", 0x1002, 0x7550, 0x030000))

    found = claims(a_tree(tmp_path, {f"{MODULES}/modules.alias": aliases}), KERNEL, cards)

    assert found == {"0000:01:00.0": ("nvidia", "nouveau"), "0000:03:00.0": ()}


def test_dkms_says_for_which_kernels_it_built_and_how_a_build_ended(tmp_path: Path) -> None:
    place = "/var/lib/dkms/nvidia/580.95.05"
    files: dict[str, Content] = {
        f"{place}/6.8.0-44-generic/x86_64/module/nvidia.ko.zst": "",
        f"{place}/build/make.log": "x" * 9000 + "\nerror: no member named 'vm_flags'\n",
        "/var/lib/dkms/rtl8812au/5.6/source/dkms.conf": "",
    }

    found = dkms_modules(a_tree(tmp_path, files))

    assert found is not None
    assert [(each.name, each.version, each.built_for) for each in found] == [("nvidia", "580.95.05", ("6.8.0-44-generic",))]
    assert found[0].log is not None
    assert (found[0].log.text or "").endswith("'vm_flags'\n")
    assert len(found[0].log.text or "") == 3000


def test_of_modprobe_s_configuration_only_lines_about_gpus_are_kept(tmp_path: Path) -> None:
    text = (
        "# blacklist nvidia\nblacklist nouveau\nblacklist pcspkr\noptions nvidia \\\n NVreg_DeviceFileMode=0660\n"
        "install e1000 /bin/false\n"
    )

    found = dict(settings_files(a_tree(tmp_path, {"/etc/modprobe.d/x.conf": text})))

    assert found == {"/etc/modprobe.d/x.conf": Reading("blacklist nouveau\noptions nvidia   NVreg_DeviceFileMode=0660")}


def test_docker_s_settings_lose_what_is_not_about_devices(tmp_path: Path) -> None:
    text = '{"runtimes": {"nvidia": {"path": "nvidia-container-runtime"}}, "registry-mirrors": ["https://mirror.acme"]}'

    found = dict(settings_files(a_tree(tmp_path, {"/etc/docker/daemon.json": text})))["/etc/docker/daemon.json"]

    assert "nvidia-container-runtime" in (found.text or "")
    assert "acme" not in (found.text or "")


def test_settings_of_docker_s_that_are_no_json_are_an_error_and_not_absent(tmp_path: Path) -> None:
    found = dict(settings_files(a_tree(tmp_path, {"/etc/docker/daemon.json": "{"})))

    assert found["/etc/docker/daemon.json"] == Reading(None, "error: it is not JSON")


def test_of_a_licence_server_only_that_one_is_named_is_kept(tmp_path: Path) -> None:
    found = dict(
        settings_files(a_tree(tmp_path, {"/etc/nvidia/gridd.conf": "# x\nServerAddress=lic.acme.example\nFeatureType=1\n"}))
    )

    assert found["/etc/nvidia/gridd.conf"].text == "ServerAddress=…\nFeatureType=1"


def test_a_description_for_containers_keeps_its_devices_and_the_versions_of_its_libraries(tmp_path: Path) -> None:
    text = (
        "cdiVersion: 0.5.0\nkind: nvidia.com/gpu\ndevices:\n- name: all\n  containerEdits:\n    deviceNodes:\n"
        "    - path: /dev/nvidia0\n    - path: /dev/nvidiactl\n    hooks:\n    - args:\n      - nvidia-ctk\n"
        "  mounts:\n  - hostPath: /usr/lib/x86_64-linux-gnu/libcuda.so.580.95.05\n"
    )

    kept = dict(settings_files(a_tree(tmp_path, {"/etc/cdi/nvidia.yaml": text})))["/etc/cdi/nvidia.yaml"].text or ""

    assert "- path: /dev/nvidia0" in kept
    assert "libcuda.so.580.95.05" in kept
    assert "nvidia-ctk" not in kept


DPKG = (
    "Package: nvidia-driver-580\nStatus: install ok installed\nVersion: 580.95.05-0ubuntu0.24.04.2\nConffiles:\n /etc/x abc\n\n"
    "Package: nvidia-dkms-580\nStatus: install ok half-configured\nVersion: 580.95.05\n\n"
    "Package: libnvidia-compute-550\nStatus: deinstall ok config-files\nVersion: 550.1\n\n"
    "Package: bash\nStatus: install ok installed\nVersion: 5\n"
)


def test_packages_of_debian_s_have_version_and_state(tmp_path: Path) -> None:
    found, problems = package_lists(a_tree(tmp_path, {"/var/lib/dpkg/status": DPKG}))

    assert found == (
        Package("nvidia-driver-580", "580.95.05-0ubuntu0.24.04.2", "dpkg"),
        Package("nvidia-dkms-580", "580.95.05", "dpkg", "half-configured"),
        Package("libnvidia-compute-550", "550.1", "dpkg", "config-files"),
    )
    assert (problems["dpkg"], problems["pacman"]) == (None, "absent")


def test_packages_of_arch_alpine_and_snap_are_found(tmp_path: Path) -> None:
    files: dict[str, Content] = {
        "/var/lib/pacman/local/nvidia-open-580.95.05-3/desc": "",
        "/var/lib/pacman/local/bash-5.2-1/desc": "",
        "/lib/apk/db/installed": "C:Q1\nP:mesa-vulkan-intel\nV:24.2.8-r0\n\nP:musl\nV:1.2\n",
        "/snap/ollama/current/meta/snap.yaml": "name: ollama\nversion: 'v0.12.3'\n",
    }

    found, _ = package_lists(a_tree(tmp_path, files))

    assert found == (
        Package("nvidia-open", "580.95.05-3", "pacman"),
        Package("mesa-vulkan-intel", "24.2.8-r0", "apk"),
        Package("ollama", "v0.12.3", "snap"),
    )


def rpm_header(**texts: str) -> bytes:
    tags = {"name": 1000, "version": 1001, "release": 1002}
    entries, stored = b"", b""
    for name, text in texts.items():
        entries += struct.pack(">IIII", tags[name], 6, len(stored), 1)
        stored += text.encode() + b"\0"
    return struct.pack(">II", len(texts), len(stored)) + entries + stored


def test_packages_of_fedora_s_are_read_from_its_database(tmp_path: Path) -> None:
    place = tmp_path / "usr/lib/sysimage/rpm"
    place.mkdir(parents=True)
    with sqlite3.connect(place / "rpmdb.sqlite") as database:
        database.execute("CREATE TABLE Packages (hnum INTEGER PRIMARY KEY, blob BLOB)")
        database.execute("CREATE TABLE Name (key TEXT, hnum INTEGER, idx INTEGER)")
        database.execute("INSERT INTO Packages VALUES (7, ?)", (rpm_header(name="x", version="580.95.05", release="1.fc43"),))
        database.execute("INSERT INTO Name VALUES ('akmod-nvidia', 7, 0), ('bash', 7, 0)")
    database.close()

    found, problems = package_lists(a_tree(tmp_path))

    assert (found, problems["rpm"]) == ((Package("akmod-nvidia", "580.95.05-1.fc43", "rpm"),), None)


@given(st.binary(max_size=400))
@settings(max_examples=40, deadline=None)
def test_a_damaged_database_of_packages_is_a_reason(tmp_path_factory: pytest.TempPathFactory, rubbish: bytes) -> None:
    tmp_path = tmp_path_factory.mktemp("rpm")

    found, problems = package_lists(a_tree(tmp_path, {"/var/lib/rpm/rpmdb.sqlite": b"SQLite format 3\0" + rubbish}))

    assert found == ()
    assert (problems["rpm"] or "").startswith("error: ")


UNIT = (
    "[Unit]\nDescription=Ollama\n[Service]\nUser=ollama\n"
    'Environment="PATH=/usr/bin" OLLAMA_HOST=0.0.0.0 "CUDA_VISIBLE_DEVICES="\n'
    "Environment=API_KEY=secret1234\n"
    "ExecStart=/usr/bin/llama-server -m /data/acme.gguf --api-key k1234567 -ngl 0 --device none\n"
)


def test_a_unit_keeps_what_decides_about_gpus(tmp_path: Path) -> None:
    unit = unit_named(a_tree(tmp_path, {"/etc/systemd/system/ollama.service": UNIT}), "ollama")

    assert unit is not None
    assert unit.files["/etc/systemd/system/ollama.service"].text == (
        "[Unit]\n[Service]\nUser=ollama\nEnvironment=CUDA_VISIBLE_DEVICES=\n"
        "ExecStart=/usr/bin/llama-server -ngl 0 --device none\n"
    )


def test_drop_ins_follow_by_name_and_one_hides_its_namesake_in_later_places(tmp_path: Path) -> None:
    files: dict[str, Content] = {
        "/usr/lib/systemd/system/ollama.service": "[Service]\nUser=ollama\n",
        "/usr/lib/systemd/system/ollama.service.d/20-gpu.conf": "[Service]\nPrivateDevices=yes\n",
        "/etc/systemd/system/ollama.service.d/20-gpu.conf": "[Service]\nPrivateDevices=no\n",
        "/run/systemd/system/ollama.service.d/10-first.conf": "[Service]\nDevicePolicy=closed\n",
        "/etc/systemd/system/multi-user.target.wants/ollama.service": "",
    }

    found = unit_files(a_tree(tmp_path, files), None)

    assert [(unit.name, unit.is_enabled) for unit in found] == [("ollama.service", True)]
    assert list(found[0].files) == [
        "/usr/lib/systemd/system/ollama.service",
        "/run/systemd/system/ollama.service.d/10-first.conf",
        "/etc/systemd/system/ollama.service.d/20-gpu.conf",
    ]


PASSWD = (
    "root:x:0:0::/root:/bin/sh\nalice:x:1000:1000::/home/alice:/bin/sh\nbroken line\n"
    "ollama:x:998:998::/usr/share/ollama:/bin/false\n"
)
GROUPS = "root:x:0:\nrender:x:992:alice,ollama,bob\nvideo:x:44:ollama\nalice:x:1000:\nsecretproject:x:2000:alice,bob\n"


def test_the_groups_of_the_next_login_are_those_of_the_files(tmp_path: Path) -> None:
    tree = a_tree(tmp_path, {"/etc/passwd": PASSWD, "/etc/group": GROUPS})
    alice = account_named(tree, 1000)

    assert alice is not None
    assert login_groups(tree, alice) == (992, 1000, 2000)


def test_of_a_group_s_members_only_the_account_that_asks_and_services_are_told(tmp_path: Path) -> None:
    tree = a_tree(tmp_path, {"/etc/passwd": PASSWD, "/etc/group": GROUPS})

    found = groups_of_nodes(tree, (992,), account_named(tree, "alice"))

    assert [(group.name, group.has_account, group.services) for group in found] == [
        ("render", True, ("ollama",)),
        ("video", False, ("ollama",)),
    ]
    assert "bob" not in str(found)


def test_opening_tells_errors_apart_by_number(tmp_path: Path) -> None:
    paths = ["/dev/null", str(tmp_path / "absent"), str(tmp_path)]

    assert error_numbers(Tree(), paths)[0] == {"/dev/null": 0, paths[1]: 2, paths[2]: 21}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a device node")
def test_a_node_behind_which_nothing_is_registered_gives_its_error(tmp_path: Path) -> None:
    (tmp_path / "dev").mkdir()
    try:
        os.mknod(tmp_path / "dev/kfd", 0o666 | stat.S_IFCHR, os.makedev(3900, 7))
    except PermissionError:
        pytest.skip("this container makes no device nodes")
    host = read_host(str(tmp_path), {}, platform="linux")

    found = openings(Tree(str(tmp_path)), host)

    assert [(each.path, each.name in ("ENXIO", "ENODEV", "EPERM", "EACCES")) for each in found] == [("/dev/kfd", True)]


def test_an_opener_that_does_not_start_is_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nonexistent")

    assert error_numbers(Tree(), ["/dev/null"]) == ({}, "its opener did not start: No such file or directory")


def test_a_node_that_holds_its_opener_costs_a_moment_and_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openings_module, "PATIENCE_SECONDS", 0.5)
    monkeypatch.setattr(openings_module, "_PROGRAM", "import time; print(0, flush=True); time.sleep(60)")

    assert error_numbers(Tree(), ["/dev/null", "/dev/zero"]) == ({"/dev/null": 0}, "it did not return within 0.5 s")


def test_what_is_no_device_is_not_opened(tmp_path: Path) -> None:
    host = read_host(machine(tmp_path, nodes={"/dev/kfd": 0o666, "/dev/nvidia-caps": 0o666}), {}, platform="linux")

    assert openings(Tree(str(tmp_path)), host) == (Opened("/dev/kfd", why_not="no device"),)


def test_the_node_of_a_card_that_sleeps_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asleep = {**RTX_4090, "power/runtime_status": "suspended\n"}
    root = machine(
        tmp_path,
        {"/proc/driver/nvidia/gpus/0000:01:00.0/information": "Model: \t\t X\nDevice Minor: \t 0\n"},
        pci={"0000:01:00.0": asleep},
        nodes={"/dev/nvidia0": 0o666, "/dev/nvidiactl": 0o666, "/dev/dri/renderD128": 0o666},
        links={"/sys/class/drm/renderD128/device": "../../../devices/pci0000:00/0000:01:00.0"},
    )
    monkeypatch.setattr("stat.S_ISCHR", lambda mode: True)
    asked: list[str] = []

    def ask(_: Tree, paths: list[str]) -> tuple[dict[str, int], str]:
        asked.extend(paths)
        return {}, "not tried"

    monkeypatch.setattr("gpuprobe.survey.openings.error_numbers", ask)
    host = read_host(root, {}, platform="linux")

    found = openings(Tree(root), host)

    assert asked == ["/dev/nvidiactl"]
    assert [each.path for each in found if each.why_not == "asleep"] == ["/dev/nvidia0", "/dev/dri/renderD128"]


def test_a_manifest_whose_library_is_nowhere_is_told_from_one_that_lacks_what_it_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = "/usr/lib/x86_64-linux-gnu/libvulkan_radeon.so"
    tree = a_tree(tmp_path, {there: b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HH", 3, 62)})
    monkeypatch.setattr(elf, "links", lambda *_: elf.Links(("libGLdispatch.so.0",)))
    manifests = (a_manifest(), a_manifest("/etc/vulkan/icd.d/x.json", '{"ICD": {"library_path": "../lib/libx.so"}}'))
    broken = a_manifest("/etc/vulkan/icd.d/y.json", "{")

    found = driver_libraries(tree, a_host(manifests=(*manifests, broken)), {})

    assert found == (
        DriverLibrary(manifests[0].path, "libvulkan_radeon.so", there, ("libGLdispatch.so.0",)),
        DriverLibrary("/etc/vulkan/icd.d/x.json", "../lib/libx.so"),
        DriverLibrary("/etc/vulkan/icd.d/y.json", problem="it names no library"),
    )


def test_the_kernel_s_command_line_keeps_the_words_about_gpus(tmp_path: Path) -> None:
    words = "BOOT_IMAGE=/vmlinuz root=UUID=1234 ip=10.0.0.1 nomodeset amdgpu.gttsize=65536 nvidia-drm.modeset=1 iommu=pt"
    root = machine(tmp_path, {"/proc/cmdline": words}, pci={"0000:01:00.0": RTX_4090})

    host = read_host(root, {}, platform="linux")

    assert host.texts["/proc/cmdline"].text == "nomodeset amdgpu.gttsize=65536 nvidia-drm.modeset=1 iommu=pt"


def test_a_machine_without_a_card_is_not_asked_how_it_was_started(tmp_path: Path) -> None:
    host = read_host(machine(tmp_path, {"/proc/cmdline": "nomodeset"}), {}, platform="linux")

    assert "/proc/cmdline" not in host.texts


RESOURCE = (
    "0x00000000fb000000 0x00000000fbffffff 0x0000000000040200\n"
    "0x0000000000000000 0x00000003ffffffff 0x000000002014220c\n"
    "0x0000000000000000 0x0000000000000000 0x0000000000000000\n"
    "0x0000004400000000 0x0000004401ffffff 0x000000000014220c\n"
    "0x0000000000000000 0x0000000000000000 0x0000000000000000\n"
    "0x000000000000f000 0x000000000000f07f 0x0000000000040101\n"
    "0x00000000fc000000 0x00000000fc07ffff 0x0000000000046200\n"
)


def test_windows_of_a_card_have_sizes_and_one_without_a_place_begins_at_0(tmp_path: Path) -> None:
    host = read_host(machine(tmp_path, pci={"0000:01:00.0": {**RTX_4090, "resource": RESOURCE}}), {}, platform="linux")

    assert [tuple(bar) for bar in host.pci[0].bars or ()] == [
        (0, 0xFB000000, 16 * 1024**2),
        (1, 0, 16 * 1024**3),
        (3, 0x4400000000, 32 * 1024**2),
    ]


PLACES = (
    *("/proc/self/status", "/proc/cmdline", "/proc/modules", "/proc/self/mountinfo", "/proc/self/limits", "/proc/1/environ"),
    *("/proc/77/status", "/proc/77/comm"),
    *("/proc/77/cmdline", "/proc/77/environ", "/proc/77/maps", "/proc/77/cgroup"),
    *(f"{MODULES}/modules.dep", f"{MODULES}/modules.alias", f"{MODULES}/modules.builtin", f"/boot/config-{KERNEL}"),
    *("/proc/config.gz", "/var/lib/dkms/nvidia/580/build/make.log", "/var/lib/dpkg/status", "/lib/apk/db/installed"),
    *("/etc/passwd", "/etc/group", "/etc/docker/daemon.json", "/etc/cdi/nvidia.yaml", "/etc/modprobe.d/x.conf"),
    *("/etc/systemd/system/ollama.service", "/etc/systemd/system/ollama.service.d/x.conf", "/dev/kmsg", "/var/log/dmesg"),
    *("/var/lib/snapd/state.json", "/var/log/audit/audit.log", "/proc/keys", "/etc/default/ollama"),
    *("/usr/share/vulkan/icd.d/x.json", "/etc/nvidia/gridd.conf", "/snap/ollama/current/meta/snap.yaml"),
)
SEEDS = (
    *(b"ollama", b"Name:\tollama\nUid:\t1 2 3 4\nGid: 9 9 9 9\n", b"\0=\0A=B\0", b'[Service]\nEnvironment="', b"nvidia", b"{}"),
    *(
        b"\xff\xfe",
        b"alias pci:v000010DEd* nvidia\n",
        b"Package: nvidia\n",
        b"7f00-8000 r-xp 0 0 0 /x/libcuda.so.1 (deleted)\n",
    ),
    *(b"a" * 5000, b"-" * 2000, b"1" * 400, b"\n" * 300, b": " * 500),
)


@given(
    st.dictionaries(
        st.sampled_from(PLACES), st.lists(st.sampled_from(SEEDS) | st.binary(max_size=60), max_size=6).map(b"".join)
    )
)
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_no_file_whatever_is_an_error_of_ours(tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes]) -> None:
    root = machine(tmp_path_factory.mktemp("deep"), files, pci={"0000:01:00.0": RTX_4090})
    host = read_host(root, {}, platform="linux", machine="x86_64")._replace(kernel=KERNEL)

    for wanted in ("ollama", "77", "root", "0", "a/../b", "x" * 300):
        found = deep.read(host, {}, root, wanted=wanted)

        everything_asked(host._replace(system=found))
        assert isinstance(found, SystemFacts)
        assert len(str(found)) < 2_000_000


def test_directories_links_in_circles_and_pipes_in_the_place_of_files_are_no_error(tmp_path: Path) -> None:
    root = machine(tmp_path, {f"{path}/x": "" for path in PLACES[:12]}, links={path: path for path in PLACES[12:20]})
    for path in PLACES[22:30]:
        (tmp_path / path.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
        if not (tmp_path / path.lstrip("/")).exists():
            os.mkfifo(tmp_path / path.lstrip("/"))
    host = read_host(root, {}, platform="linux", machine="x86_64")._replace(kernel=KERNEL)

    assert isinstance(deep.read(host, {}, root, wanted="77"), SystemFacts)


def test_an_empty_machine_gives_reasons(tmp_path: Path) -> None:
    root = machine(tmp_path)
    host = read_host(root, {}, platform="linux", machine="x86_64")._replace(kernel=KERNEL)

    found = deep.read(host, {}, root)

    assert (found.opened, found.servers, found.units, found.dkms) == ((), (), (), ())
    assert found.claims is None
    assert found.account is None


def test_on_other_systems_nothing_is_asked_yet() -> None:
    assert deep.read(a_host(platform="darwin"), {}) == SystemFacts()


def test_this_machine_can_be_read() -> None:
    host = read_host(software=False)

    found: Host = deep.with_system(host, {})

    assert found.system is not None
    assert found.system.package_lists is not None


def test_a_dkms_module_without_a_failed_build_has_no_log(tmp_path: Path) -> None:
    found = dkms_modules(a_tree(tmp_path, {"/var/lib/dkms/nvidia/580/source": ""}))

    assert found == (DkmsModule("nvidia", "580"),)


def test_refusals_of_the_system_s_policy_are_kept_where_they_are_about_gpus(tmp_path: Path) -> None:
    lines = (
        'type=AVC msg=audit(1.2:3): avc:  denied  { read write } for  pid=5 comm="vllm" name="kfd" tcontext=dri_device_t\n'
        'type=AVC msg=audit(1.2:4): avc:  denied  { read } for  pid=6 comm="httpd" name="shadow"\n'
    )

    found = dict(settings_files(a_tree(tmp_path, {"/var/log/audit/audit.log": lines})))["/var/log/audit/audit.log"]

    assert (found.text or "").count("\n") == 0
    assert 'name="kfd"' in (found.text or "")


def test_connections_of_snaps_are_kept_where_they_give_cards(tmp_path: Path) -> None:
    conns = (
        '{"ollama:opengl snapd:opengl": {}, "ollama:network snapd:network": {}, "x:opengl snapd:opengl": {"undesired": true}}'
    )
    text = f'{{"data": {{"conns": {conns}, "auth": {{"macaroon": "secret"}}}}}}'

    found = dict(settings_files(a_tree(tmp_path, {"/var/lib/snapd/state.json": text})))

    assert found["/var/lib/snapd/state.json"] == Reading("ollama:opengl snapd:opengl")
