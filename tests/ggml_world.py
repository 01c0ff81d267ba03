"""Builds of ggml for tests: the real ones that the machine was given, on doubles of the vendors' libraries below them.

Where they come from, and what each variable names: `.ci/run`.
"""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Set
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests import temporary
from tests.backends.talk import Talk, talk
from tests.doubles import DRIVERS, compile_double, cuda_driver, script

LIBRARY_PATH = "LD_LIBRARY_PATH"


class Build(NamedTuple):
    """What gpuprobe's parent knows of a build: see facts.FoundBuild."""

    library: str
    path: Path
    before: tuple[Path, ...]
    directories: tuple[Path, ...] = ()

    def asked(self, **more: Any) -> dict[str, Any]:
        known = {"backend": "ggml", "purpose": "list", "candidates": [str(self.path)], "paths": [], "device": None}
        return {**known, "before": [str(path) for path in self.before], "library": self.library, **more}

    def talk(self, environ: Mapping[str, str] = {}, **more: Any) -> Talk:
        return talk(self.asked(**more), {**self.environment(), **environ})

    def environment(self) -> dict[str, str]:
        paths = {LIBRARY_PATH: os.pathsep.join(map(str, self.directories))} if self.directories else {}
        return {"GGML_NO_BACKTRACE": "1", **paths}


def double(
    directory: Path, *lines: str, library: str = "CUDA", defines: tuple[str, ...] = (), base: tuple[str, ...] = ()
) -> Build:
    """A build of our own in this directory, laid out as the real ones: see tests/drivers/fake_ggml.c and fake_ggml_base.c.

    `lines` are the script of the backend, `defines` and `base` say how it and its base library are compiled.
    """
    directory.mkdir(parents=True, exist_ok=True)
    name = f"libggml-{'hip' if library == 'ROCm' else library.lower()}.so"
    first = Path(shutil.copy(_base(*base), directory))
    backend = Path(shutil.copy(_backend(*defines), directory / name))
    Path(f"{backend}.script").write_text(script(f"library {library}", *lines))
    return Build(library, backend, (first,))


def ollama(directory: Path) -> Path:
    """`lib/ollama` of an install: the real base libraries, the real `cuda_v13` and `vulkan`, and `cuda_v12` by a double, as
    no real one is to be had. Both CUDA builds list what the double of libcuda lists; the doubles below the real one lie beside
    it, as NVIDIA's libraries do in an install."""
    (top := directory / "lib" / "ollama").mkdir(parents=True)
    newer, other = cuda(), vulkan()
    (registry,) = newer.path.parent.glob("libggml.*.so")
    _linked(newer.before[0], top / "libggml-base.so")
    _linked(registry, top / "libggml.so")
    _linked(newer.path, top / "cuda_v13" / newer.path.name)
    for library in newer.directories[0].glob("*.so.13"):
        _linked(library, top / "cuda_v13" / library.name)
    _linked(other.path, top / "vulkan" / other.path.name)
    older = double(top / "cuda_v12", "archs 500,520,600,610,700,750,800,860,890,900", "over libcuda.so.1")
    older.before[0].unlink()
    return top


def variant(top: Path, name: str, library: str) -> Build:
    """One folder of an install, loaded as Ollama loads it."""
    (path,) = (top / name).glob("libggml-*.so")
    return Build(library, path, (top / "libggml-base.so", top / "libggml.so"), (top, top / name, cuda_driver().parent))


def _linked(source: Path, target: Path) -> None:
    """Some are large; a copy where the two are on different file systems."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copy(source, target)


@functools.cache
def _base(*defines: str) -> Path:
    source, soname = DRIVERS / "fake_ggml_base.c", "libggml-base.so"
    return compile_double(source, temporary.folder("ggml"), soname, soname=soname, defines=defines)


@functools.cache
def _backend(*defines: str) -> Path:
    """It needs libggml-base.so and finds it beside itself, as the real ones do."""
    options = ("-Wl,--no-as-needed", "-Wl,--enable-new-dtags", "-Wl,-rpath,$ORIGIN")
    directory = temporary.folder("ggml")
    return compile_double(DRIVERS / "fake_ggml.c", directory, "backend.so", defines=defines, links=(_base(),), options=options)


def given(variable: str, what: str) -> Path:
    """The directory that a variable names; without it the test is skipped."""
    named = os.environ.get(variable)
    return Path(named) if named else pytest.skip(f"{variable} names no directory with {what}")


def vulkan() -> Build:
    directory = given("GPUPROBE_GGML", "libggml-vulkan.so")
    return Build("Vulkan", directory / "libggml-vulkan.so", (directory / "libggml-base.so",))


def whole_vulkan() -> Build:
    """The build of llama-server, whose backends are no plug-ins."""
    directory = given("GPUPROBE_GGML_LINKED", "libggml-vulkan.so beside llama-server")
    return Build("Vulkan", directory / "libggml-vulkan.so", (directory / "libggml-base.so",), (directory,))


def cuda() -> Build:
    """The real libggml-cuda over doubles of libcuda, libcudart and libcublas, which lie in `directories`."""
    directory = given("GPUPROBE_GGML_CUDA", "libggml-cuda.so")
    backend = directory / "libggml-cuda.so"
    return Build("CUDA", backend, (directory / "libggml-base.so",), (_cuda_runtime(backend), cuda_driver().parent))


def rocm() -> Build:
    """The real libggml-hip, under the names that its wheel gives it, over doubles of what is below it."""
    directory = given("GPUPROBE_GGML_HIP", "libggml-hip-*.so")
    (backend,), (base,) = directory.glob("libggml-hip*.so"), directory.glob("libggml-base*.so*")
    return Build("ROCm", backend, (base,), (_hip_runtime(backend),))


def imports(library: Path) -> dict[str, str]:
    """What a library imports: the name → the version node that it wants it from, "" for any."""
    if shutil.which("nm") is None:
        pytest.skip("`nm` (binutils) is not installed")
    command = ["nm", "-D", "--undefined-only", "--with-symbol-versions", str(library)]
    wanted = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return dict(re.findall(r" U (\w+)(?:@(\S+))?$", wanted, re.MULTILINE))


@functools.cache
def _cuda_runtime(backend: Path) -> Path:
    """A directory with doubles of libcudart.so.13 and libcublas.so.13 as this build imports them."""
    directory, wanted = temporary.folder("cudart"), imports(backend)
    driver = {name: "" for name in wanted if re.match(r"cu[A-Z]", name) and name not in _defined("fake_cuda.c")}
    runtime = {name: node for name, node in wanted.items() if node.startswith("libcudart")}
    _versioned("fake_cudart.c", directory, "libcudart.so.13", {**runtime, **driver}, links=(cuda_driver(),))
    _stubs(directory, "libcublas.so.13", {name: node for name, node in wanted.items() if node.startswith("libcublas")})
    return directory


@functools.cache
def _hip_runtime(backend: Path) -> Path:
    """A directory with doubles of libamdhip64.so.6, libhipblas.so.2 and librocblas.so.4 as this build imports them."""
    directory, wanted = temporary.folder("hip"), imports(backend)
    hip = {name: node for name, node in wanted.items() if node.startswith("hip_")}
    ours = _defined("fake_hip.c", "fake_hip_compute.h")
    _versioned("fake_hip_runtime.c", directory, "libamdhip64.so.6", hip, implemented=ours)
    _stubs(directory, "libhipblas.so.2", {name: "" for name in wanted if name.startswith("hipblas")})
    _stubs(directory, "librocblas.so.4", {"rocblas_initialize": ""})
    return directory


def _defined(*sources: str) -> set[str]:
    text = "\n".join((DRIVERS / source).read_text() for source in sources)
    return set(re.findall(r"^[a-z].*?\b(\w+)\([^;]*\) \{", text, re.MULTILINE))


def _versioned(
    source: str,
    directory: Path,
    soname: str,
    wanted: Mapping[str, str],
    *,
    implemented: Set[str] = frozenset(),
    links: tuple[Path, ...] = (),
) -> Path:
    stubs = "".join(f"X({name})" for name in sorted(wanted) if name not in _defined(source) | implemented)
    script = directory / f"{soname}.versions"
    script.write_text(_version_script(wanted))
    options = (f"-Wl,--version-script={script}", "-fno-builtin")
    return compile_double(
        DRIVERS / source, directory, soname, soname=soname, defines=(f"STUBS={stubs}",), links=links, options=options
    )


def _version_script(wanted: Mapping[str, str]) -> str:
    """The nodes in their order, each on top of the one before; what wants no node stays without."""
    nodes = sorted({node for node in wanted.values() if node})
    text, below = "", ""
    for node in nodes:
        names = "".join(f" {name};" for name, of in sorted(wanted.items()) if of == node)
        text += f"{node} {{ global:{names} }}{below};\n"
        below = f" {node}"
    return text


def _stubs(directory: Path, soname: str, wanted: Mapping[str, str]) -> Path:
    source = directory / f"{soname}.c"
    source.write_text("#define X(name) int name(void) { return 0; }\nSTUBS\n")
    script = directory / f"{soname}.versions"
    script.write_text(_version_script(wanted) or "{ global: *; };\n")
    stubs = "".join(f"X({name})" for name in sorted(wanted))
    options = (f"-Wl,--version-script={script}",)
    return compile_double(source, directory, soname, soname=soname, defines=(f"STUBS={stubs}",), options=options)
