"""ggml builds: load one as Ollama and llama.cpp do, and ask which devices inference would get from it.

The build makes contexts while it lists (CUDA and HIP tell free memory in one only), and it aborts the process where anything
fails after its start. A build speaks for the library that it was built for: its devices are that library's.
"""

from __future__ import annotations

import os
from ctypes import CFUNCTYPE, POINTER, Structure, byref, c_char_p, c_int32, c_size_t, c_void_p, cast

from gpuprobe.backends import calling
from gpuprobe.backends.ggml_build import Build
from gpuprobe.backends.ggml_structs import Properties

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    from gpuprobe.backends.calling import Facts, Step

    Json = dict[str, Any]

# What the runner passes to `load` besides the candidates and the paths.
LOADS_WITH = ("before", "library")

# Where a build has no `ggml_backend_init` of its own, its registry is this function's, or has this name. HIP builds are built
# from the sources for CUDA and keep the function's name.
_OWN_REGISTRY = {
    "CUDA": "ggml_backend_cuda_reg",
    "ROCm": "ggml_backend_cuda_reg",
    "Vulkan": "ggml_backend_vk_reg",
    "Metal": "ggml_backend_metal_reg",
    "Level Zero": "ggml_backend_sycl_reg",
}
_REGISTERED_AS = {"Metal": "MTL", "Level Zero": "SYCL"}

# ggml-cuda calls every card a GPU, integrated ones too (which it left out again after wrong results); ggml-vulkan does not.
_TELLS_INTEGRATED = {"Vulkan", "Metal"}
# ggml has no type for them: it calls them a GPU and warns. The names are Mesa's and SwiftShader's own.
_SOFTWARE = ("llvmpipe (", "SwiftShader Device (")

_MOST_FEATURES, _MOST_DEVICES = 64, 1024


class _Feature(Structure):
    _fields_ = (("name", c_char_p), ("value", c_char_p))


def load(candidates: Sequence[str], paths: Sequence[str], before: Sequence[str], library: str) -> Build:
    """The build whose backend is the first candidate that loads; Failed("not_loadable") where none or one of `before` does not.

    The base library, the first of `before`, comes first and for everyone: a backend in a folder of its own finds it only so.
    The others, which hold the registry, come behind the backend: that of a build without plug-ins needs the backends too, and
    where a package has copies in place of links, it would bring a second one, which crashes beside the first.
    """
    if os.name == "nt":  # a DLL is looked for in the folders of `PATH` by programs, but not by Python
        for directory in {os.path.dirname(path) for path in (*before, *candidates)}:  # noqa: PTH120
            os.add_dll_directory(directory)  # type: ignore[attr-defined, unused-ignore]
    first = [calling.load([path], everywhere=True) for path in before[:1]]
    backend = calling.load(candidates)
    return Build(backend._name, backend, first + [calling.load([path]) for path in before[1:]], library)


def loaded_path(build: Build) -> str | None:
    return calling.loaded_path(build.backend)


def devices(build: Build, step: Step, facts: Facts) -> Iterator[Json]:
    """Every device in the build's own order; `number` is the one in ggml's name for it ("CUDA0").

    Its capabilities are the build's: "architectures" as it was compiled for ("750"), "ggml_version" and "features".
    """
    registry = started(build, step)
    known = told_facts(build, registry)
    facts(known)
    handles = _handles(build, registry)
    if not handles and (words := build.last_words()):
        # A build lists none both where there is none and where its driver would not start: only its words tell.
        status = "init_failed" if "failed to initialize" in words else "no_devices"
        raise calling.Failed(status, f"the build lists no device: {words}")
    for number, handle in enumerate(handles):
        yield _described(build, registry, number, handle, known)


def validate(build: Build, step: Step, facts: Facts, device: Json) -> str:
    """Start the backend on the wanted device, which makes its context, and end it: "context"."""
    registry = started(build, step)
    facts(told_facts(build, registry))
    backend = backend_on(build, wanted(build, registry, device))
    build.call("ggml_backend_free", backend)
    return "context"


def started(build: Build, step: Step) -> int:
    """The registry of the build's devices, as the pointer that ggml gives."""
    build.step = step
    build.listen()
    if build.has("ggml_backend_score") and build.call("ggml_backend_score") == 0:
        words = f"`{build.path}` says that this processor cannot run it"
        raise calling.Failed("init_failed", f"{words}; install the variant of the build that fits the processor")
    name, given = _way_in(build)
    registry: int | None = build.call(name, *given)
    if registry:
        return registry
    words = build.last_words() or "it gives no reason"
    raise calling.Failed("init_failed", f"`{name}` gave no devices of {build.library}: {words}")


def backend_on(build: Build, handle: int) -> int:
    """A backend started on the device, which makes its context; Failed("unsupported" or "busy") where it does not start."""
    backend: int | None = build.call("ggml_backend_dev_init", handle, None)
    if backend:
        return backend
    words = build.last_words() or "it gives no reason"
    status = "busy" if "out of memory" in words.lower() else "unsupported"
    raise calling.Failed(status, f"`ggml_backend_dev_init` started nothing on the device: {words}")


def told_facts(build: Build, registry: int) -> Json:
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


def _way_in(build: Build) -> tuple[str, tuple[bytes, ...]]:
    """The function that gives the registry, and what to give it, as the programs themselves do.

    `ggml_backend_load` of the build's own libggml also checks that the two were built for each other.
    """
    if calling.optional(build.backend, "ggml_backend_init") is not None:
        path = os.fsencode(build.path)
        return ("ggml_backend_load", (path,)) if build.has("ggml_backend_load") else ("ggml_backend_init", ())
    own = _OWN_REGISTRY.get(build.library)
    if own is not None and build.has(own):
        return own, ()
    if build.has("ggml_backend_reg_by_name"):
        return "ggml_backend_reg_by_name", (_REGISTERED_AS.get(build.library, build.library).encode(),)
    words = f"`{build.path}` loads, but has none of the functions by which a ggml backend is started"
    raise calling.Failed("not_loadable", f"{words}: it is another library, or a damaged one")


def _features(build: Build, registry: int) -> dict[str, str]:
    """As the build names them; empty where it has none to tell or no function to tell them by."""
    if not build.has("ggml_backend_reg_get_proc_address"):
        return {}
    address = build.call("ggml_backend_reg_get_proc_address", registry, b"ggml_backend_get_features")
    if not address:
        return {}
    build.step("ggml_backend_get_features")
    first = CFUNCTYPE(c_void_p, c_void_p)(address)(registry)
    told = cast(first, POINTER(_Feature)) if first else ()
    known = {}
    for each in range(_MOST_FEATURES if first else 0):
        if not told[each].name:
            break
        known[told[each].name.decode(errors="replace")] = (told[each].value or b"").decode(errors="replace")
    return known


def _handles(build: Build, registry: int) -> list[int]:
    count = build.call("ggml_backend_reg_dev_count", registry)
    if count > _MOST_DEVICES:
        raise calling.Failed("call_failed", f"`ggml_backend_reg_dev_count` answered {count}: what was loaded is no ggml build")
    return [build.call("ggml_backend_reg_dev_get", registry, number) for number in range(count)]


def _described(build: Build, registry: int, number: int, handle: int, known: Json) -> Json:
    free, total = _memory(build, handle)
    told = _properties(build, registry, handle, total)
    name = build.text("ggml_backend_dev_description", handle)
    compute, gfx_target = _from_log(build.said, number)
    compute = told["compute"] or compute
    return {
        "number": number,
        "name": name,
        "description": build.text("ggml_backend_dev_name", handle),
        "type": _type(build.library, told["type"], name),
        "pci_id": told["pci_id"],
        **_uuid(told["identifier"]),
        "compute_major": compute[0] if compute else None,
        "compute_minor": compute[1] if compute else None,
        "gfx_target": gfx_target,
        "total_memory": total or None,
        # ggml answers 0 where it has nothing to report.
        "free_memory": free or None,
        "capabilities": {key: known[key] for key in ("architectures", "ggml_version", "features") if key in known},
    }


def _memory(build: Build, handle: int) -> tuple[int, int]:
    free, total = c_size_t(calling.UNTOUCHED_64), c_size_t(calling.UNTOUCHED_64)
    build.call("ggml_backend_dev_memory", handle, byref(free), byref(total))
    return calling.known(free.value) or 0, calling.known(total.value) or 0


def _properties(build: Build, registry: int, handle: int, total: int) -> Json:
    # Every registry begins with the version of the interface that it was built for.
    api_version = c_int32.from_address(registry).value
    properties = Properties()
    build.call("ggml_backend_dev_get_props", handle, byref(properties.room))
    properties.recognise(api_version, total)
    return properties.known(api_version)


def _type(library: str, told: str | None, name: str | None) -> str:
    if name is not None and name.startswith(_SOFTWARE):
        return "software"
    if told == "gpu":
        return "discrete" if library in _TELLS_INTEGRATED else "unknown"
    return told or "unknown"


def _uuid(identifier: str | None) -> Json:
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


def wanted(build: Build, registry: int, device: Json) -> int:
    """By UUID, else by address, else by number: in the order in which the parent tells devices apart."""
    handles = _handles(build, registry)
    key = next((name for name in ("uuid", "pci_id") if device.get(name)), "number")
    if key == "number":
        matches = [number for number in range(len(handles)) if number == device.get("number")]
        return handles[calling.chosen(device, matches)]
    matches = []
    for number, handle in enumerate(handles):
        told = _properties(build, registry, handle, _memory(build, handle)[1])
        if {**_uuid(told["identifier"]), "pci_id": told["pci_id"]}.get(key) == device[key]:
            matches.append(number)
    return handles[calling.chosen(device, matches)]
