"""How a child loads a shared library, asks it a question, and says why it could not: shared by all backends."""

from __future__ import annotations

import ctypes
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, TypeVar

    Filled = TypeVar("Filled", bound=ctypes.Structure)
    Function = Callable[..., int]
    Announce = Callable[[str], None]
    Facts = Callable[[dict[str, Any]], None]

# What a driver fills in is filled with this first: the Khronos mock driver advertises an extension, answers success and
# writes nothing.
SENTINEL = 0xA5
UNTOUCHED_32 = 0xA5A5A5A5
UNTOUCHED_64 = 0xA5A5A5A5A5A5A5A5

_RTLD_NOW = 2  # the same number on Linux (glibc, musl) and macOS; RTLD_LOCAL is the default there
_RTLD_GLOBAL = 0x8 if sys.platform == "darwin" else 0x100
_RTLD_DI_LINKMAP = 2
_NO_FILE = "cannot open shared object file: No such file"  # glibc's words


class Failed(Exception):
    """The end of a probe that the library itself decided. `status` as in the protocol; `code` and `name` are the library's."""

    def __init__(self, status: str, message: str, code: int | None = None, name: str | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.code, self.name = status, message, code, name


def load(candidates: Sequence[str], needs: str | None = None, *, everywhere: bool = False) -> ctypes.CDLL:
    """The first candidate that loads and has the function `needs`; Failed("not_loadable") with the loader's words else.

    `everywhere`: what is loaded after it sees its functions (RTLD_GLOBAL).
    """
    refusals: dict[str, str] = {}
    for candidate in candidates:
        try:
            library = _opened(candidate, _RTLD_NOW | (_RTLD_GLOBAL if everywhere else 0))
        except OSError as problem:
            refusals[candidate] = str(problem)
            continue
        if needs is None or optional(library, needs) is not None:
            return library
        refusals[candidate] = f"it loads, but has no function `{needs}`: it is another library or a damaged one"
    raise Failed("not_loadable", _not_loadable(refusals))


def _opened(name: str, mode: int) -> ctypes.CDLL:
    if os.name != "posix":
        return ctypes.CDLL(name)
    # ctypes.CDLL(name) holds the interpreter's lock during dlopen (CPython 3.11), so a library that hangs while it is loaded
    # would stop the thread that watches for the parent's end. A foreign function is called without that lock.
    loader = ctypes.CDLL(None)
    loader.dlopen.argtypes, loader.dlopen.restype = (ctypes.c_char_p, ctypes.c_int), ctypes.c_void_p
    loader.dlerror.argtypes, loader.dlerror.restype = (), ctypes.c_char_p
    handle = loader.dlopen(os.fsencode(name), mode)
    if not handle:
        raise OSError((loader.dlerror() or b"the loader gives no reason").decode(errors="replace"))
    return ctypes.CDLL(name, handle=handle)


def _not_loadable(refusals: dict[str, str]) -> str:
    """The refusals in a sentence, without those of candidates that simply are not there while another one is."""
    present = {name: words for name, words in refusals.items() if not words.startswith(f"{name}: {_NO_FILE}")}
    telling = present or dict(list(refusals.items())[:1])
    said = "; ".join(f"`{name}` did not load: {words}" for name, words in telling.items())
    return said if not present else f"{said}{_cause(' '.join(telling.values()))}"


def _cause(words: str) -> str:
    if "undefined symbol" in words or "version `" in words:
        return "; libraries of different releases are mixed"
    if "wrong ELF class" in words or "invalid ELF header" in words:
        return "; it was built for another kind of machine, or is damaged"
    return ""


def loaded_path(library: ctypes.CDLL) -> str | None:
    """The real file behind a loaded library, symbolic links resolved; None where the loader cannot be asked (Windows)."""
    ask = optional(ctypes.CDLL(None), "dlinfo") if os.name == "posix" else None
    if ask is None:
        return None
    # struct link_map begins with the load address and the name under which the loader opened the file (dlinfo(3)).
    link_map = ctypes.POINTER(ctypes.c_void_p * 2)()
    if ask(ctypes.c_void_p(library._handle), _RTLD_DI_LINKMAP, ctypes.byref(link_map)) or not link_map:
        return None
    name = ctypes.string_at(link_map.contents[1]) if link_map.contents[1] else b""
    return os.path.realpath(os.fsdecode(name)) if name else None


def optional(library: ctypes.CDLL, name: str) -> Function | None:
    """A function that answers an int; None where this release of the library does not have it."""
    try:
        return getattr(library, name)  # type: ignore[no-any-return]
    except AttributeError:
        return None


def required(library: ctypes.CDLL, name: str) -> Function:
    """A function that no release lacks; Failed("call_failed") where it is missing all the same."""
    found = optional(library, name)
    if found is None:
        raise Failed("call_failed", f"`{library._name}` has no function `{name}`: it is another library or a damaged one")
    return found


def text(raw: bytes) -> str | None:
    """A C string up to its end; None where it is empty. What is not UTF-8 becomes U+FFFD."""
    return raw.split(b"\0", 1)[0].decode(errors="replace") or None


def uuid_text(raw: bytes) -> str | None:
    """16 bytes as 8-4-4-4-12 lower-case digits; None where they are all zero, which no driver means."""
    digits = raw.hex()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:])) if any(raw) else None


def pci_id(address: str) -> str | None:
    """A PCI address in any library's spelling as "0000:01:00.0"; None for what is none and for all zeros.

    CUDA writes a domain of 4 digits or more, NVML always 8, and older drivers leave out the domain or the function.
    """
    front, dot, function = address.strip().partition(".")
    parts = [*front.split(":"), function if dot else "0"]
    if len(parts) == 3 and dot:
        parts.insert(0, "0")
    if len(parts) != 4 or not all(part and set(part) <= _HEXADECIMAL for part in parts):
        return None
    domain, bus, device, last = (int(part, 16) for part in parts)
    if bus > 0xFF or device > 0x1F or last > 7 or domain > 0xFFFFFFFF:
        return None
    return f"{domain:04x}:{bus:02x}:{device:02x}.{last}" if domain or bus or device or last else None


_HEXADECIMAL = set("0123456789abcdefABCDEF")


def untouched(kind: type[Filled]) -> Filled:
    """A structure with every byte at the sentinel; what a driver leaves alone can be told from what it says."""
    structure = kind()
    ctypes.memset(ctypes.byref(structure), SENTINEL, ctypes.sizeof(structure))
    return structure


def known(value: int) -> int | None:
    return None if value in (UNTOUCHED_32, UNTOUCHED_64) else value


def known_bytes(raw: ctypes.Array[ctypes.c_uint8]) -> bytes:
    """The bytes that a driver wrote, or zeros where it wrote none."""
    return b"\0" * len(raw) if set(raw) == {SENTINEL} else bytes(raw)


def known_text(raw: bytes) -> str | None:
    return None if set(raw) == {SENTINEL} else text(raw)


def chosen(wanted: dict[str, Any], matches: Sequence[int]) -> int:
    """Which of the library's numbers is the wanted device; Failed("device_missing") where none is.

    Two installs of one driver can give two devices with the same identity: `copy` then counts among the equals.
    """
    copy = wanted.get("copy") or 0
    if copy < len(matches):
        return matches[copy]
    raise missing(wanted)


def missing(wanted: dict[str, Any]) -> Failed:
    """The end of a validation whose device is not there any more."""
    copy = wanted.get("copy") or 0
    name = wanted.get("uuid") or wanted.get("pci_id") or f"number {wanted.get('number')}"
    again = f" {copy + 1} times" if copy else ""
    return Failed("device_missing", f"the library no longer lists {name}{again}; it was there when the devices were listed")
