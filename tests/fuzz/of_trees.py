"""Machines as trees of files: sysfs, what a diagnosis reads, and processes in /proc.

An input is a text of files: a line `@@ /path` begins one, `@@ /path -> target` is a link, and `@@ /path/` a directory. Nothing
of it leads out of the root that it is written below.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from gpuprobe.command.running import Answer, reply_of
from gpuprobe.doctor.process_summary import Absent
from gpuprobe.facts import Host
from gpuprobe.judging.rules import judge
from gpuprobe.model import Evidence, Request
from gpuprobe.running_now import RunningNow, Snapshot
from gpuprobe.survey import deep, running_servers
from gpuprobe.survey.host import read_host
from tests import temporary
from tests.file_trees import LIBC6_X86_64, RTX_4090, RX_7900, linker_cache
from tests.fuzz.answers import options, said_of, written
from tests.fuzz.target import Target
from tests.machinecode import test_files, writers
from tests.records import a_card, a_device, evidence_of
from tests.unit import test_process_table as processes
from tests.unit.test_deep import KERNEL, MODULES, UNIT
from tests.unit.test_evidence_accessors import everything_asked

_MOST_FILES = 120
_MARK = re.compile(rb"(?m)^@@ (.*)\n?")
_ODD = re.compile(r"[^A-Za-z0-9_.:+@ -]")


@cache
def _root() -> Path:
    """A folder that is written anew for every input."""
    return temporary.folder("fuzz-tree")


def planted(content: bytes) -> str:
    root = _root()
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    pieces = _MARK.split(content)[1:]
    for head, text in list(zip(pieces[::2], pieces[1::2], strict=True))[:_MOST_FILES]:
        _plant(root, head.decode("utf-8", "backslashreplace"), text)
    return str(root)


def _plant(root: Path, head: str, text: bytes) -> None:
    named, _, target = head.partition(" -> ")
    parts = _inside(named)
    if not parts:
        return
    path = root.joinpath(*parts)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if target:
            inside = root.joinpath(*_inside(os.path.normpath(f"/{'/'.join(parts[:-1])}/{target}")))
            path.symlink_to(os.path.relpath(inside, path.parent) if not target.startswith("/") else _elsewhere(target))
        elif named.endswith("/"):
            path.mkdir(exist_ok=True)
        else:
            path.write_bytes(text)
    except (OSError, ValueError):  # a file where a folder should be, a name twice, a byte 0 in a target
        return


def _inside(path: str) -> list[str]:
    parts = [_ODD.sub("_", part)[:120] for part in path.split("/")]
    return [part for part in parts if part not in ("", ".", "..")][:12]


def _elsewhere(target: str) -> str:
    """A link of /proc says a path of the machine that is not below the root: nothing of this machine is there."""
    return f"/nowhere{target}"[:300] if not target.startswith(("/dev/nvidia", "/dev/dri", "/dev/kfd")) else target[:60]


def text_of(files: Mapping[str, str | bytes], links: Mapping[str, str] | None = None) -> bytes:
    whole = b""
    for path, content in files.items():
        whole += f"@@ {path}\n".encode() + (content if isinstance(content, bytes) else content.encode())
        whole += b"" if whole.endswith(b"\n") else b"\n"
    return whole + b"".join(f"@@ {path} -> {target}\n".encode() for path, target in (links or {}).items())


# --- the survey


ENVIRON = {
    "LD_LIBRARY_PATH": "/opt/lib",
    "HOME": "/home/anna",
    "OLLAMA_LIBRARY_PATH": "/usr/lib/ollama",
    "VIRTUAL_ENV": "/venv",
}


def _surveyed(content: bytes) -> Host:
    return read_host(planted(content), ENVIRON, platform="linux", machine="x86_64")


def _is_judged(host: Host) -> None:
    said_of(Evidence(host, (), "2026-11-21T09:00:00Z"))


def _functions(cards: Mapping[str, Mapping[str, str]]) -> tuple[dict[str, str | bytes], dict[str, str]]:
    files: dict[str, str | bytes] = {}
    links: dict[str, str] = {}
    for address, card in cards.items():
        place = f"/sys/bus/pci/devices/{address}"
        for name, text in card.items():
            if name == "driver":
                links[f"{place}/driver"] = f"../../drivers/{text}"
            elif name == "drm":
                files |= {f"{place}/drm/{each}/": "" for each in text.split()}
            else:
                files[f"{place}/{name}"] = text
        files[f"{place}/resource"] = "0x00000000f6000000 0x00000000f6ffffff 0x0000000000040200\n" * 2
    return files, links


CPUINFO = "model name\t: AMD Ryzen 9 7950X\nsiblings\t: 32\ncpu cores\t: 16\nflags\t\t: sse4_2 avx fma avx2 f16c bmi2\n"
KFD = "/sys/class/kfd/kfd/topology/nodes/1"


SITE = "/venv/lib/python3.11/site-packages"
PACKAGES: dict[str, str | bytes] = {
    f"{SITE}/torch-2.9.0+cu130.dist-info/METADATA": "Metadata-Version: 2.1\nName: torch\nVersion: 2.9.0+cu130\n\nx",
    f"{SITE}/torch/version.py": "__version__ = '2.9.0+cu130'\ncuda: Optional[str] = '13.0'\nhip: Optional[str] = None\n",
    f"{SITE}/torch/lib/libtorch_cuda.so": writers.elf([(b".nv_fatbin", test_files.CUDA)]),
    f"{SITE}/bitsandbytes.dist-info/METADATA": "Name: bitsandbytes\nVersion: 0.48.1\n",
    f"{SITE}/bitsandbytes/libbitsandbytes_cuda130.so": writers.elf([(b".nv_fatbin", writers.container(writers.image(90)))]),
    f"{SITE}/bitsandbytes/libbitsandbytes_cuda128.so": b"\x7fELF",
    f"{SITE}/onnxruntime_gpu-1.23.0.dist-info/METADATA": "Name: onnxruntime-gpu\n",
    f"{SITE}/onnxruntime/capi/libonnxruntime_providers_cuda.so": b"\x7fELF",
    f"{SITE}/nvidia/cu13/lib/libcublas.so.13": b"\x7fELF",
    "/usr/local/bin/llama-server": b"\x7fELF",
}


def _trees() -> Iterator[bytes]:
    ordinary: dict[str, str | bytes] = {
        "/proc/cpuinfo": CPUINFO,
        "/proc/meminfo": "MemTotal: 65536000 kB\nMemAvailable: 41943040 kB\nSwapTotal: 8388608 kB\nSwapFree: 0 kB\n",
        "/proc/self/cgroup": "0::/user.slice/a.scope\n",
        "/sys/fs/cgroup/user.slice/a.scope/memory.max": "1073741824\n",
        "/sys/fs/cgroup/user.slice/memory.current": "1000\n",
        "/etc/os-release": 'ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian GNU/Linux 12"\n',
        "/proc/devices": "Character devices:\n195 nvidia\n226 drm\n511 nvidia-uvm\n",
        "/sys/devices/system/cpu/online": "0-31\n",
    }
    files, links = _functions({"0000:01:00.0": RTX_4090})
    nvidia: dict[str, str | bytes] = {
        "/proc/driver/nvidia/version": "NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.95.05  Tue Sep 23\n",
        "/proc/driver/nvidia/gpus/0000:01:00.0/information": "Model: \t\t NVIDIA GeForce RTX 4090\nGPU UUID: \t GPU-1\n",
        "/sys/module/nvidia/version": "580.95.05\n",
        "/sys/module/nvidia/initstate": "live\n",
        "/dev/nvidia0": "",
        "/dev/nvidiactl": "",
        "/usr/share/hwdata/pci.ids": "10de  NVIDIA Corporation\n\t2684  AD102 [GeForce RTX 4090]\n",
        "/etc/ld.so.cache": linker_cache([(LIBC6_X86_64, "libcuda.so.1", "/usr/lib/libcuda.so.1")]),
        "/usr/lib/libcuda.so.1": b"\x7fELF\x02\x01",
    }
    yield text_of({**ordinary, **files, **nvidia}, links)
    yield text_of({**files, "/dev/nvidia0": "", **PACKAGES}, links)
    files, links = _functions({"0000:03:00.0": RX_7900})
    amd: dict[str, str | bytes] = {
        f"{KFD}/properties": "simd_count 192\ngfx_target_version 110000\nlocation_id 768\ndomain 0\nunique_id 123\n",
        f"{KFD}/gpu_id": "12345\n",
        f"{KFD}/mem_banks/0/properties": "heap_type 1\nsize_in_bytes 25753026560\n",
        "/sys/bus/pci/devices/0000:03:00.0/mem_info_vram_total": "25753026560\n",
        "/sys/bus/pci/devices/0000:03:00.0/mem_info_vram_used": "27893760\n",
        "/sys/module/amdgpu/version": "6.10.5\n",
        "/dev/kfd": "",
        "/dev/dri/renderD129": "",
        "/usr/share/vulkan/icd.d/radeon_icd.json": '{"ICD": {"library_path": "libvulkan_radeon.so", "api_version": "1.3"}}',
    }
    yield text_of({**ordinary, **files, **amd}, links)
    jetson: dict[str, str | bytes] = {
        "/proc/device-tree/model": "NVIDIA Jetson AGX Orin\0",
        "/proc/device-tree/compatible": "nvidia,p3701\0nvidia,tegra234\0",
        "/etc/nv_tegra_release": "# R36 (release), REVISION: 4.3\n",
        "/dev/nvhost-gpu": "",
        "/proc/self/cgroup": "12:memory:/docker/abc\n11:devices:/docker/abc\n",
        "/sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
        "/.dockerenv": "",
        "/usr/lib/ollama/cuda_v13/libggml-cuda.so": b"\x7fELF",
        "/proc/version": "Linux version 5.15.148-tegra (buildbrain@x) microsoft\n",
    }
    yield text_of({**ordinary, **jetson})


# --- what a diagnosis reads


def _deep(content: bytes) -> list[Host]:
    root = planted(content)
    host = read_host(root, ENVIRON, platform="linux", machine="x86_64", software=False)._replace(kernel=KERNEL, uid=1000)
    host = host if host.pci else host._replace(pci=(a_card(),))
    return [host._replace(system=deep.read(host, ENVIRON, root, wanted=wanted)) for wanted in ("ollama", "77")]


def _are_judged(hosts: list[Host]) -> None:
    for host in hosts:
        everything_asked(host)
        assert len(str(host.system)) < 2_000_000
    _is_judged(hosts[len(hosts[0].texts) % 2])


def _diagnoses() -> Iterator[bytes]:
    files, links = _functions({"0000:01:00.0": RTX_4090})
    files = {key: value for key, value in files.items() if key.endswith(("vendor", "device", "class"))}
    modules: dict[str, str | bytes] = {
        f"{MODULES}/modules.dep": "updates/dkms/nvidia.ko.xz: updates/dkms/nvidia-drm.ko.xz\n",
        f"{MODULES}/modules.alias": "alias pci:v000010DEd*sv*sd*bc03sc00i00* nvidia\n",
        f"{MODULES}/modules.builtin": "kernel/drivers/gpu/drm/drm.ko\n",
        "/proc/modules": "nvidia 1234 2 nvidia_uvm, Live 0x0 (POE)\n",
        "/proc/cmdline": "BOOT_IMAGE=/x ro nouveau.modeset=0 amdgpu.ppfeaturemask=0xffff\n",
        "/etc/modprobe.d/x.conf": "blacklist nouveau\noptions nvidia NVreg_EnableGpuFirmware=0\n",
        "/var/lib/dpkg/status": "Package: nvidia-driver-580\nStatus: install ok installed\nVersion: 580.95.05-1\n\n",
        "/proc/self/status": "Name:\tx\nUid:\t1000\t1000\t1000\t1000\nCapEff:\t0000000000000000\nSeccomp:\t2\nNoNewPrivs:\t1\n",
        "/proc/self/mountinfo": "22 1 0:20 / /sys rw - sysfs sysfs rw\n",
        "/proc/self/uid_map": "         0       1000          1\n",
        "/etc/passwd": "anna:x:1000:1000::/home/anna:/bin/sh\nollama:x:998:998::/usr/share/ollama:/bin/false\n",
        "/etc/group": "render:x:44:anna\nvideo:x:39:ollama,anna\n",
    }
    yield text_of({**files, **modules}, links)
    services: dict[str, str | bytes] = {
        "/etc/systemd/system/ollama.service": UNIT,
        "/etc/systemd/system/ollama.service.d/x.conf": "[Service]\nEnvironmentFile=-/etc/default/ollama\nDeviceAllow=/dev/x\n",
        "/etc/default/ollama": "OLLAMA_VULKAN=1\nexport CUDA_VISIBLE_DEVICES='-1'\n",
        "/proc/77/comm": "ollama\n",
        "/proc/77/status": "Name:\tollama\nUid:\t998 998 998 998\nGroups:\t44 39\nCapEff:\t00\n",
        "/proc/77/cmdline": "/usr/bin/ollama\0serve\0",
        "/proc/77/environ": "CUDA_VISIBLE_DEVICES=\0OLLAMA_HOST=0.0.0.0\0",
        "/proc/77/cgroup": "0::/system.slice/ollama.service\n",
        "/proc/77/maps": "7f00-8000 r-xp 0 0 0 /x/libcuda.so.1 (deleted)\n",
        "/etc/docker/daemon.json": '{"runtimes": {"nvidia": {"path": "nvidia-container-runtime"}}, "exec-opts": ["x"]}',
        "/etc/cdi/nvidia.yaml": "cdiVersion: 0.5.0\nkind: nvidia.com/gpu\ndevices:\n- name: all\n  - path: /dev/nvidia0\n",
        "/var/lib/snapd/state.json": '{"data": {"conns": {"ollama:opengl :opengl": {"undesired": true}}}}',
        "/snap/ollama/current/meta/snap.yaml": "name: ollama\nversion: '0.12'\n",
        "/var/log/audit/audit.log": 'type=AVC avc: denied { read } comm="ollama" name="nvidia0" scontext=x tcontext=y\n',
        "/var/lib/dkms/nvidia/580/build/make.log": "error: implicit declaration of function\n",
        "/boot/config-" + KERNEL: "CONFIG_HSA_AMD=y\n# CONFIG_DRM_AMDGPU is not set\n",
        "/lib/apk/db/installed": "P:mesa-vulkan-ati\nV:24.1-r0\n\n",
    }
    yield text_of(services)


# --- running processes


_INVENTORY = judge(evidence_of(a_device("CUDA", pci_id="0000:01:00.0"), a_device("ROCm", pci_id="0000:03:00.0")), Request())


def _running(content: bytes) -> Snapshot:
    root = planted(content)
    for server in running_servers.servers(root):
        running_servers.is_its_own(server, root)
    now = RunningNow(_INVENTORY, Request(libraries=("Vulkan",)), root)
    try:
        return now.read((42,))
    finally:
        now.close()


def _is_shown(snapshot: Snapshot) -> None:
    assert len(snapshot.processes) <= 1024
    written(reply_of(Answer(snapshot, snapshot.processes, named=False), options(verbose=True)))
    written(reply_of(Answer(snapshot, snapshot.processes, named=True, absent=Absent((7,), ("x",))), options()))


def _processes() -> Iterator[bytes]:
    mapped = ("/opt/llama/bin/libggml-cuda.so", "/lib/libcuda.so.1", "/models/a.gguf", "/dev/nvidia0")
    server = processes.proc(42, "llama-server", "/opt/llama/bin/llama-server -m /models/a.gguf -ngl 20", mapped)
    links = {"/proc/42/exe": "/opt/llama/bin/llama-server", "/proc/42/cwd": "/srv", "/proc/42/fd/7": "/dev/nvidia-uvm"}
    yield text_of({"/proc/stat": "btime 1000\n", **server}, links)
    client = processes.CLIENT.format(id=5, more="drm-memory-vram:\t2048 KiB\ndrm-engine-compute:\t100 ns\n")
    ollama = processes.proc(50, "ollama", "/usr/bin/ollama serve", ("/dev/kfd",))
    runner = processes.proc(51, "ollama", "/usr/bin/ollama runner --port 35001 -m /x", ("/x/libggml-hip.so",))
    files = {
        "/proc/51/fdinfo/9": client,
        "/proc/net/tcp": "  sl  local_address rem_address   st\n   0: 0100007F:2CAA 00000000:0000 0A 0 0 0 998 0 12345 1\n",
        "/sys/class/kfd/kfd/proc/51/vram_12345": "1073741824\n",
        f"{KFD}/gpu_id": "12345\n",
        f"{KFD}/properties": "location_id 768\ndomain 0\n",
    }
    yield text_of({**ollama, **runner, **files}, {"/proc/51/fd/9": "/dev/dri/renderD129", "/proc/50/fd/3": "socket:[12345]"})
    python = processes.proc(60, "python3", "python3 -m vllm.entrypoints.openai.api_server --model a", ("/x/libtorch_cuda.so",))
    yield text_of(python)


TARGETS = (
    Target("sysfs", "the survey of a machine", _surveyed, _is_judged, _trees, longest=6144, rooms=("survey", "machine")),
    Target("diagnosis", "what only `doctor` reads", _deep, _are_judged, _diagnoses, longest=6144, rooms=("survey", "machine")),
    Target(
        *("proc", "processes for `running`", _running, _is_shown, _processes),
        longest=6144,
        rooms=("survey.process_details", "survey.process_table", "survey.running_servers", "machine.known_programs"),
    ),
)
