"""ggml: what a build tells of itself and of each of its devices, through its registry and through its log."""

from __future__ import annotations

from ctypes import CFUNCTYPE, POINTER, Structure, byref, c_char_p, c_int32, c_size_t, c_void_p, cast

from gpuprobe.backends import calling
from gpuprobe.backends.ggml.structs import Properties

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from gpuprobe.backends.ggml.build import Build

    Json = dict[str, Any]

# What others call a GPU may be integrated: ggml-cuda and ggml-hip of 0.12 have no other word, that of CUDA in 0.25 has.
_TELLS_INTEGRATED = {"Vulkan", "Metal"}
# ggml has no type for them: it calls them a GPU and warns. The names are Mesa's and SwiftShader's own.
_SOFTWARE = ("llvmpipe (", "SwiftShader Device (")

_MOST_FEATURES = 64


class _Feature(Structure):
    _fields_ = (("name", c_char_p), ("value", c_char_p))


def facts_of(build: Build, registry: int) -> Json:
    """Of the build itself: "ggml_version", "ggml_commit", "features" and the "architectures" among them, as far as it tells."""
    features = _features(build, registry)
    compiled = features.get("ARCHS")
    known = {
        "ggml_version": build.text("ggml_version"),
        "ggml_commit": build.text("ggml_commit"),
        "architectures": [each for each in compiled.split(",") if each] if compiled else None,
        "features": features or None,
    }
    return {key: value for key, value in known.items() if value is not None}


def _features(build: Build, registry: int) -> dict[str, str]:
    """As the build names them; empty where it has none to tell or no function to tell them by."""
    if not build.has("ggml_backend_reg_get_proc_address"):
        return {}
    address = build.call("ggml_backend_reg_get_proc_address", registry, b"ggml_backend_get_features")
    if not address:
        return {}
    build.announce("ggml_backend_get_features")
    first = CFUNCTYPE(c_void_p, c_void_p)(address)(registry)
    told = cast(first, POINTER(_Feature)) if first else ()
    known = {}
    for each in range(_MOST_FEATURES if first else 0):
        if not told[each].name:
            break
        known[told[each].name.decode(errors="replace")] = (told[each].value or b"").decode(errors="replace")
    return known


def described(build: Build, registry: int, number: int, handle: int, known: Json) -> Json:
    free, total = memory(build, handle)
    told = properties(build, registry, handle, total)
    name = build.text("ggml_backend_dev_description", handle)
    compute, gfx_target = _from_log(build.said, number)
    compute = told["compute"] or compute
    return {
        "number": number,
        "name": name,
        "description": build.text("ggml_backend_dev_name", handle),
        "type": _type(build.library, told["type"], name),
        "pci_id": told["pci_id"],
        **uuid(told["identifier"]),
        "compute_major": compute[0] if compute else None,
        "compute_minor": compute[1] if compute else None,
        "gfx_target": gfx_target,
        "total_memory": total or None,
        "free_memory": free or None,
        "capabilities": {key: known[key] for key in ("architectures", "ggml_version", "features") if key in known},
    }


def memory(build: Build, handle: int) -> tuple[int, int]:
    """Free and total, in bytes; 0: the build has nothing to report.

    On an integrated card ggml-hip answers the system's free memory beside the card's own total: of two memories none is known
    to be free.
    """
    free, total = c_size_t(calling.UNTOUCHED_64), c_size_t(calling.UNTOUCHED_64)
    build.call("ggml_backend_dev_memory", handle, byref(free), byref(total))
    known = calling.known(total.value) or 0
    return (free.value if free.value <= known else 0), known


def properties(build: Build, registry: int, handle: int, total: int) -> Json:
    # Every registry begins with the version of the interface that it was built for.
    api_version = c_int32.from_address(registry).value
    told = Properties()
    build.call("ggml_backend_dev_get_props", handle, byref(told.room))
    told.recognise(api_version, total)
    return told.known(api_version)


def _type(library: str, told: str | None, name: str | None) -> str:
    if name is not None and name.startswith(_SOFTWARE):
        return "software"
    if told == "gpu":
        return "discrete" if library in _TELLS_INTEGRATED else "unknown"
    return told or "unknown"


def uuid(identifier: str | None) -> Json:
    """Ollama's identifier where it is NVIDIA's UUID: "GPU-" and 36 characters. Others it counts or makes up."""
    is_uuid = identifier is not None and identifier.startswith(("GPU-", "MIG-")) and len(identifier) == 40
    return {"uuid": identifier, "uuid_space": "nvidia"} if is_uuid else {}


def _from_log(said: bytes, number: int) -> tuple[tuple[int, int] | None, str | None]:
    """The compute capability or the gfx target, which ggml-cuda and ggml-hip tell in their log only (0.12 to 0.25):
    "  Device 0: NVIDIA H100 80GB HBM3, compute capability 9.0, VMM: no", "  Device 0: AMD …, gfx1100 (0x1100), VMM: …"."""
    marks = (line for line in said.decode(errors="replace").splitlines() if line.startswith(f"  Device {number}: "))
    line = next(marks, "")
    major, dot, minor = line.rpartition(", compute capability ")[2].partition(",")[0].partition(".")
    if dot and major.isdecimal() and minor.isdecimal():
        return (int(major), int(minor)), None
    target = line.rpartition(" (0x")[0].rpartition(", ")[2]
    return None, target if target.startswith("gfx") else None
