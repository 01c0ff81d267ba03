"""Files of settings, of distributions and of people, as far as they concern GPUs: of each the lines that do, and no others.

What else stands in them, addresses, accounts and keys, is none of a diagnosis' business and would go into captures.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator

from gpuprobe.facts import Reading
from gpuprobe.survey.modules_on_disk import is_gpu_module
from gpuprobe.survey.tree import ABSENT, Tree

_MODPROBE = ("/etc/modprobe.d", "/run/modprobe.d", "/usr/local/lib/modprobe.d", "/usr/lib/modprobe.d", "/lib/modprobe.d")
_LOAD = ("/etc/modules-load.d", "/usr/lib/modules-load.d")
_CDI = ("/etc/cdi", "/var/run/cdi", "/run/cdi")
_CDI_LINE = re.compile(r"\s{0,40}-?\s{0,8}\"?(?:path|hostPath|kind|cdiVersion|name|devices|deviceNodes)\"?\s{0,4}:")
_LIBRARY_WITH_VERSION = re.compile(r"lib[\w-]{1,60}\.so\.[0-9]")
_OF_DOCKER = ("runtimes", "default-runtime", "exec-opts", "features", "cdi-spec-dirs", "userns-remap", "cgroup-parent")
_OF_A_GPU = re.compile(r"nvidia|nvmap|\bkfd\b|renderD|/dri\b|\bdxg\b|xserver_misc_device_t|dri_device_t")
_OF_SNAPS = re.compile(
    r":(?:opengl|hardware-observe|process-control|graphics-core\w{0,8}|gpu-\w{1,12}|kernel-module-observe|kfd)\b"
)
_MOST_FILES, _MOST_LINES, _LONGEST_LINE, _MOST_REFUSALS = 200, 300, 400, 20
_LARGEST = 16 * 1024 * 1024


def settings_files(tree: Tree) -> Iterator[tuple[str, Reading]]:
    """(path, content) of each that is there; one that may not be read is evidence too."""
    for path, kept in _paths(tree):
        reading = tree.read(path, _LARGEST)
        if reading.problem != ABSENT:
            yield path, reading if reading.text is None else kept(reading.text)


def _paths(tree: Tree) -> Iterator[tuple[str, Callable[[str], Reading]]]:
    for folder in _MODPROBE:
        yield from ((path, _modprobe_lines) for path in _inside(tree, folder, ".conf"))
    for folder in _LOAD:
        yield from ((path, _module_names) for path in _inside(tree, folder, ".conf"))
    for folder in _CDI:
        yield from ((path, _cdi_lines) for path in _inside(tree, folder, (".yaml", ".yml", ".json")))
    yield from ((path, _uncommented) for path in _inside(tree, "/etc/OpenCL/vendors", ".icd"))
    yield "/etc/docker/daemon.json", _docker
    yield "/etc/nvidia/gridd.conf", _gridd
    yield "/proc/keys", _key_rings
    yield "/var/log/audit/audit.log", _refusals
    yield "/var/lib/snapd/state.json", _connections
    for path in (
        "/etc/nvidia-container-runtime/config.toml",
        "/etc/prime-discrete",
        "/var/lib/ubuntu-drivers-common/prime-mode",
        "/etc/supergfxd.conf",
        "/etc/wsl.conf",
        "/etc/ld.so.conf.d/ld.wsl.conf",
        "/run/reboot-required.pkgs",
        "/etc/default/nvidia-fabricmanager",
    ):
        yield path, _uncommented


def _inside(tree: Tree, folder: str, ending: str | tuple[str, ...]) -> list[str]:
    """What a linked directory holds a second time (/lib is /usr/lib) is read once."""
    names = [name for name in tree.names(folder) if name.endswith(ending)][:_MOST_FILES]
    is_twice = folder.startswith("/lib/") and tree.target("/lib") is not None
    return [] if is_twice else [f"{folder}/{name}" for name in names]


def _kept(text: str, wanted: Callable[[str], bool]) -> Reading:
    lines = (line[:_LONGEST_LINE] for line in text.splitlines() if wanted(line))
    return Reading("\n".join(line for line, _ in zip(lines, range(_MOST_LINES), strict=False)))


def _modprobe_lines(text: str) -> Reading:
    """Directives that name a module for GPUs, also behind the first word: `alias pci:… nvidia`, `softdep nvidia pre: …`."""
    joined = text.replace("\\\n", " ")
    return _kept(joined, lambda line: not _is_comment(line) and any(is_gpu_module(word) for word in line.split()[1:4]))


def _module_names(text: str) -> Reading:
    return _kept(text, lambda line: is_gpu_module(line.strip()))


def _cdi_lines(text: str) -> Reading:
    """The devices and the libraries' paths, each once: a whole description repeats them for every card and hook."""
    seen: dict[str, None] = {}
    for line in (line[:_LONGEST_LINE] for line in text.splitlines()):
        names_a_device = _CDI_LINE.match(line) and any(word in line for word in ("/dev/", "name", "kind", "Version"))
        if names_a_device or _LIBRARY_WITH_VERSION.search(line):
            seen[line.strip()] = None
    return Reading("\n".join(list(seen)[:_MOST_LINES]))


def _uncommented(text: str) -> Reading:
    return _kept(text, lambda line: bool(line.strip()) and not _is_comment(line))


def _gridd(text: str) -> Reading:
    """Which kind of licence is asked for; whom, only that somebody is named."""
    kept = _uncommented(text).text or ""
    return Reading(re.sub(r"(?m)^(\s{0,9}(?:Backup)?ServerAddress\s{0,9}=)[^\n]{1,400}$", r"\1…", kept))


def _key_rings(text: str) -> Reading:
    """The kernel's rings of keys that modules are signed with, and the keys that this account may see."""
    return _kept(text, lambda line: "asymmetri" in line or (" keyring " in line and " ." in line))


def _refusals(text: str) -> Reading:
    """The last of SELinux' and AppArmor's refusals that concern device nodes of GPUs."""
    lines = [
        line[:_LONGEST_LINE] for line in text.splitlines() if "denied" in line[:400].lower() and _OF_A_GPU.search(line[:2000])
    ]
    return Reading("\n".join(lines[-_MOST_REFUSALS:]))


def _connections(text: str) -> Reading:
    """How snaps are connected to what gives them cards: `ollama:opengl snapd:opengl`."""
    try:
        said = json.loads(text)["data"]["conns"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return Reading(None, "error: its connections are not understood")
    kept = (
        [name for name, how in said.items() if _OF_SNAPS.search(name[:200]) and not _is_undone(how)]
        if isinstance(said, dict)
        else []
    )
    return Reading("\n".join(sorted(name[:200] for name in kept)[:_MOST_LINES]))


def _is_undone(how: object) -> bool:
    return isinstance(how, dict) and bool(how.get("undesired"))


def _is_comment(line: str) -> bool:
    return line.lstrip()[:1] in ("#", ";")


def _docker(text: str) -> Reading:
    """What decides about devices; names of registries, mirrors and proxies are left out."""
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return Reading(None, "error: it is not JSON")
    kept = {name: said[name] for name in _OF_DOCKER if name in said} if isinstance(said, dict) else {}
    return Reading(json.dumps(kept, sort_keys=True)[:8192])
