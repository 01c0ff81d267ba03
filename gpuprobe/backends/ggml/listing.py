"""ggml builds: load one as Ollama and llama.cpp do, and ask which devices inference would get from it.

The build makes contexts while it lists (CUDA and HIP tell free memory in one only), and it aborts the process where anything
fails after its start. A build speaks for the library that it was built for: its devices are that library's.
"""

from __future__ import annotations

import os

from gpuprobe.backends import calling
from gpuprobe.backends.ggml import description
from gpuprobe.backends.ggml.build import Build

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    from gpuprobe.backends.calling import Announce, Facts

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

_MOST_DEVICES = 1024


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


def devices(build: Build, announce: Announce, facts: Facts) -> Iterator[Json]:
    """Every device in the build's own order; `number` is the one in ggml's name for it ("CUDA0").

    Its capabilities are the build's: "architectures" as it was compiled for ("750"), "ggml_version" and "features".
    """
    registry = start(build, announce)
    known = description.facts_of(build, registry)
    facts(known)
    handles = _handles(build, registry)
    if not handles and (words := build.last_words()):
        # A build lists none both where there is none and where its driver would not start: only its words tell.
        status = "init_failed" if "failed to initialize" in words else "no_devices"
        raise calling.Failed(status, f"the build lists no device: {words}")
    for number, handle in enumerate(handles):
        yield description.described(build, registry, number, handle, known)


def validate(build: Build, announce: Announce, facts: Facts, device: Json) -> str:
    """Start the backend on the wanted device, which makes its context, and end it: "context"."""
    registry = start(build, announce)
    facts(description.facts_of(build, registry))
    handle = find(build, registry, device)
    backend = backend_on(build, handle)
    facts(memory_on(build, handle))
    build.call("ggml_backend_free", backend)
    return "context"


def start(build: Build, announce: Announce) -> int:
    """The registry of the build's devices, as the pointer that ggml gives."""
    build.announce = announce
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
    raise _unusable(build, "`ggml_backend_dev_init` started nothing on the device")


def memory_on(build: Build, handle: int) -> Json:
    """The "free_memory" and "total_memory" in bytes of a device that a backend was started on; Failed where it has none.

    Only this makes the context of CUDA and HIP: their backends start without one, and tell a failure as no memory at all.
    """
    free, total = description.memory(build, handle)
    if not total:
        raise _unusable(build, "the build finds no memory on the device")
    return {"free_memory": free, "total_memory": total} if free else {"total_memory": total}


def _unusable(build: Build, what: str) -> calling.Failed:
    words = build.last_words() or "it gives no reason"
    is_busy = any(each in words.lower() for each in ("out of memory", "busy"))
    return calling.Failed("busy" if is_busy else "unsupported", f"{what}: {words}")


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


def _handles(build: Build, registry: int) -> list[int]:
    count = build.call("ggml_backend_reg_dev_count", registry)
    if count > _MOST_DEVICES:
        raise calling.Failed("call_failed", f"`ggml_backend_reg_dev_count` gave {count}: what was loaded is not a ggml build")
    return [build.call("ggml_backend_reg_dev_get", registry, number) for number in range(count)]


def find(build: Build, registry: int, device: Json) -> int:
    """By UUID, else by address, else by number: in the order in which the parent tells devices apart."""
    handles = _handles(build, registry)
    key = next((name for name in ("uuid", "pci_id") if device.get(name)), "number")
    if key == "number":
        matches = [number for number in range(len(handles)) if number == device.get("number")]
        return handles[calling.chosen(device, matches)]
    matches = []
    for number, handle in enumerate(handles):
        told = description.properties(build, registry, handle, description.memory(build, handle)[1])
        if {**description.uuid(told["identifier"]), "pci_id": told["pci_id"]}.get(key) == device[key]:
            matches.append(number)
    return handles[calling.chosen(device, matches)]
