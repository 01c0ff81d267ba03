"""What Linux's own files say of NVIDIA's GPUs: names, Jetsons and their release, drivers that hide the one of Windows."""

from gpuprobe import patterns as re
from gpuprobe.environment import cleaned
from gpuprobe.facts import Host
from gpuprobe.machine.surroundings import NONE, container, exists, is_uncertain, text_of, wsl
from gpuprobe.record_classes import NamedTuple

# NVIDIA's Jetson Linux archive: release of Linux for Tegra → JetPack. No inference build is made for 4 any more.
_JETPACKS = {32: 4, 34: 5, 35: 5, 36: 6, 38: 7, 39: 7}
_OLDEST_JETPACK = 5


class JetPack(NamedTuple):
    """The JetPack release of a Jetson. `version` None: a Jetson, and its release is not known."""

    version: int | None
    source: str  # "JETSON_JETPACK" or "/etc/nv_tegra_release"
    l4t: str | None = None  # "36.4.3"
    problem: str | None = None  # a sentence

    @property
    def supported(self) -> bool | None:
        return None if self.version is None else self.version >= _OLDEST_JETPACK


def name_of(host: Host, address: str) -> str | None:
    """The name that NVIDIA's kernel driver gives; it says "Unknown" while the card is not initialised."""
    text = text_of(host, f"/proc/driver/nvidia/gpus/{address}/information")
    found = re.search(r"(?m)^Model:[ \t]*(\S.*?)\s*$", text)
    return found[1] if found and found[1].casefold() not in ("unknown", "?") else None


def device_file(host: Host, address: str) -> str | None:
    """The card's own node, by the number that the kernel driver gives it; None: no file says it."""
    text = text_of(host, f"/proc/driver/nvidia/gpus/{address}/information")
    found = re.search(r"(?m)^Device Minor:[ \t]*([0-9]{1,4})[ \t]*$", text)
    return f"/dev/nvidia{int(found[1])}" if found else None


def foreign_to_wsl(host: Host, names: tuple[str, ...]) -> str | None:
    """Where the loader finds the first of these libraries, if that is a driver for Linux: inside WSL 2 it never
    works, and hides the one that Windows brings. In a container the toolkit puts that of Windows in the usual place."""
    if wsl(host) != 2 or container(host) not in (NONE, None):
        return None
    found = next((library for library in host.libraries if library.name in names), None)
    of_windows = found is None or any(path.startswith("/usr/lib/wsl/") for path in (found.path, found.real_path))
    return None if of_windows or found is None else found.path


def jetpack(host: Host) -> JetPack | None:
    """The JetPack release: as JETSON_JETPACK says, else by the installed Linux for Tegra. None: not a Jetson.

    Only on arm64 Linux: the variable means nothing elsewhere.
    """
    if host.platform != "linux" or host.machine not in ("aarch64", "arm64"):
        return None
    wanted = cleaned(host.environ.get("JETSON_JETPACK", ""))
    number = re.fullmatch(r"([0-9]{1,3})(?:\.[0-9.]*)?", wanted)
    if number:
        return JetPack(int(number[1]), "JETSON_JETPACK")
    problem = f"JETSON_JETPACK is `{wanted}`, and not a number such as 6 or 6.2: it is ignored" if wanted else None
    return _installed_jetpack(host, problem)


def _installed_jetpack(host: Host, problem: str | None) -> JetPack | None:
    path = "/etc/nv_tegra_release"
    if is_uncertain(host, path):
        unread = f"`{path}` could not be read ({host.texts[path].problem}): on a Jetson set JETSON_JETPACK, for example to 6"
        return JetPack(None, path, problem=problem or unread)
    if not exists(host, path):
        return JetPack(None, "JETSON_JETPACK", problem=problem) if problem else None
    # "# R36 (release), REVISION: 4.3, GCID: 38968081, BOARD: generic, EABI: aarch64, DATE: …"
    found = re.search(r"\sR([0-9]{1,3})\s(?:.*REVISION:\s*([0-9.]+))?", text_of(host, path))
    if found is None:
        nameless = f"`{path}` names no release; set JETSON_JETPACK, for example to 6"
        return JetPack(None, path, problem=problem or nameless)
    l4t = found[1] + (f".{found[2].strip('.')}" if found[2] else "")
    version = _JETPACKS.get(int(found[1]))
    unknown = None if version else f"Linux for Tegra {l4t} is not a release that gpuprobe knows; set JETSON_JETPACK"
    return JetPack(version, path, l4t, problem or unknown)


def module_version(host: Host) -> str | None:
    """The release of the kernel module in memory."""
    return text_of(host, "/sys/module/nvidia/version") or None
