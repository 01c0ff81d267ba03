"""Reads what model files say about themselves: headers only, never weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from gpuprobe.modelfile.ollama_store import Stored
    from gpuprobe.planning.records import Model

_ENDINGS = (".gguf", ".safetensors", ".bin", ".pt", ".pth", ".onnx")


class Found(NamedTuple):
    """A model, what to call it on a command line, and what Ollama's store knows of it, where it comes from there."""

    model: Model
    argument: str
    stored: Stored | None = None
    projector_size: int = 0  # bytes of the tensors that read pictures or sound, which are in a file of their own


def read(argument: str, environ: Mapping[str, str]) -> Found:
    """The model that `argument` means: a file, a directory of safetensors, or a name in Ollama's store.

    Raises gpuprobe.modelfile.gguf.Unreadable, whose text is one line for people.
    """
    from pathlib import Path

    from gpuprobe.modelfile.gguf import Unreadable

    if not argument:
        raise Unreadable("the name of the model is empty")
    path = Path(argument).expanduser() if argument.startswith("~") else Path(argument)
    try:
        is_folder, is_there = path.is_dir(), path.exists()
    except (OSError, ValueError) as problem:
        raise Unreadable(f"`{argument}` cannot be looked at: {problem}") from problem
    if is_folder:
        return Found(_of_folder(str(path)), argument)
    if is_there:
        return Found(_of_file(str(path)), argument)
    if argument.startswith(("/", "./", "../", "~")) or argument.lower().endswith(_ENDINGS):
        raise Unreadable(f"`{argument}`: there is no such file")
    from gpuprobe.modelfile import gguf, ollama_store

    stored = ollama_store.find(argument, environ)
    projector_size = sum(tensor.size for path in stored.projectors[:1] for tensor in gguf.read(path).tensors)
    return Found(gguf.read(stored.file), stored.name.shortest, stored, projector_size)


def _of_folder(path: str) -> Model:
    """Safetensors, or the one model in GGUF that a directory holds."""
    import os

    from gpuprobe.modelfile import gguf, safetensors
    from gpuprobe.modelfile.gguf import Unreadable

    names = sorted(os.listdir(path))  # noqa: PTH208
    if safetensors.CONFIG in names or any(name.endswith(".safetensors") for name in names):
        return safetensors.read(path)
    files = [name for name in names if name.endswith(".gguf")]
    first = [name for name in files if "-of-" not in name or "-00001-of-" in name]
    if len(first) == 1:
        return gguf.read(os.path.join(path, first[0]))  # noqa: PTH118
    held = f"{len(first)} models in GGUF: name the file" if first else "neither GGUF nor safetensors"
    raise Unreadable(f"the directory `{path}` holds {held}")


def _of_file(path: str) -> Model:
    from gpuprobe.modelfile import gguf, safetensors

    return safetensors.read(path) if path.endswith(".safetensors") else gguf.read(path)
