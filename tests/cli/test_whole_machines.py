"""The installed command in a mount namespace that looks like another machine: the cause that it names, and its exit codes."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests import doubles, temporary
from tests.doubles import described
from tests.vulkan_world import world
from tests.whole_machine import WholeMachine, a_function

UBUNTU = 'ID=ubuntu\nID_LIKE=debian\nVERSION_ID="24.04"\nPRETTY_NAME="Ubuntu 24.04.1 LTS"\n'
GEFORCE, RADEON = (0x10DE, 0x2684), (0x1002, 0x744C)
FIRST, SECOND = "0000:01:00.0", "0000:41:00.0"
NVIDIA_NODES = {"/dev/nvidiactl": 0o666, "/dev/nvidia0": 0o666, "/dev/nvidia-uvm": 0o666}

pytestmark = pytest.mark.skipif(shutil.which("unshare") is None, reason="needs `unshare`")


def a_machine(*cards: Any, nodes: dict[str, int] | None = None, **files: Any) -> WholeMachine:
    """`cards`: address, ids, kernel driver; `files`: path → text, of which `/` is written as `__`."""
    texts: dict[str, str] = {"/etc/os-release": UBUNTU}
    links: dict[str, str] = {}
    for address, (vendor, device), driver in cards:
        own_files, own_links = a_function(address, vendor, device, driver)
        texts, links = {**texts, **own_files}, {**links, **own_links}
    return WholeMachine({**texts, **{path.replace("__", "/"): text for path, text in files.items()}}, nodes or {}, links)


def nvidia_modules(version: str, *modules: str) -> dict[str, Any]:
    loaded = {f"__sys__module__{module}__initstate": "live\n" for module in modules}
    return {"__sys__module__nvidia__version": f"{version}\n", **loaded}


def a_cuda(release: str, *lines: str) -> dict[str, Any]:
    """Variables under which the double of libcuda is this release's."""
    place = temporary.folder("cuda-of-a-release")
    place.chmod(0o755)
    (place / f"libcuda.so.{release}").write_bytes(Path(doubles.cuda_driver()).read_bytes())
    (place / "libcuda.so.1").symlink_to(f"libcuda.so.{release}")
    return {"LD_LIBRARY_PATH": str(place), "FAKE_CUDA": doubles.script(*lines)}


def causes(machine: WholeMachine, **given: Any) -> list[str | None]:
    return machine.gpuprobe("list", "--json", **given).causes


def test_a_geforce_without_a_driver() -> None:
    machine = a_machine((FIRST, GEFORCE, None))

    assert causes(machine) == ["nv-driver-not-installed"]
    shown = machine.gpuprobe("doctor")
    assert shown.code == 4
    assert "sudo ubuntu-drivers install" in shown.out


def test_a_geforce_that_nouveau_has() -> None:
    machine = a_machine((FIRST, GEFORCE, "nouveau"))
    found = machine.gpuprobe("doctor", "--json").document["findings"]

    assert {each["id"] for each in found} >= {"nv-nouveau-bound"} or found[0]["id"] == "nv-driver-not-installed"
    assert found[0]["id"] in ("nv-driver-not-installed", "nv-nouveau-bound")


def test_a_driver_after_an_update_without_a_reboot() -> None:
    machine = a_machine((FIRST, GEFORCE, "nvidia"), nodes=NVIDIA_NODES, **nvidia_modules("580.95.05", "nvidia", "nvidia_uvm"))
    cuda = a_cuda("580.105.08", "error cuInit 803")

    assert causes(machine, **cuda) == ["nv-kmod-userspace-mismatch"]


def test_the_node_of_the_memory_module_is_missing() -> None:
    nodes = {path: mode for path, mode in NVIDIA_NODES.items() if not path.endswith("uvm")}
    machine = a_machine((FIRST, GEFORCE, "nvidia"), nodes=nodes, **nvidia_modules("580.95.05", "nvidia", "nvidia_uvm"))
    cuda = a_cuda("580.95.05", "error cuInit 999")

    assert causes(machine, **cuda) == ["nv-dev-nodes-missing"]


def test_a_node_that_only_a_group_may_open() -> None:
    nodes = {**NVIDIA_NODES, "/dev/nvidia0": 0o660}
    machine = a_machine((FIRST, GEFORCE, "nvidia"), nodes=nodes, **nvidia_modules("580.95.05", "nvidia", "nvidia_uvm"))
    cuda = a_cuda("580.95.05", "error cuInit 100")

    assert causes(machine, as_nobody=True, **cuda) == ["nv-dev-permission"]


def test_an_amd_user_who_is_not_in_the_group() -> None:
    machine = a_machine((RADEON_AT, RADEON, "amdgpu"), nodes={"/dev/kfd": 0o660, "/dev/dri/renderD128": 0o660}, **RENDER)

    assert causes(machine, as_nobody=True) == ["amd-kfd-permission"]


RADEON_AT = "0000:03:00.0"
RENDER: dict[str, Any] = {
    f"__sys__bus__pci__devices__{RADEON_AT}__drm__renderD128__dev": "226:128\n",
    "__sys__class__drm__version": "drm 1.1.0 20060810\n",
}


VIDEO, RENDER_GROUP = 44, 992
OWN_NODES = ("/dev/nvmap", "/dev/nvhost-gpu", "/dev/nvhost-ctrl-gpu", "/dev/nvhost-prof-gpu", "/dev/nvhost-ctrl")
ORIN: dict[str, str] = {
    "/etc/os-release": 'ID=ubuntu\nID_LIKE=debian\nVERSION_ID="22.04"\nPRETTY_NAME="Ubuntu 22.04.5 LTS"\n',
    "/etc/group": f"root:x:0:\nvideo:x:{VIDEO}:\nrender:x:{RENDER_GROUP}:\nnogroup:x:65534:\n",
    "/proc/device-tree/model": "NVIDIA Jetson Orin Nano Developer Kit\0",
    "/proc/device-tree/compatible": "nvidia,p3768-0000+p3767-0005\0nvidia,p3767-0005\0nvidia,tegra234\0",
    "/sys/module/nvgpu/initstate": "live\n",
}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a node to a group")
@pytest.mark.parametrize(
    ("render", "groups"), [({}, "video"), ({"/dev/dri/renderD128": RENDER_GROUP}, "video,render")], ids=["video", "render, too"]
)
def test_a_jetson_whose_user_is_outside_the_group_of_its_nodes(render: dict[str, int], groups: str) -> None:
    """From JetPack 6 on the render node belongs to a group of its own."""
    owners = {**dict.fromkeys(OWN_NODES, VIDEO), **render}
    machine = WholeMachine(ORIN, dict.fromkeys(owners, 0o660), groups=owners)
    cuda = a_cuda("540.4.0", "error cuInit 100")

    listed = machine.gpuprobe("list", "--json", as_nobody=True, **cuda)
    shown = machine.gpuprobe("doctor", as_nobody=True, **cuda)
    said = " ".join(shown.out.split())

    assert listed.causes == ["jetson-nvmap-permission"]
    (card,) = listed.document["cards"]
    assert (card["name"], card["why"]["reason"]) == ("NVIDIA Jetson Orin Nano Developer Kit", "no_permission")
    assert "error 100" in str(listed.document), "CUDA was not asked"
    assert shown.code == 4
    assert "no access to `/dev/nvmap` (group video)" in said
    assert f'sudo usermod -aG {groups} "$USER"' in said
    assert "log out and in again" in said


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a node to a group")
def test_a_jetson_whose_nodes_open_has_another_cause() -> None:
    machine = WholeMachine(ORIN, dict.fromkeys(OWN_NODES, 0o666), groups=dict.fromkeys(OWN_NODES, VIDEO))

    assert "jetson-nvmap-permission" not in causes(machine, as_nobody=True, **a_cuda("540.4.0", "error cuInit 100"))


def test_amdgpu_without_its_compute_half() -> None:
    machine = a_machine((RADEON_AT, RADEON, "amdgpu"), nodes={"/dev/dri/renderD128": 0o666}, **RENDER)
    hip: dict[str, Any] = {
        "LD_LIBRARY_PATH": str(doubles.hip_runtime().parent),
        "FAKE_HIP": doubles.script("error hipInit 100"),
    }

    assert causes(machine, **hip) == ["amd-kfd-node-missing"]


def test_a_container_that_was_started_without_the_gpu() -> None:
    machine = a_machine((FIRST, GEFORCE, "nvidia"), **{"__run__.containerenv": "", **nvidia_modules("580.95.05", "nvidia")})

    assert causes(machine) == ["ctr-no-gpu-flag"]


def test_a_pod_with_one_of_two_cards_is_validated_with_zero() -> None:
    cards = ((FIRST, GEFORCE, "nvidia"), (SECOND, GEFORCE, "nvidia"))
    machine = a_machine(*cards, nodes=NVIDIA_NODES, **nvidia_modules("580.95.05", "nvidia", "nvidia_uvm"))
    given = doubles.described(name="NVIDIA L40S", uuid="GPU-00000000-0000-0000-0000-000000000001", pci=FIRST, memory=2**35)
    pod = {**a_cuda("580.95.05", given), "KUBERNETES_SERVICE_HOST": "10.0.0.1"}

    validated = machine.gpuprobe("validate", **pod)

    assert validated.code == 0, validated
    assert "1 card left out" in validated.out
    assert "ulkan" not in validated.out


AS_A_DOCUMENT = "import gpuprobe, json; print(json.dumps(gpuprobe.report()))"
AS_RECORDS = (
    "import gpuprobe, json; cards = gpuprobe.discover().cards; "
    "print(json.dumps([[card.why.finding, card.why.because] if card.why else None for card in cards]))"
)


def with_log(said: str) -> WholeMachine:
    loaded = nvidia_modules("580.95.05", "nvidia", "nvidia_uvm")
    return a_machine((FIRST, GEFORCE, "nvidia"), nodes=NVIDIA_NODES, __node__kmsg=f"3,100,42000000,-;{said}\n", **loaded)


@pytest.mark.parametrize(
    ("said", "finding"),
    [
        ("NVRM: Xid (PCI:0000:01:00): 79, pid=0, name=<unknown>, GPU has fallen off the bus.", "nv-xid-79"),
        ("NVRM: Xid (PCI:0000:01:00): 119, pid=0, Timeout after 6s of waiting for RPC response", "nv-gsp-timeout"),
    ],
)
def test_python_gets_the_reason_that_the_commands_give(said: str, finding: str) -> None:
    """Both are read of the kernel's log, which is asked where a card is not usable."""
    machine, cuda = with_log(said), a_cuda("580.95.05", "error cuInit 999")

    cards = machine.gpuprobe("list", "--json", **cuda).document["cards"]
    first = machine.gpuprobe("doctor", "--json", **cuda).document["findings"][0]

    assert [card["why"]["finding"] for card in cards] == [first["id"]] == [finding]
    assert machine.python(AS_A_DOCUMENT, **cuda).document["cards"] == cards
    assert machine.python(AS_RECORDS, **cuda).document == [[finding, card["why"]["because"]] for card in cards]


def test_env_gives_the_reason_of_list_also_where_the_discovery_was_saved(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    machine = with_log("RIP: 0010:devmem_alloc_pagemap+0x1f2/0x230 [nvidia_uvm]: request_free_mem_region failed")
    card = described(name="NVIDIA GeForce RTX 4090 (NVK)", pci=FIRST, vendor=GEFORCE[0], type="discrete", memory=24 << 30)
    vulkan = world(tmp_path).icd(card).environment()
    drivers: dict[str, Any] = {**vulkan, **a_cuda("580.95.05", "error cuInit 3"), "XDG_CACHE_HOME": str(tmp_path)}

    listed = machine.gpuprobe("list", "--json", **drivers).document["warnings"]

    assert (tmp_path / "gpuprobe" / "discovery.json").exists()
    assert [warning for warning in listed if "memory management HMM" in warning]
    assert machine.gpuprobe("env", "--json", **drivers).document["warnings"] == listed
