"""Binary files of others: libraries with machine code, the loader's cache, and headers of models."""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from gpuprobe.command.reply import Reply
from gpuprobe.exits import Exit
from gpuprobe.judging.rules import judge
from gpuprobe.machinecode import Targets
from gpuprobe.machinecode.content import of_bytes
from gpuprobe.machinecode.reading import targets_in
from gpuprobe.model import GiB, MiB, Request
from gpuprobe.modelfile import gguf, ollama_store, safetensors
from gpuprobe.modelfile.gguf import Unreadable
from gpuprobe.planning.engines.engine_records import HostMemory, Machine, Subject, Wish
from gpuprobe.planning.plan import planned
from gpuprobe.planning.records import Model
from gpuprobe.render.plan_document import plan_document
from gpuprobe.render.plan_text import plan_text
from gpuprobe.survey import code_files, elf, needed, search
from gpuprobe.survey.package_lists import _version_in
from gpuprobe.survey.torch_texts import architectures_in
from gpuprobe.survey.tree import Tree
from tests import temporary
from tests.file_trees import LIBC6_I386, LIBC6_X86_64, linker_cache, shared_library
from tests.fuzz.answers import written
from tests.fuzz.target import Target
from tests.machinecode import test_files, writers
from tests.made_up_models import dense, header, text
from tests.models import CONFIG
from tests.records import a_device, evidence_of
from tests.unit.test_deep import rpm_header
from tests.unit.test_gguf import TRUE, shortened


@cache
def _folder(name: str) -> Path:
    return temporary.folder(f"fuzz-{name}")


# --- libraries


class Library(NamedTuple):
    read: code_files.Read
    links: elf.Links
    section: bytes | None
    texts: tuple[bytes, ...]
    wanted: needed.Wanted


def _library(content: bytes) -> Library:
    path = _folder("library") / "libx.so"
    path.write_bytes(content)
    tree = Tree()
    section = elf.section(tree, str(path), b".rodata", 1 << 16)
    return Library(
        code_files.read(tree, str(path)),
        elf.links(tree, str(path)),
        section,
        elf.find_all(tree, str(path), b".rodata", re.compile(rb"(sm_[0-9]{2,3})\0"), 1 << 20),
        needed.wanted(tree, [str(path)], in_texts=True),
    )


def _is_bounded(library: Library) -> None:
    assert len(library.read.file.sets) <= 16 and len(library.links.needed) <= 256 and len(library.wanted.names) <= 64
    assert all("\0" not in each for each in (*library.links.needed, *library.links.places, *library.wanted.names))
    if library.section is not None:
        architectures_in(library.section)
    search.fits((library.section or b"")[:64], "x86_64")


def _libraries() -> Iterator[bytes]:
    yield from test_files.FILES
    yield shared_library(b"sm_80\0sm_90\0compute_90\0\0libcublas.so.13\0-gencode;arch=compute_80,code=sm_80\0")
    names = b"\0libcudart.so.13\0$ORIGIN/../lib:/opt/x\0"
    dynamic = struct.pack("<qQqQqQ", 1, 1, 29, names.index(b"$"), 0, 0)
    yield writers.elf([(b".dynamic", dynamic), (b".dynstr", names), (b".rodata", b"\0libcudnn.so.9\0")])


# --- machine code


_SECTIONS = {b"c": b".nv_fatbin", b"h": b".hip_fatbin", b"s": test_files.SYCL[0], b"p": b"__CLANG_OFFLOAD_BUNDLE__sycl-spir64"}


def _code(content: bytes) -> Targets:
    """The first byte says in which section the others stand."""
    name = _SECTIONS.get(content[:1], b".nv_fatbin")
    return targets_in("libx.so", of_bytes(writers.elf([(name, content[1:])])))


def _holds_together(said: Targets) -> None:
    assert all(module.targets and module.times > 0 for module in said.modules) and len(said.modules) <= 1024
    assert said.containers or not said.modules
    assert all(0 < len(name) < 200 and name.isprintable() for name in said.names)


def _codes() -> Iterator[bytes]:
    yield b"c" + test_files.CUDA
    images = (writers.image(number, kind) for number, kind in ((75, writers.CODE), (120, writers.PTX), (103, writers.CODE)))
    yield b"c" + writers.container(*images, writers.image(100, writers.CODE, writers.FAMILY | writers.ZSTD, header=112))
    yield b"h" + writers.hip("gfx90a:xnack-", "gfx11-generic", alignment=64)
    for version, method in ((1, "zlib"), (2, "zstd"), (3, "zstd")):
        yield b"h" + writers.compressed(writers.hip("gfx1100", alignment=64), version, method)
    yield b"s" + test_files.SYCL[1]
    yield b"s" + writers.archive("64.12.60.7")
    yield b"p" + b"\x03\x02\x23\x07"


# --- the linker's cache, and a header of RPM's database


def _cache(content: bytes) -> tuple[dict[str, str], dict[str, str]]:
    whole = search.parse_linker_cache(content, "x86_64")
    return whole, search.parse_linker_cache(content, "x86_64", names=("libcuda.so.1", "libvulkan.so.1"))


def _agree(found: tuple[dict[str, str], dict[str, str]]) -> None:
    whole, some = found
    assert all(whole.get(name) == path for name, path in some.items() if name in ("libcuda.so.1", "libvulkan.so.1"))


def _caches() -> Iterator[bytes]:
    entries = [(LIBC6_X86_64, "libcuda.so.1", "/usr/lib/x86_64-linux-gnu/libcuda.so.1"), (LIBC6_I386, "libvulkan.so.1", "/x")]
    yield linker_cache(entries)
    yield linker_cache(entries, old_format_before=True)
    yield linker_cache([*entries, (LIBC6_X86_64, "libcuda.so.1", "/hwcap")], hwcap={"/hwcap": 4})


def _rpm_headers() -> Iterator[bytes]:
    yield rpm_header(name="x", version="580.95.05", release="1.fc43")
    yield rpm_header(name="akmod-nvidia", version="1")


def _is_short(version: str | None) -> None:
    assert version is None or len(version) < 600


# --- models


_DEVICES = tuple(a_device("CUDA", number=number, uuid=f"GPU-{number}", free_memory=GiB >> number) for number in range(2))
_INVENTORY = judge(evidence_of(*_DEVICES), Request())
_MACHINES = (
    (Machine(_DEVICES, HostMemory(64 * GiB, 32 * GiB)), Wish()),
    (Machine(_DEVICES[:1], HostMemory()), Wish(context=512, layers=3, parallel=2, cpu_moe=1, ubatch=256, reserve=100 * MiB)),
    (Machine(_DEVICES, HostMemory(64 * GiB, 32 * GiB)), Wish(split=(3.0, 1.0), gpu_only=True, cache_type_k="q8_0")),
)


def _gguf(content: bytes) -> Model:
    path = _folder("gguf") / "model.gguf"
    path.write_bytes(content)
    return gguf.read(path)


def _is_planned(model: Model) -> None:
    """By every engine's rules, for one of several machines and wishes."""
    assert sum(tensor.size for tensor in model.tensors) < 1 << 70
    machine, wish = _MACHINES[(len(model.tensors) + len(model.metadata)) % len(_MACHINES)]
    plan = planned(Subject(model, "model.gguf", "model.gguf"), machine, wish, None)
    written(
        Reply(
            Exit.ANSWERED,
            lambda: plan_document(_INVENTORY, [plan], Exit.ANSWERED, compare=False),
            lambda screen: plan_text(plan, screen.width, verbose=True),
        )
    )


_MADE_UP = ("llama-1b-tied", "gemma3-4b", "deepseek3-small", "mamba-1.4b", "lfm2-1.2b", "qwen3next-small", "gpt-oss-20b")


def _ggufs() -> Iterator[bytes]:
    """Headers of true models with the tensors of their first layers."""
    yield TRUE
    path = _folder("seeds") / "seed.gguf"
    for name in _MADE_UP:
        with shortened(name).write(path).open("rb") as file:
            yield file.read(12288)
    with dense("qwen2", 2, 256, 1000, 4, 2, 64, 512).write(path).open("rb") as file:
        yield file.read(12288)
    values = struct.pack("<I", 9) + struct.pack("<IQ", 8, 2) + text("a") + text("b")
    yield header({"general.architecture": "llama"}, [])[:24] + text("words") + values


def _safetensors(content: bytes) -> Model:
    """`config.json` and the header, with a line that holds `--` between them; sizes fit where the input has none wrong."""
    config, _, said = content.partition(b"\n--\n")
    folder = _folder("safetensors")
    (folder / "config.json").write_bytes(config)
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(said)) + said + bytes(64))
    return safetensors.read(str(folder))


def _safetensor_headers() -> Iterator[bytes]:
    tensors = {"a.weight": {"dtype": "BF16", "shape": [4, 8], "data_offsets": [0, 64]}}
    for said in (tensors, {"__metadata__": {"format": "pt"}, **tensors}):
        yield json.dumps(CONFIG).encode() + b"\n--\n" + json.dumps(said).encode()
    nested = {
        "model_type": "odd",
        "text_config": {"hidden_size": 7, "layer_types": ["a", "b"]},
        "quantization_config": {"bits": 4},
    }
    yield json.dumps(nested).encode() + b"\n--\n" + json.dumps(tensors).encode()


_DIGEST = "0" * 64


def _stored(content: bytes) -> ollama_store.Stored:
    """A manifest and the options of a Modelfile, likewise."""
    manifest, _, options = content.partition(b"\n--\n")
    store = _folder("store")
    place = store / "manifests/registry.ollama.ai/library/llama3/8b"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(manifest)
    (store / "blobs").mkdir(exist_ok=True)
    (store / f"blobs/sha256-{_DIGEST}").write_bytes(options)
    return ollama_store.find("llama3:8b", {"OLLAMA_MODELS": str(store)})


def _stays_in_the_store(stored: ollama_store.Stored) -> None:
    for path in filter(None, (stored.file, *stored.projectors, stored.draft)):
        assert path == f"{stored.store}/blobs/sha256-{_DIGEST}"
    assert all(type(value) is int for value in stored.options.values())


def _manifests() -> Iterator[bytes]:
    kinds = ("model", "params", "projector")
    layers = [{"mediaType": f"application/vnd.ollama.image.{kind}", "digest": f"sha256:{_DIGEST}", "size": 1} for kind in kinds]
    yield json.dumps({"schemaVersion": 2, "layers": layers}).encode() + b"\n--\n" + b'{"num_ctx": 4096, "stop": ["x"]}'


TARGETS = (
    Target(
        *("elf", "libraries as the loader and the readers of machine code see them", _library, _is_bounded, _libraries),
        longest=16384,
        rooms=("survey.needed", "survey.torch_texts", "machinecode"),
    ),
    Target(
        *("fat-binary", "machine code of CUDA, HIP and SYCL in its section", _code, _holds_together, _codes),
        longest=8192,
        rooms=("machinecode",),
    ),
    Target("linker-cache", "/etc/ld.so.cache", _cache, _agree, _caches, rooms=("survey.search",)),
    Target(
        "rpm-header",
        "a package in RPM's database",
        _version_in,
        _is_short,
        _rpm_headers,
        longest=1024,
        rooms=("survey.package_lists",),
    ),
    Target(
        *("gguf", "headers of models, and every plan for them", _gguf, _is_planned, _ggufs, (Unreadable,)),
        longest=16384,
        rooms=("modelfile", "planning"),
    ),
    Target(
        *("safetensors", "headers and configurations of models", _safetensors, _is_planned, _safetensor_headers, (Unreadable,)),
        rooms=("modelfile", "planning"),
    ),
    Target(
        *("ollama-store", "a manifest and the options of a Modelfile", _stored, _stays_in_the_store, _manifests, (Unreadable,)),
        rooms=("modelfile.ollama_store",),
    ),
)
