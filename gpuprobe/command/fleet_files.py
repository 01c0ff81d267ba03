"""The files that engines left: found, opened and read, each by itself, so that memory does not grow with their number."""

from __future__ import annotations

import codecs
import os
import stat
import sys
from collections.abc import Iterator, Sequence
from io import FileIO
from pathlib import Path
from typing import BinaryIO, NamedTuple

from gpuprobe.exits import WrongUsage
from gpuprobe.fleet.document_texts import of_pieces, of_text
from gpuprobe.fleet.rows import Found, Origin, Problem, Trouble
from gpuprobe.survey.named_files import opened

WHOLE = 8 << 20  # bytes; what is longer is read piece by piece
_PIECE = 1 << 16
_DEEPEST = 8
_ENDINGS = (".json", ".jsonl", ".ndjson", ".out", ".txt", ".log", ".gpuprobe")
_STDIN = Origin("-", "standard input")


class _File(NamedTuple):
    path: str
    origin: Origin


def found_in(paths: Sequence[str]) -> Iterator[tuple[Found, Origin]]:
    """Everything that stands for a machine in these files and directories. WrongUsage for one that is not there."""
    for path in paths or ("-",):
        if path == "-":
            yield from _of_stdin()
        elif os.path.isdir(path):  # noqa: PTH112 - Path.is_dir raises where it may not ask, or the name is too long
            for file in _files(path):
                yield from _of_file(file, named=False)
        else:
            yield from _of_file(_File(path, Origin(path, _stem(path))), named=True)


def _files(directory: str) -> Iterator[_File]:
    """Regular files, in the order of their names. Below a folder the folder is the machine: `fetch` of Ansible leaves
    `n01/tmp/gpuprobe.json`. What is hidden is no machine's."""
    for folder, folders, names in os.walk(directory, onerror=_refuse):
        parts = Path(folder).relative_to(directory).parts
        folders[:] = sorted(name for name in folders if not name.startswith(".")) if len(parts) < _DEEPEST else []
        for name in sorted(names):
            path = f"{folder.rstrip(os.sep)}{os.sep}{name}"
            if not name.startswith(".") and _is_regular(path):
                yield _File(path, Origin(path, parts[0] if parts else _stem(name)))


def _refuse(problem: OSError) -> None:
    raise WrongUsage(f"`{problem.filename}` cannot be read: {problem.strerror or problem}", "as in `gpuprobe fleet answers/`")


def _is_regular(path: str) -> bool:
    try:
        return stat.S_ISREG(Path(path).stat().st_mode)
    except OSError:
        return True  # a link to nothing: that it cannot be read is what its row says


def _stem(path: str) -> str:
    name = path.rstrip(os.sep).rpartition(os.sep)[2] or path
    ending = next((each for each in _ENDINGS if name.endswith(each) and name != each), "")
    return name[: len(name) - len(ending)]


def _of_file(file: _File, *, named: bool) -> Iterator[tuple[Found, Origin]]:
    """`named`: by the user, who is told that it is not there; of a directory's file that is a row."""
    try:
        stream, begin = opened(file.path)
        with stream:
            yield from ((found, file.origin) for found in _found(stream, begin))
    except OSError as problem:
        if named:
            raise WrongUsage(f"`{file.path}`: {problem.strerror or problem}", "as in `gpuprobe fleet answers/`") from problem
        yield Found(None, Problem(Trouble.SILENT, f"its file cannot be read: {problem.strerror or problem}")), file.origin


def _of_stdin() -> Iterator[tuple[Found, Origin]]:
    stream = getattr(sys.stdin, "buffer", None)
    if stream is None:
        raise WrongUsage("standard input is closed", "as in `clush -w @gpu gpuprobe list --json | gpuprobe fleet`")
    if sys.stdin.isatty():
        raise WrongUsage("no FILE, and standard input is a terminal", "as in `gpuprobe fleet answers/`")
    yield from ((found, _STDIN) for found in _found(stream))


def _found(stream: BinaryIO | FileIO, begin_with: bytes = b"") -> Iterator[Found]:
    begin = bytearray(begin_with)
    try:
        while len(begin) <= WHOLE and (piece := stream.read(_wanted(len(begin)))):
            begin += piece
        if len(begin) <= WHOLE:
            yield from of_text(_text(begin))
            return
        decode = codecs.getincrementaldecoder("utf-8")("backslashreplace").decode
        yield from of_pieces(decode(bytes(begin)), (decode(piece) for piece in iter(lambda: stream.read(_PIECE), b"")))
    except OSError as problem:
        yield Found(None, Problem(Trouble.SILENT, f"its file cannot be read: {problem.strerror or problem}"))


def _wanted(read: int) -> int:
    """A file is read in two steps: all of it, and that it has ended."""
    return _PIECE if read < _PIECE else 1 << 20


def _text(content: bytes | bytearray) -> str:
    """Windows writes UTF-16 where PowerShell redirects; the rest is UTF-8, or not ours."""
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return content.decode("utf-16", "backslashreplace")
    return content.decode("utf-8-sig", "backslashreplace")
