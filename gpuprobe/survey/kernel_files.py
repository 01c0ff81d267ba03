"""Small files and directories of the kernel and of drivers that only a diagnosis reads. None of them wakes a card."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterator
from itertools import islice

from gpuprobe import vendors
from gpuprobe.facts import Host, Listing, Reading
from gpuprobe.survey.modules_on_disk import is_gpu_module
from gpuprobe.survey.nvidia import mig_instances
from gpuprobe.survey.pci import DEVICES, is_awake
from gpuprobe.survey.tree import ABSENT, Tree

_ALWAYS = (
    "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c",
    "/sys/module/module/parameters/sig_enforce",
    "/sys/kernel/security/lockdown",
    "/proc/sys/kernel/dmesg_restrict",
    "/proc/sys/kernel/tainted",
    "/proc/uptime",
    "/sys/power/suspend_stats/success",
    "/sys/fs/selinux/enforce",
    "/proc/self/attr/current",
    "/proc/acpi/bbswitch",
    "/sys/devices/platform/asus-nb-wmi/dgpu_disable",
    "/sys/class/firmware-attributes/asus-armoury/attributes/dgpu_disable/current_value",
    "/var/lib/shim-signed/mok/MOK.der",
    "/var/lib/dkms/mok.pub",
    "/etc/pki/akmods/certs/public_key.der",
    "/proc/sys/fs/binfmt_misc/WSLInterop",
    "/run/.toolboxenv",
    "/sys/fs/cgroup/devices/devices.list",  # of version 1: of version 2 the rules are a program that nobody can read back
)
_KEYS = _ALWAYS[-6:-3]  # of these only that they are there
_PARAMETERS = (
    *("nvidia_drm/modeset", "nvidia_drm/fbdev", "nvidia_uvm/uvm_disable_hmm", "nouveau/modeset", "i915/force_probe"),
    *("xe/force_probe", "i915/enable_guc", "amdgpu/si_support", "amdgpu/cik_support", "radeon/si_support", "amdgpu/runpm"),
    *("amdgpu/cwsr_enable", "amdgpu/gttsize", "amdgpu/vis_vramlimit", "amdgpu/mes", "ttm/pages_limit"),
)
_OF_A_CARD = (
    *("boot_vga", "power_state", "d3cold_allowed", "power/control", "subsystem_vendor", "subsystem_device", "revision"),
    *("removable", "sriov_numvfs", "sriov_totalvfs", "aer_dev_fatal", "aer_dev_nonfatal", "max_link_speed", "modalias"),
)
_LISTED = (
    "/proc/driver/nvidia-nvswitch/devices",
    "/proc/driver/nvidia/capabilities",
    "/sys/class/mdev_bus",
    "/var/cache/akmods/nvidia",
    "/var/cache/akmods/nvidia-open",
    "/etc/nvidia/ClientConfigToken",
    "/etc/udev/rules.d",
    "/etc/modprobe.d",
    "/etc/cdi",
    "/var/run/cdi",
    "/etc/OpenCL/vendors",
    "/etc/ld.so.conf.d",
    "/usr/lib/wsl/lib",
    "/tmp/nvidia-mps",  # noqa: S108 - where MPS' daemon has its pipes; only looked at
    "/var/run/secrets/kubernetes.io",
    "/snap/docker",
    "/usr/share/vulkan/icd.d",
)
_SOUND = "0x0403"  # class and subclass
_MOST_CARDS, _MOST_NAMES = 64, 256
_CONFIGURED = re.compile(
    r"(?m)^(?:# )?CONFIG_(?:HSA_AMD|HSA_AMD_SVM|DRM_AMDGPU|DRM_AMDGPU_SI|DRM_AMDGPU_CIK|DRM_NOUVEAU|DRM_XE|DRM_I915|MODULE_SIG"
    r"|MODULE_SIG_FORCE|INTEGRITY_MACHINE_KEYRING|INTEGRITY_PLATFORM_KEYRING|SECURITY_LOCKDOWN_LSM|HMM_MIRROR|DEVICE_PRIVATE"
    r"|ZONE_DEVICE|DXGKRNL|RANDOMIZE_MEMORY|MODULES|PCI_P2PDMA|MEMORY_HOTPLUG)(?:=.{0,40}| is not set)$"
)
_LARGEST_CONFIGURATION = 1024 * 1024  # bytes
_MOUNTED = re.compile(r"/dev/(?:nvidia|dri|kfd|dxg|nvmap|nvhost)|/proc/driver/nvidia|libcuda|libnvidia-ml|/usr/lib/wsl")
_LIMITS = ("Max locked memory", "Max open files", "Max address space", "Max processes")


def kernel_texts(tree: Tree, host: Host) -> dict[str, Reading]:
    """By path; of files of single cards and modules only those that are there."""
    texts = {path: tree.read(path, most=4096) for path in _ALWAYS}
    texts.update((path, _only_there(texts[path])) for path in _KEYS)
    parameters = (f"/sys/module/{each.replace('/', '/parameters/')}" for each in _PARAMETERS)
    optional = (*parameters, *_of_cards(tree, host), *_of_slices(tree))
    for path in optional:
        reading = tree.read(path, most=16 * 1024)
        if reading.problem != ABSENT:
            texts[path] = reading
    texts.update(_selected(tree, host.kernel))
    texts.update(_companions(tree))
    return texts


def _only_there(reading: Reading) -> Reading:
    return reading._replace(text="") if reading.text is not None else reading


def _of_cards(tree: Tree, host: Host) -> Iterator[str]:
    for function in host.pci[:_MOST_CARDS]:
        yield from (f"{DEVICES}/{function.address}/{name}" for name in _OF_A_CARD)
        yield f"/proc/driver/nvidia/gpus/{function.address}/power"
        if is_awake(tree.line(f"{DEVICES}/{function.address}/power/runtime_status")):
            numbers = (name.removeprefix("card") for name in function.drm if name.startswith("card"))
            yield from (f"/sys/kernel/debug/dri/{number}/amdgpu_firmware_info" for number in numbers)
    place = "/sys/bus/thunderbolt/devices"
    for name in tree.names(place)[:_MOST_CARDS]:
        yield from (f"{place}/{name}/{file}" for file in ("authorized", "device_name"))


def _of_slices(tree: Tree) -> Iterator[str]:
    """What says which node below /dev/nvidia-caps each of MIG's slices is opened through."""
    for card, instances in islice(mig_instances(tree), _MOST_CARDS):
        place = f"/proc/driver/nvidia/capabilities/{card}/mig"
        yield from (f"{place}/{instance}/access" for instance in instances[:16])
        yield from {f"{place}/{instance.partition('/')[0]}/access": None for instance in instances[:16]}


def _selected(tree: Tree, kernel: str) -> Iterator[tuple[str, Reading]]:
    """Files of which a part concerns GPUs, and the rest other things of the machine's owner."""
    yield "/proc/modules", _lines(tree.read("/proc/modules", 256 * 1024), lambda line: is_gpu_module(line.split(" ")[0]))
    yield "/proc/self/mountinfo", _lines(tree.read("/proc/self/mountinfo", 1024 * 1024), _is_mount_of_a_gpu, 128)
    yield "/proc/self/limits", _lines(tree.read("/proc/self/limits"), lambda line: line.startswith(_LIMITS))
    yield "/proc/1/environ", _mark_of_container(tree)
    yield from _configuration(tree, kernel)


def _companions(tree: Tree) -> Iterator[tuple[str, Reading]]:
    """The vendor of each sound function of a maker of GPUs: one that is left behind tells of a card that went."""
    for name in tree.names(DEVICES)[:4096]:
        place = f"{DEVICES}/{name}"
        if (tree.line(f"{place}/class") or "").startswith(_SOUND):
            reading = tree.read(f"{place}/vendor", most=64)
            maker = vendors.vendor_of(_hexadecimal(reading.text))
            if maker is not None and maker.instead is None:
                yield f"{place}/vendor", reading


def _hexadecimal(text: str | None) -> int | None:
    try:
        return int(text or "", 16)
    except ValueError:
        return None


def _is_mount_of_a_gpu(line: str) -> bool:
    return _MOUNTED.search(line) is not None


def _lines(reading: Reading, wanted: Callable[[str], bool], most: int = 64) -> Reading:
    if reading.text is None:
        return reading
    kept = [line[:512] for line in reading.text.splitlines() if wanted(line)]
    return reading._replace(text="\n".join(kept[:most]))


def _mark_of_container(tree: Tree) -> Reading:
    reading = tree.read("/proc/1/environ")
    words = (reading.text or "").split("\0")
    mark = next((word[:64] for word in words if word.startswith("container=")), "")
    return reading._replace(text=mark) if reading.text is not None else reading


def _configuration(tree: Tree, kernel: str) -> Iterator[tuple[str, Reading]]:
    """How the kernel was built: the distribution's file, or what the kernel keeps of it itself."""
    path = f"/boot/config-{kernel}"
    reading = tree.read(path, _LARGEST_CONFIGURATION)
    yield path, reading._replace(text=_configured(reading.text)) if reading.text is not None else reading
    if reading.text is None:
        path = "/proc/config.gz"
        try:
            unpacked = zlib.decompressobj(31).decompress(tree.content(path, _LARGEST_CONFIGURATION), _LARGEST_CONFIGURATION)
        except (OSError, ValueError, zlib.error):
            return
        yield path, Reading(_configured(unpacked.decode("ascii", "replace")))


def _configured(text: str) -> str:
    return "\n".join(found[0] for found in _CONFIGURED.finditer(text))


def kernel_listings(tree: Tree, host: Host) -> dict[str, Listing]:
    """By path. Of the modules in memory only those for GPUs."""
    listings = {path: listing(tree, path) for path in (*_LISTED, "/sys/bus/thunderbolt/devices")}
    loaded = listing(tree, "/sys/module", most=4096)
    names = loaded.names
    listings["/sys/module"] = loaded._replace(names=names and tuple(name for name in names if is_gpu_module(name)))
    for function in host.pci[:_MOST_CARDS]:
        place = f"{DEVICES}/{function.address}/mdev_supported_types"
        if (found := listing(tree, place)).problem != ABSENT:
            listings[place] = found
    return listings


def listing(tree: Tree, path: str, most: int = _MOST_NAMES) -> Listing:
    listed = tree.listed(path)
    return Listing(None, listed.problem) if listed.problem is not None else Listing(listed.names[:most])
