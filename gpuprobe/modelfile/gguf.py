"""Reads the header of a GGUF model, version 2 or 3, split or whole: what it says of itself and which tensors it has.

Strings in arrays (a vocabulary) are passed over, weights are never read. Every count, length and dimension has a bound.
"""

from __future__ import annotations

import os
import re
import stat
import struct
from collections.abc import Mapping
from io import FileIO
from pathlib import Path
from typing import NamedTuple

from gpuprobe.modelfile.cursor import Cursor, Short
from gpuprobe.planning.records import Model, Scalar, Tensor
from gpuprobe.planning.tensor_types import BY_NUMBER, REMOVED, TensorType, row_size

MAGIC = b"GGUF"
VERSIONS = (2, 3)
DEFAULT_ALIGNMENT = 32
DIMENSIONS = 4
MOST_PAIRS = 1 << 14
MOST_TENSORS = 1 << 17  # 61 layers of 256 experts, each a tensor of its own, are 47,000
MOST_PARTS = 4096
LONGEST_KEY = 65535  # the format's own bound
LONGEST_NAME = 1024
LONGEST_TEXT = 4096  # a longer one, a chat template, is kept as its length
LONGEST_ARRAY = 4096  # of numbers; a longer one, a vocabulary's scores, is kept as its length
LARGEST = 1 << 62  # elements or bytes; what is larger overflows in every engine

_U32 = struct.Struct("<I")
_U64 = struct.Struct("<Q")
_HEAD = struct.Struct("<4sI")
_COUNTS = struct.Struct("<QQ")
_ARRAY = struct.Struct("<IQ")
_TAIL = struct.Struct("<IQ")  # a tensor's type and its offset

_STRING, _LIST, _BOOL = 8, 9, 7
_NUMBERS: Mapping[int, str] = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "B", 10: "Q", 11: "q", 12: "d"}
_LAYOUTS = {number: struct.Struct("<" + code) for number, code in _NUMBERS.items()}

_SPLIT = re.compile(r"(?P<stem>.*)-(?P<number>\d{5})-of-(?P<count>\d{5})(?P<end>\.gguf)", re.DOTALL)

_FOREIGN = (
    (b"ggml", "a GGML file from before GGUF (2023); it has to be converted"),
    (b"tjgg", "a GGJT file from before GGUF (2023); it has to be converted"),
    (b"fmgg", "a GGMF file from before GGUF (2023); it has to be converted"),
    (b"PK\x03\x04", "a ZIP archive, perhaps a PyTorch model, not GGUF"),
    (b"\x80\x02", "a Python pickle, perhaps a PyTorch model, not GGUF"),
    (b"vers", "a Git LFS pointer: the model itself was not downloaded"),
    (b"<!DO", "a web page, not a model"),
    (b"<htm", "a web page, not a model"),
)


class Unreadable(ValueError):
    """This is not a model that can be read. The text says why, for people, and starts with the file's name."""

    hint = "for example `gpuprobe plan model.gguf`"


class Damaged(Unreadable):
    """It is a model, and not as it was made."""

    hint = "download or copy the file again"


class _Part(NamedTuple):
    version: int
    metadata: dict[str, Scalar | tuple[int | float | bool, ...]]
    lengths: dict[str, int]
    tensors: list[Tensor]
    size: int  # of the file
    missing: int  # bytes that its tensors need and that the file does not have


def read(path: str | os.PathLike[str]) -> Model:
    """The model in the file, or in the split files of which it is the first. Raises `Unreadable`."""
    paths = _parts(Path(path))
    parts = [_read_part(part) for part in paths]
    first = parts[0]
    return Model(
        paths=tuple(str(part) for part in paths),
        format=f"GGUF v{first.version}",
        architecture=_architecture(paths[0], first),
        metadata=first.metadata,
        lengths=first.lengths,
        tensors=tuple(_unique(paths[0], parts)),
        file_size=sum(part.size for part in parts),
        missing=sum(part.missing for part in parts),
    )


def _architecture(path: Path, part: _Part) -> str:
    name = part.metadata.get("general.architecture")
    if not isinstance(name, str) or not name:
        raise Unreadable(f"{path.name} names no architecture: it is a GGUF file, but not a model")
    return name


def _unique(path: Path, parts: list[_Part]) -> list[Tensor]:
    tensors = [tensor for part in parts for tensor in part.tensors]
    if len({tensor.name for tensor in tensors}) != len(tensors):
        raise Damaged(f"{path.name} is damaged: it holds two tensors of the same name")
    return tensors


def _parts(path: Path) -> list[Path]:
    """The file itself, or all files of a split model whose first one it is."""
    found = _SPLIT.fullmatch(path.name)
    if not found:
        return [path]
    number, count = int(found["number"]), int(found["count"])
    if not 1 <= count <= MOST_PARTS or number > count:
        return [path]
    paths = [path.with_name(f"{found['stem']}-{part:05}-of-{count:05}{found['end']}") for part in range(1, count + 1)]
    if number != 1:
        raise Unreadable(f"{path.name} is part {number} of {count}; name the first one, {paths[0].name}")
    for part, other in enumerate(paths, 1):
        if not other.exists():
            raise Unreadable(f"{path.name}: part {part} of {count} is missing ({other.name})")
    return paths


def _read_part(path: Path) -> _Part:
    try:
        # A pipe would block in open(): without a writer for ever.
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb", buffering=0) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise Unreadable(f"{path.name} is not a file")
            return _header(path.name, file)
    except OSError as reason:
        raise Unreadable(f"{path.name} cannot be read: {reason.strerror or reason}") from None
    except Short:
        raise Damaged(f"{path.name} is damaged or incomplete: it ends within its own header") from None


def _header(name: str, file: FileIO) -> _Part:
    size = os.fstat(file.fileno()).st_size
    cursor = Cursor(file, size)
    version = _version(name, cursor)
    tensor_count, pair_count = (int(count) for count in cursor.unpack(_COUNTS))
    _bound(name, "metadata entries", pair_count, MOST_PAIRS)
    _bound(name, "tensors", tensor_count, MOST_TENSORS)
    metadata, lengths = _pairs(name, cursor, pair_count)
    alignment = metadata.get("general.alignment", DEFAULT_ALIGNMENT)
    if not isinstance(alignment, int) or alignment <= 0 or alignment & (alignment - 1) or alignment > 1 << 20:
        raise Damaged(f"{name} is damaged: its alignment is {alignment}")
    tensors, end = _tensors(name, cursor, tensor_count)
    start = -(-cursor.position // alignment) * alignment
    return _Part(
        version=version, metadata=metadata, lengths=lengths, tensors=tensors, size=size, missing=max(0, start + end - size)
    )


def _version(name: str, cursor: Cursor) -> int:
    if cursor.left < _HEAD.size:
        raise Unreadable(f"{name} is {'empty' if not cursor.left else 'too short for a model'}")
    magic, version = _HEAD.unpack(cursor.take(_HEAD.size))
    if magic != MAGIC:
        what = next((text for start, text in _FOREIGN if magic.startswith(start)), "not a GGUF model")
        raise Unreadable(f"{name} is {what}")
    if version & 0xFFFF == 0:
        raise Unreadable(f"{name} is a GGUF file for big-endian machines")
    if version not in VERSIONS:
        advice = "; it has to be converted" if version < VERSIONS[0] else ""
        raise Unreadable(f"{name} is GGUF version {version}; versions 2 and 3 can be read{advice}")
    return int(version)


def _bound(name: str, what: str, count: int, most: int) -> None:
    if count > most:
        raise Damaged(f"{name} is damaged: it claims {count} {what}")


def _text(name: str, what: str, cursor: Cursor, longest: int) -> str:
    (length,) = cursor.unpack(_U64)
    _bound(name, f"characters in {what}", int(length), longest)
    return cursor.take(int(length)).decode("utf-8", errors="replace")


def _pairs(name: str, cursor: Cursor, count: int) -> tuple[dict[str, Scalar | tuple[int | float | bool, ...]], dict[str, int]]:
    metadata: dict[str, Scalar | tuple[int | float | bool, ...]] = {}
    lengths: dict[str, int] = {}
    for _ in range(count):
        key = _text(name, "a key", cursor, LONGEST_KEY)
        if key in metadata or key in lengths:
            raise Damaged(f"{name} is damaged: it holds a key twice")
        (kind,) = cursor.unpack(_U32)
        value = _array(name, cursor) if kind == _LIST else _scalar(name, cursor, int(kind))
        if isinstance(value, _Length):
            lengths[key] = value.length
        else:
            metadata[key] = value
    return metadata, lengths


class _Length(NamedTuple):
    length: int


def _scalar(name: str, cursor: Cursor, kind: int) -> Scalar | _Length:
    if kind == _STRING:
        (length,) = cursor.unpack(_U64)
        if length > LONGEST_TEXT:
            cursor.skip(int(length))
            return _Length(int(length))
        return cursor.take(int(length)).decode("utf-8", errors="replace")
    layout = _LAYOUTS.get(kind)
    if layout is None:
        raise Damaged(f"{name} is damaged: it holds a value of the unknown type {kind}")
    (value,) = cursor.unpack(layout)
    return bool(value) if kind == _BOOL else value


def _array(name: str, cursor: Cursor) -> tuple[int | float | bool, ...] | _Length:
    kind, count = (int(number) for number in cursor.unpack(_ARRAY))
    if kind == _STRING:
        cursor.skip_strings(count)
        return _Length(count)
    layout = _LAYOUTS.get(kind)
    if layout is None:
        raise Damaged(f"{name} is damaged: it holds an array of the unknown type {kind}")
    if count > LONGEST_ARRAY:
        cursor.skip(count * layout.size)
        return _Length(count)
    values = cursor.unpack(struct.Struct(f"<{count}{_NUMBERS[kind]}"))
    return tuple(bool(value) for value in values) if kind == _BOOL else values


def _tensors(name: str, cursor: Cursor, count: int) -> tuple[list[Tensor], int]:
    """The tensors, and where the last of them ends, from the start of the data."""
    tensors = []
    end = 0
    for _ in range(count):
        label = _text(name, "a tensor's name", cursor, LONGEST_NAME)
        (dimension_count,) = cursor.unpack(_U32)
        _bound(name, f"dimensions of tensor {label}", int(dimension_count), DIMENSIONS)
        dimensions = tuple(int(size) for size in cursor.unpack(struct.Struct(f"<{dimension_count}Q")))
        number, offset = (int(value) for value in cursor.unpack(_TAIL))
        kind = _tensor_type(name, label, number)
        size = _size(name, label, dimensions, kind)
        _bound(name, f"bytes before tensor {label}", offset, LARGEST)
        end = max(end, offset + size)
        tensors.append(Tensor(name=label, dimensions=dimensions, type=kind.name, size=size))
    return tensors, end


def _tensor_type(name: str, label: str, number: int) -> TensorType:
    kind = BY_NUMBER.get(number)
    if kind is None:
        old = REMOVED.get(number)
        what = f"{old}, a type that engines no longer read" if old else f"the unknown type {number}"
        raise Unreadable(f"{name}: tensor {label} is stored as {what}")
    return kind


def _size(name: str, label: str, dimensions: tuple[int, ...], kind: TensorType) -> int:
    """Bytes of a tensor. Raises `Unreadable` where the dimensions overflow or do not fill whole blocks."""
    elements = 1
    for size in dimensions:
        elements *= size
        _bound(name, f"elements in tensor {label}", elements, LARGEST)
    if dimensions and dimensions[0] % kind.block:
        raise Damaged(f"{name} is damaged: rows of tensor {label} are no whole number of {kind.name} blocks")
    return row_size(kind, elements)
