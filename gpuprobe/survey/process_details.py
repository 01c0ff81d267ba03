"""One process in full, as far as /proc lets us: what it has mapped and open, its environment, its account, its memory.

Every file has a bound. What may not be read is said, and is not the same as nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from gpuprobe import environment
from gpuprobe.machine.process_records import DrmClient, Process
from gpuprobe.survey.loopback_ports import Listening
from gpuprobe.survey.process_status import status_of
from gpuprobe.survey.processes import FIRST_NAMESPACE, name_of
from gpuprobe.survey.tree import ABSENT, DENIED, Tree
from gpuprobe.vendors import VENDORS

_MOST_MAPS, _MOST_ENVIRON, _MOST_COMMAND = 16 << 20, 1 << 20, 64 << 10
_MOST_OPEN, _MOST_CLIENTS, _MOST_FILES = 8192, 256, 512
_TICKS = 100  # USER_HZ, the unit of /proc/PID/stat on every architecture of Linux
# Also read of another process: what Ollama and vLLM are told, beside the variables that bear on GPUs.
_ITS_OWN = ("OLLAMA_HOST", "OLLAMA_MODELS", "LLAMA_ARG_MODEL", "LLAMA_ARG_HF_REPO", "LLAMA_ARG_PORT", "INVOCATION_ID")
_SHARED = ("/dev/dri/", "/dev/dxg")
_NODES = (*(f"/dev/{start}" for vendor in VENDORS for start in vendor.nodes), *_SHARED)
_MODEL = re.compile(r"\.(gguf|safetensors|ggml|bin|pt|pth|onnx)$|/blobs/sha256-[0-9a-f]{64}$")
_LIBRARY = re.compile(r"\.so(\.|$)|\.abi3\.so")


def details(tree: Tree, number: int, listening: Listening) -> Process | None:
    """None: it has ended."""
    place = f"/proc/{number}"
    status = status_of(tree, number)
    if status.problem is not None or status.has_ended:
        return None
    problems: list[tuple[str, str]] = []
    maps = _read(tree, f"{place}/maps", _MOST_MAPS, problems)
    environ = _read(tree, f"{place}/environ", _MOST_ENVIRON, problems)
    mapped = None if maps is None else tuple(dict.fromkeys(_files_in(maps)))
    opened = _opened(tree, place, problems)
    command = (tree.read(f"{place}/cmdline", most=_MOST_COMMAND).text or "").rstrip("\0")
    if tree.status(place) is None:
        return None
    paths = () if opened is None else tuple(target for _, target in opened)
    return Process(
        number=number,
        name=status.name or "",
        command=tuple(command.split("\0")) if command else (),
        parent=status.parent,
        user=status.uid,
        groups=status.groups or (),
        account=None if status.uid is None else name_of(status.uid),
        started_at=_started_at(tree, place),
        program=tree.target(f"{place}/exe"),
        directory=tree.target(f"{place}/cwd"),
        mapped=None if mapped is None else tuple(path for path in mapped if _matters(path))[:_MOST_FILES],
        replaced=tuple(path for path in _deleted(maps or "") if _LIBRARY.search(path))[:_MOST_FILES],
        nodes=None if opened is None else tuple(sorted({path for path in paths if path.startswith(_NODES)})),
        models=tuple(dict.fromkeys(path for path in (*(mapped or ()), *paths) if _MODEL.search(path)))[:_MOST_FILES],
        clients=tuple(_clients(tree, place, opened or ())),
        environ=None if environ is None else _known(environ),
        control_group=tree.read(f"{place}/cgroup").text,
        resident=status.resident,
        ports=listening.ports_of(paths),
        outputs=tuple(dict.fromkeys(target for name, target in opened or () if name in ("1", "2"))),
        beside=tuple(_beside(tree, place, mapped or (), tree.target(f"{place}/exe"))),
        root_nodes=_own_nodes(tree, place),
        problems=tuple(problems),
        is_inside=tree.target(f"{place}/ns/pid") not in (None, FIRST_NAMESPACE),
    )


def _read(tree: Tree, path: str, most: int, problems: list[tuple[str, str]]) -> str | None:
    reading = tree.read(path, most)
    if reading.text is None:
        problems.append((path.rpartition("/")[2], reading.problem or ABSENT))
    return reading.text


def _opened(tree: Tree, place: str, problems: list[tuple[str, str]]) -> tuple[tuple[str, str], ...] | None:
    """(number, what it is) of each open file; None where they may not be listed."""
    listed = tree.listed(f"{place}/fd")
    if listed.problem is not None:
        problems.append(("fd", listed.problem))
        return None
    links = [(name, tree.link(f"{place}/fd/{name}")) for name in listed.names[:_MOST_OPEN]]
    # Root without CAP_SYS_PTRACE may list what another account has open, and read none of it.
    if any(link.problem == DENIED for _, link in links):
        problems.append(("fd", DENIED))
        return None
    return tuple((name, link.text) for name, link in links if link.text is not None)


def _files_in(maps: str) -> Iterator[str]:
    """Paths of mapped files. The sixth column of a line begins at its first slash."""
    for line in maps.splitlines():
        slash = line.find("/")
        if slash > 0:
            yield line[slash:].removesuffix(" (deleted)")


def _deleted(maps: str) -> Iterator[str]:
    lines = (line for line in maps.splitlines() if line.endswith(" (deleted)"))
    return iter(dict.fromkeys(line[line.find("/") :].removesuffix(" (deleted)") for line in lines if "/" in line))


def _matters(path: str) -> bool:
    return _LIBRARY.search(path) is not None or path.startswith(_NODES)


_WITH_PARTS = re.compile(r"/(?:libggml[^/]*|libllama[^/]*|libtorch_cpu)\.so[^/]*$")
_PROGRAM = re.compile(r"/(?:llama|whisper|sd|ollama|ggml-rpc)[^/]*$")
_A_PART = re.compile(r"(?:libggml-|libtorch_)[^/]*\.so[^/]*")
_MOST_FOLDERS, _MOST_PARTS = 8, 64


def _beside(tree: Tree, place: str, mapped: tuple[str, ...], program: str | None) -> Iterator[str]:
    """Through the process's own root, so that a container's files are the container's; Ollama has a folder for each backend."""
    with_parts = (path for path in mapped if _WITH_PARTS.search(path))
    homes = dict.fromkeys(path.rpartition("/")[0] for path in with_parts)
    if program is not None and _PROGRAM.search(program):
        above = program.rpartition("/")[0]
        homes |= dict.fromkeys((above, f"{above.rpartition('/')[0]}/lib/ollama"))
    found = 0
    for home in list(homes)[:_MOST_FOLDERS]:
        here = f"{place}/root{home}"
        inner = [f"{home}/{name}" for name in tree.folders(here)[:_MOST_FOLDERS]] if home.endswith("/ollama") else []
        for folder in (home, *inner):
            for name in tree.names(f"{place}/root{folder}"):
                if _A_PART.fullmatch(name) and found < _MOST_PARTS:
                    found += 1
                    yield f"{folder}/{name}"


def _own_nodes(tree: Tree, place: str) -> tuple[str, ...] | None:
    """None: its root may not be looked into."""
    listed = tree.listed(f"{place}/root/dev")
    if listed.problem is not None:
        return None
    names = [*listed.names, *(f"dri/{name}" for name in tree.names(f"{place}/root/dev/dri"))]
    return tuple(path for name in names if (path := f"/dev/{name}").startswith(_NODES) and path != "/dev/dri")


def _clients(tree: Tree, place: str, opened: tuple[tuple[str, str], ...]) -> Iterator[DrmClient]:
    """Each handle once: a file that is open twice says the same twice."""
    seen: set[tuple[str | None, str | None]] = set()
    nodes = [name for name, target in opened if target.startswith(_SHARED)]
    for name in nodes[:_MOST_CLIENTS]:
        said = dict(re.findall(r"(?m)^(drm-[\w-]+):[ \t]*(.*)$", tree.read(f"{place}/fdinfo/{name}").text or ""))
        key = said.get("drm-pdev"), said.get("drm-client-id")
        if said and (key not in seen or key[1] is None):
            seen.add(key)
            yield _client(said)


# Of what a region holds, the best of these that a driver tells.
_TELLING = ("drm-resident-", "drm-memory-", "drm-total-")
_OF_THE_CARD = ("vram", "local", "stolen")
_OF_THE_SYSTEM = ("gtt", "system", "cpu")


def _client(said: dict[str, str]) -> DrmClient:
    engines = [_whole(value.partition(" ")[0]) for name, value in said.items() if _is_engine(name)]
    busy = [nanoseconds for nanoseconds in engines if nanoseconds is not None]
    return DrmClient(
        pci_id=(said.get("drm-pdev") or "").lower() or None,
        driver=said.get("drm-driver"),
        device_memory=_in_regions(said, _OF_THE_CARD),
        shared_memory=_in_regions(said, _OF_THE_SYSTEM),
        busy=sum(busy) if busy else None,
    )


def _is_engine(name: str) -> bool:
    return name.startswith("drm-engine-") and not name.startswith("drm-engine-capacity-")


def _in_regions(said: dict[str, str], regions: tuple[str, ...]) -> int | None:
    for start in _TELLING:
        sizes = [_size(value) for name, value in said.items() if name.startswith(tuple(start + each for each in regions))]
        known = [size for size in sizes if size is not None]
        if known:
            return sum(known)
    return None


def _size(text: str) -> int | None:
    """`123 KiB`, `4 MiB`, or bytes."""
    found = re.fullmatch(r"([0-9]{1,15})(?: (KiB|MiB|GiB))?", text.strip(), re.ASCII)
    return int(found[1]) * {None: 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}[found[2]] if found else None


def _known(text: str) -> dict[str, str]:
    pairs = dict(entry.split("=", 1) for entry in text.split("\0")[:4096] if "=" in entry)
    return environment.known(pairs) | {name: pairs[name] for name in _ITS_OWN if name in pairs}


def _started_at(tree: Tree, place: str) -> float | None:
    """Seconds since 1970: what the kernel counts from its start, and when that was."""
    words = (tree.read(f"{place}/stat").text or "").rpartition(")")[2].split()
    boot = re.search(r"(?m)^btime ([0-9]{1,19})$", tree.read("/proc/stat", most=1 << 20).text or "")
    ticks = _whole(words[19]) if len(words) > 19 else None
    return None if boot is None or ticks is None else int(boot[1]) + ticks / _TICKS


def _whole(text: str) -> int | None:
    """`isdigit` is true of `²`, which is no number."""
    return int(text) if re.fullmatch("[0-9]{1,20}", text, re.ASCII) else None
