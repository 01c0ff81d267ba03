"""Where the loader would find a library, and the Vulkan loader its drivers, decided without loading anything."""

import struct
from collections.abc import Callable, Iterator, Mapping, Sequence

from gpuprobe import patterns as re
from gpuprobe.record_classes import NamedTuple

CACHE_MAGIC = b"glibc-ld.so.cache1.1"
_CACHE_HEADER = struct.Struct("<20sIIB3xI12x")
_CACHE_ENTRY = struct.Struct("<iIIIQ")
_ENTRIES_AT = _CACHE_HEADER.size

# glibc, sysdeps/generic/ldconfig.h: the low byte 3 is libc6, the next says which machine; 32-bit x86 has none there.
_CACHE_FLAGS = {"x86_64": 0x0303, "aarch64": 0x0A03, "ppc64le": 0x0503, "riscv64": 0x1003, "i686": 0x0003}
_ELF_MACHINES = {"x86_64": 62, "aarch64": 183, "ppc64le": 21, "riscv64": 243}  # all of class 2, 64 bits
_TRIPLETS = {
    "x86_64": "x86_64-linux-gnu",
    "aarch64": "aarch64-linux-gnu",
    "ppc64le": "powerpc64le-linux-gnu",
    "riscv64": "riscv64-linux-gnu",
}

BY_VARIABLE, BY_CACHE, BY_DEFAULT, BY_US = "LD_LIBRARY_PATH", "linker cache", "default directory", "known place"
BY_SYSTEM = "dyld cache"  # macOS

_WSL = ("/usr/lib/wsl/lib",)  # first of what only we know: a Linux driver installed inside WSL never works
_JETSON = ("/usr/lib/aarch64-linux-gnu/tegra", "/usr/lib/aarch64-linux-gnu/nvidia")
# Systems whose libraries lie in a store, behind links to what is installed: NixOS, Nix elsewhere, Guix.
_STORES = (
    *("/run/opengl-driver/lib", "/run/current-system/sw/lib", "/nix/var/nix/profiles/default/lib"),
    "/run/current-system/profile/lib",
)
_STORE_ROOTS = ("/nix/store/", "/gnu/store/")
# Where container runtimes put the host's driver: NVIDIA's, GKE's, Apptainer's with --nv or --rocm, snapd's.
_CONTAINER = (
    *("/usr/local/nvidia/lib64", "/usr/local/nvidia/lib", "/usr/local/cuda/compat"),
    *("/.singularity.d/libs", "/var/lib/snapd/lib/gl"),
)
_ROCM = ("/opt/rocm/lib", "/opt/rocm/lib64", "/opt/rocm/hip/lib")
_HOMEBREW = "/opt/homebrew"


class Place(NamedTuple):
    """One stop of the search: a directory, or the linker's cache as soname → path."""

    where: str  # as in FoundLibrary
    directory: str | None = None
    cache: Mapping[str, str] = {}

    def path_of(self, name: str) -> str | None:
        return f"{self.directory}/{name}" if self.directory is not None else self.cache.get(name)


class Hit(NamedTuple):
    name: str
    path: str
    where: str


def parse_linker_cache(content: bytes, machine: str = "x86_64", names: Sequence[str] | None = None) -> dict[str, str]:
    """soname → path for libraries of this machine's own kind, from the content of /etc/ld.so.cache.

    The new format, alone or behind the old one. Never raises: an entry that points outside the file is left out, and
    the rest counts. Of several entries for one name the first is taken, as glibc does, but one that wants a special
    processor only where there is no other. With `names` only these are looked for, which is ten times as fast.
    """
    start = content.find(CACHE_MAGIC)
    if start < 0 or len(content) < start + _ENTRIES_AT:
        return {}
    _, count, _, _, _ = _CACHE_HEADER.unpack_from(content, start)
    plain: dict[str, str] = {}
    special: dict[str, str] = {}
    wanted = None if names is None else _offsets(content, names)
    for key, value, hwcap in _entries(content, start, count, _CACHE_FLAGS.get(machine, 0x0003)):
        if wanted is not None and start + key not in wanted:
            continue
        name, path = _string(content, start + key), _string(content, start + value)
        if name and path:
            (special if hwcap else plain).setdefault(name, path)
    return {**special, **plain}


def _entries(content: bytes, start: int, count: int, flags: int) -> Iterator[tuple[int, int, int]]:
    """(offset of the name, offset of the path, processor wanted) of the entries that carry these flags."""
    first = start + _ENTRIES_AT
    whole = min(count, (len(content) - first) // _CACHE_ENTRY.size)
    table = memoryview(content)[first : first + whole * _CACHE_ENTRY.size]
    return ((key, value, hwcap) for kind, key, value, _, hwcap in _CACHE_ENTRY.iter_unpack(table) if kind == flags)


def _offsets(content: bytes, names: Sequence[str]) -> set[int]:
    """Everywhere that one of these names stands, be it as the end of a path: glibc stores some names only so."""
    offsets: set[int] = set()
    for name in names:
        text = name.encode() + b"\0"
        at = content.find(text)
        while at >= 0:
            offsets.add(at)
            at = content.find(text, at + 1)
    return offsets


def _string(content: bytes, offset: int) -> str | None:
    end = content.find(b"\0", offset)
    return None if end < 0 or offset >= len(content) else content[offset:end].decode("utf-8", "backslashreplace")


def fits(header: bytes, machine: str) -> bool:
    """Whether the loader would take a library that begins so: it passes over one of another machine, or of 32 bits.

    Anything that is no ELF file counts as fitting: there the loader stops, and its own words are the evidence.
    """
    if not header.startswith(b"\x7fELF") or len(header) < 20 or machine not in _ELF_MACHINES:
        return True
    return header[4] == 2 and int.from_bytes(header[18:20], "little") == _ELF_MACHINES[machine]


def linux_places(
    machine: str,
    environ: Mapping[str, str],
    cache: Mapping[str, str],
    rocm: Sequence[str] = (),
    musl: Sequence[str] | None = None,
    *,
    own: Sequence[str] = (),
    from_store: bool = False,
) -> tuple[Place, ...]:
    """The search order on Linux: the loader's own, then what only we know.

    `rocm` are directories like /opt/rocm-6.4.1, in any order; `musl` are musl's own where that is the C library; `own` are
    those of the environment that Python runs in. `from_store`: Python's loader reads neither cache nor default directories.
    """
    # An empty element means the working directory, where anybody may have put a library.
    named = [element for element in environ.get("LD_LIBRARY_PATH", "").replace(";", ":").split(":") if element]
    default = default_directories(machine) if musl is None else musl
    versions = [f"{directory}/lib" for directory in sorted(rocm, key=_version, reverse=True)]
    nvidia = [f"/usr/lib/{_TRIPLETS[machine]}/nvidia/current"] if machine in _TRIPLETS else []
    ours = [*_WSL, *_STORES, *(_JETSON if machine == "aarch64" else ()), *nvidia, *_CONTAINER, *_ROCM, *versions, *own]
    return (
        *_places(BY_VARIABLE, named),
        Place(BY_US if from_store else BY_CACHE, cache=cache),
        *_places(BY_US if from_store else BY_DEFAULT, default),
        *_places(BY_US, ours),
    )


def is_from_store(program: str) -> bool:
    """Whether a program, by its real path, was built by Nix or Guix: their glibc has a cache and directories of its own, and
    finds a distribution's libraries by whole paths only."""
    return program.startswith(_STORE_ROOTS)


def default_directories(machine: str) -> tuple[str, ...]:
    """Where glibc looks without being told; which of these it was built for differs by distribution."""
    triplet = _TRIPLETS.get(machine)
    multiarch = (f"/lib/{triplet}", f"/usr/lib/{triplet}") if triplet else ()
    return (*multiarch, "/lib64", "/usr/lib64", "/lib", "/usr/lib")


def macos_places(environ: Mapping[str, str]) -> tuple[Place, ...]:
    """The search order on macOS, for what is not a system framework."""
    named = [element for element in environ.get("DYLD_LIBRARY_PATH", "").split(":") if element]
    return (
        *_places("DYLD_LIBRARY_PATH", named),
        *_places(BY_DEFAULT, ("/usr/local/lib", "/usr/lib")),
        *_places(BY_US, (_HOMEBREW + "/lib",)),
    )


def windows_places(environ: Mapping[str, str]) -> tuple[Place, ...]:
    """Where Windows drivers put their libraries. PATH is left out: ctypes does not search it (since Python 3.8)."""
    system = environ.get("SYSTEMROOT", "C:\\Windows").replace("\\", "/")
    programs = environ.get("PROGRAMFILES", "C:\\Program Files").replace("\\", "/")
    sdk = environ.get("HIP_PATH", "").replace("\\", "/").rstrip("/")
    ours = [f"{programs}/NVIDIA Corporation/NVSMI", *([f"{sdk}/bin"] if sdk else [])]
    return (*_places(BY_DEFAULT, [f"{system}/System32"]), *_places(BY_US, ours))


def _places(where: str, directories: Sequence[str]) -> Iterator[Place]:
    return (Place(where, directory.rstrip("/") or "/") for directory in dict.fromkeys(directories))


def _version(path: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"[0-9]{1,9}", path))


def find_library(names: Sequence[str], places: Sequence[Place], exists: Callable[[str], bool]) -> tuple[Hit, ...]:
    """Each of these names that is found, in the order of the names, where the loader would find it first."""
    found = (_first(name, places, exists) for name in names)
    return tuple(hit for hit in found if hit is not None)


def _first(name: str, places: Sequence[Place], exists: Callable[[str], bool]) -> Hit | None:
    if name.startswith("/System/"):  # since macOS 11 no file: it lives in the loader's own cache
        return Hit(name, name, BY_SYSTEM)
    for place in places:
        path = place.path_of(name)
        if path is not None and exists(path):
            return Hit(name, path, place.where)
    return None


def manifest_places(environ: Mapping[str, str], platform: str) -> tuple[str, ...]:
    """Files and directories where the Vulkan loader looks for driver manifests, in its order, each once.

    Watched with the loader of Debian 12 (1.3.239, VK_LOADER_DEBUG=all): a variable that is set to nothing leaves no
    driver at all, and where one is set that replaces the search, what is to be added is ignored.
    """
    separator = ";" if platform == "win32" else ":"
    only = environ.get("VK_DRIVER_FILES", environ.get("VK_ICD_FILENAMES"))
    if only is not None:
        return _elements(only, separator)
    added = _elements(environ.get("VK_ADD_DRIVER_FILES", ""), separator)
    # Windows drivers are named in the registry, which is not read here.
    found = () if platform == "win32" else (f"{place}/vulkan/icd.d" for place in _configured(environ, platform))
    return tuple(dict.fromkeys((*added, *found)))


def _configured(environ: Mapping[str, str], platform: str) -> Iterator[str]:
    brew = platform == "darwin"
    yield from _home(environ, "XDG_CONFIG_HOME", ".config")
    yield from _elements(environ.get("XDG_CONFIG_DIRS") or (f"{_HOMEBREW}/etc/xdg:" * brew + "/etc/xdg"))
    yield from ([f"{_HOMEBREW}/etc"] if brew else [])
    yield "/etc"
    yield from _home(environ, "XDG_DATA_HOME", ".local/share")
    yield from _elements(environ.get("XDG_DATA_DIRS") or (f"{_HOMEBREW}/share:" * brew + "/usr/local/share:/usr/share"))


def _home(environ: Mapping[str, str], name: str, below: str) -> Iterator[str]:
    if environ.get(name):
        yield environ[name]
    elif "HOME" in environ:
        yield f"{environ['HOME']}/{below}"


def _elements(text: str, separator: str = ":") -> tuple[str, ...]:
    return tuple(dict.fromkeys(element for element in text.split(separator) if element))
