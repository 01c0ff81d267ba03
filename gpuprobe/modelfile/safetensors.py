"""Reads a directory of safetensors: each file's header, which tensors there are, and what `config.json` says of the model.

A header is JSON, and JSON of a hostile file costs twenty times its length as objects: entries are therefore cut out of the
text one by one, and only one at a time becomes objects.
"""

from __future__ import annotations

import json
import os
import re
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from gpuprobe.modelfile.gguf import Unreadable
from gpuprobe.planning.records import Metadata, Model, Scalar, Tensor
from gpuprobe.strings import printable
from gpuprobe.survey.tree import Tree

FORMAT = "safetensors"
INDEX, CONFIG = "model.safetensors.index.json", "config.json"
_MiB = 1024 * 1024
_MOST_HEADER = 16 * _MiB  # 100 000 tensors in one file need as much
_MOST_INDEX, _MOST_CONFIG = 16 * _MiB, 1 * _MiB
_MOST_FILES, _MOST_TENSORS, _MOST_ENTRY, _MOST_DIMENSIONS, _MOST_ARRAY = 1024, 250_000, 4096, 8, 4096
_MOST_KEYS = 4096

_BITS = {
    **dict.fromkeys(("F4",), 4),
    **dict.fromkeys(("F6_E2M3", "F6_E3M2"), 6),
    **dict.fromkeys(("BOOL", "U8", "I8", "F8_E5M2", "F8_E4M3", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ"), 8),
    **dict.fromkeys(("I16", "U16", "F16", "BF16"), 16),
    **dict.fromkeys(("I32", "U32", "F32"), 32),
    **dict.fromkeys(("I64", "U64", "F64", "C64"), 64),
}
_TEXT = r'"((?:[^"\\]|\\.)*+)"'
_FLAT = r'\{(?:[^"{}]|"(?:[^"\\]|\\.)*+")*+\}'  # an object without another one in it
_ENTRY = re.compile(rf"\s*{_TEXT}\s*:\s*({_FLAT})\s*([,}}])", re.DOTALL)
_SHARD = re.compile(r':\s*"([^"\\/]{1,255}\.safetensors)"')


class _Header(NamedTuple):
    text: str
    data: int  # bytes behind it


def read(path: str) -> Model:
    """The model in a directory, or in one file with its directory's `config.json`. Raises Unreadable."""
    place = Path(path)
    folder = place if place.is_dir() else place.parent
    config = _config(folder)
    files = _shards(folder) if place.is_dir() else (place,)
    tensors: list[Tensor] = []
    for file in files:
        tensors.extend(_tensors(file))
        if len(tensors) > _MOST_TENSORS:
            raise Unreadable(f"`{path}` names more than {_MOST_TENSORS} tensors, which no model has")
    metadata, lengths = _flattened(config)
    return Model(
        paths=tuple(str(file) for file in files),
        format=FORMAT,
        architecture=_architecture(config),
        metadata=metadata,
        lengths=lengths,
        tensors=tuple(tensors),
        file_size=sum(file.stat().st_size for file in files),
    )


def _architecture(config: Mapping[str, Any]) -> str:
    named = config.get("architectures")
    first = named[0] if isinstance(named, list) and named else config.get("model_type")
    return first if isinstance(first, str) and first else "unknown"


def _config(folder: Path) -> dict[str, Any]:
    file = folder / CONFIG
    try:
        content = Tree().content(str(file), _MOST_CONFIG + 1)
    except (OSError, ValueError) as problem:
        reason = getattr(problem, "strerror", None) or problem
        raise Unreadable(f"`{file}` cannot be read ({reason}), and nothing else describes the tensors beside it") from problem
    if len(content) > _MOST_CONFIG:
        raise Unreadable(f"`{file}` is longer than {_MOST_CONFIG // _MiB} MiB, which no configuration of a model is")
    try:
        config = json.loads(content)
    except (ValueError, RecursionError) as problem:
        raise Unreadable(f"`{file}` is not JSON: {problem}") from problem
    if not isinstance(config, dict):
        raise Unreadable(f"`{file}` does not hold an object, which a model's configuration is")
    return config


def _shards(folder: Path) -> tuple[Path, ...]:
    try:
        index = Tree().content(str(folder / INDEX), _MOST_INDEX + 1)
    except OSError:
        names = sorted(name for name in os.listdir(folder) if name.endswith(".safetensors"))  # noqa: PTH208
        if not names:
            raise Unreadable(f"`{folder}` holds neither a `.safetensors` file nor `{INDEX}`") from None
    else:
        names = sorted(set(_SHARD.findall(index[:_MOST_INDEX].decode(errors="replace"))))
        if not names:
            raise Unreadable(f"`{folder / INDEX}` names no file of tensors")
    if len(names) > _MOST_FILES:
        raise Unreadable(f"`{folder}` has more than {_MOST_FILES} files of tensors, which no model has")
    missing = next((name for name in names if not (folder / name).is_file()), None)
    if missing is not None:
        raise Unreadable(f"`{folder / missing}` is missing; `{INDEX}` names it as one of {len(names)} files")
    return tuple(folder / name for name in names)


def _tensors(file: Path) -> Iterator[Tensor]:
    header = _header(file)
    end = 0
    for name, entry in _entries(header.text, file):
        tensor, stop = _tensor(name, entry, file)
        if stop > header.data:
            raise Unreadable(f"`{file}` is cut short: tensor `{printable(name[:80])}` ends at byte {stop} of {header.data}")
        end = max(end, stop)
        yield tensor
    if end < header.data:
        raise Unreadable(f"`{file}` holds {header.data - end} bytes that its header does not describe")


def _header(file: Path) -> _Header:
    try:
        descriptor = os.open(file, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except OSError as problem:
        raise Unreadable(f"`{file}` cannot be read: {problem.strerror}") from problem
    with os.fdopen(descriptor, "rb", buffering=0) as opened:
        size = os.fstat(descriptor).st_size
        start = opened.read(8) or b""
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else None
        if length is None or length < 2 or length > size - 8:
            raise Unreadable(f"`{file}` is not a safetensors file: its first 8 bytes are not the length of a header")
        if length > _MOST_HEADER:
            raise Unreadable(f"`{file}` has a header of {length} bytes; more than {_MOST_HEADER // _MiB} MiB is not read")
        content = _exactly(opened.fileno(), length)
    if content is None or not content.startswith(b"{"):
        raise Unreadable(f"`{file}` is not a safetensors file: its header does not begin with `{{`")
    try:
        return _Header(content.decode(), size - 8 - length)
    except UnicodeDecodeError as problem:
        raise Unreadable(f"`{file}` is not a safetensors file: its header is not UTF-8") from problem


def _exactly(descriptor: int, length: int) -> bytes | None:
    content = bytearray()
    while len(content) < length:
        chunk = os.read(descriptor, length - len(content))
        if not chunk:
            return None
        content += chunk
    return bytes(content)


def _entries(text: str, file: Path) -> Iterator[tuple[str, str]]:
    """Name and object of each tensor, as texts."""
    place, count, seen = 1, 0, "{"
    if re.fullmatch(r"\{\s*\}\s*", text):
        return
    while seen != "}":
        found = _ENTRY.match(text, place)
        if found is None:
            raise Unreadable(f"`{file}` has a damaged header: no tensor can be read at byte {place}")
        name, entry, seen = found.groups()
        place, count = found.end(), count + 1
        if name == "__metadata__":
            continue
        if len(entry) > _MOST_ENTRY or len(name) > _MOST_ENTRY or count > _MOST_TENSORS:
            raise Unreadable(f"`{file}` has a damaged header: what it says at byte {found.start()} is too long for a tensor")
        yield name, entry
    if text[place:].strip():
        raise Unreadable(f"`{file}` has a damaged header: something follows its end at byte {place}")


def _tensor(name: str, entry: str, file: Path) -> tuple[Tensor, int]:
    """The tensor, and where its bytes end."""
    wrong = Unreadable(f"`{file}` has a damaged header: type, shape and place of tensor `{printable(name[:80])}` do not agree")
    try:
        said = json.loads(entry)
        kind, shape, (start, stop) = said["dtype"], said["shape"], said["data_offsets"]
        numbers = [*shape, start, stop]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise wrong from None
    if (
        not isinstance(kind, str)
        or kind not in _BITS
        or not isinstance(shape, list)
        or len(shape) > _MOST_DIMENSIONS
        or any(type(each) is not int or each < 0 for each in numbers)
    ):
        raise wrong
    count = 1
    for each in shape:
        count *= each
        if count > 1 << 60:
            raise wrong
    if (count * _BITS[kind] + 7) // 8 != stop - start:
        raise wrong
    return Tensor(name, tuple(reversed(shape)), kind, stop - start), stop


def _flattened(config: Mapping[str, Any]) -> tuple[Metadata, Mapping[str, int]]:
    """`text_config.hidden_size` and the like; of a list of words how often each occurs: `layer_types.full_attention`."""
    metadata: dict[str, Scalar | tuple[int | float | bool, ...]] = {}
    lengths: dict[str, int] = {}
    waiting: list[tuple[str, Any]] = list(config.items())
    while waiting and len(metadata) < _MOST_KEYS:
        key, value = waiting.pop(0)
        if isinstance(value, dict):
            waiting.extend((f"{key}.{inner}", each) for inner, each in value.items())
        elif isinstance(value, list):
            _add_list(key, value, metadata, lengths)
        elif isinstance(value, str | int | float | bool):
            metadata[key] = value
    return metadata, lengths


def _add_list(key: str, value: list[Any], metadata: dict[str, Any], lengths: dict[str, int]) -> None:
    lengths[key] = len(value)
    if len(value) <= _MOST_ARRAY and all(isinstance(each, int | float | bool) for each in value):
        metadata[key] = tuple(value)
    elif all(isinstance(each, str) for each in value):
        for word in value[:_MOST_ARRAY]:
            name = f"{key}.{word}"
            metadata[name] = int(metadata.get(name, 0)) + 1
