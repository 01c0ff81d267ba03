"""Where the saved discovery lies, how it is written whole, and how it is read only if it is ours."""

# A Path object costs more than the call it makes; `env` reads this file at every start of a script.
# ruff: noqa: PTH119, PTH208, PTH102, PTH105, PTH108, PTH112, PTH116, PTH118, PTH120, PTH123

from __future__ import annotations

import errno
import os
import stat
import sys
import time
from collections.abc import Mapping

MOST_BYTES = 16 * 1024 * 1024  # a machine with eight cards and every library takes 0.1 MiB
_READ = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)
_BINARY = getattr(os, "O_BINARY", 0)
_WRITABLE_BY_OTHERS = 0o022
_LEFT_SECONDS = 3600.0  # no command writes for so long


class Untrusted(Exception):
    """A file or a directory that is not ours to read or to write; the text is a clause that says why."""


def place(environ: Mapping[str, str], platform: str = sys.platform) -> str | None:
    """The path of the saved discovery; None: this account has no cache directory.

    `XDG_CACHE_HOME` counts where it is an absolute path, as its specification says.
    """
    root = _cache_directory(environ, platform)
    return None if root is None else os.path.join(root, "gpuprobe", "discovery.json")


def _cache_directory(environ: Mapping[str, str], platform: str) -> str | None:
    if platform == "win32":
        return environ.get("LOCALAPPDATA") or None
    named, home = environ.get("XDG_CACHE_HOME", ""), environ.get("HOME", "")
    if named.startswith("/"):
        return named
    if not home.startswith("/"):
        return None
    return os.path.join(home, "Library", "Caches") if platform == "darwin" else os.path.join(home, ".cache")


def read(path: str) -> bytes:
    """The whole file. Raises Untrusted for one that is not ours, OSError where it cannot be read."""
    try:
        _check_kind(os.lstat(path))  # the opening of a pipe or a device may do something
        descriptor = os.open(path, _READ | _BINARY)
    except OSError as problem:
        if problem.errno == errno.ELOOP:
            raise Untrusted("it is a symbolic link") from problem
        raise
    try:
        _check_file(os.fstat(descriptor))
        return _content(descriptor)
    finally:
        os.close(descriptor)


def _check_kind(found: os.stat_result) -> None:
    if stat.S_ISLNK(found.st_mode):
        raise Untrusted("it is a symbolic link")
    if not stat.S_ISREG(found.st_mode):
        raise Untrusted("it is not a regular file")


def _check_file(found: os.stat_result) -> None:
    _check_kind(found)
    if hasattr(os, "geteuid"):
        if found.st_uid != os.geteuid():
            raise Untrusted(f"another account owns it (user id {found.st_uid})")
        if found.st_mode & _WRITABLE_BY_OTHERS:
            raise Untrusted("other accounts may write it")
    if found.st_size > MOST_BYTES:
        raise Untrusted(f"it is larger than any discovery ({MOST_BYTES // 1024 // 1024} MiB)")


def _content(descriptor: int) -> bytes:
    chunks, size = [], 0
    while size <= MOST_BYTES and (chunk := os.read(descriptor, 1 << 16)):
        chunks.append(chunk)
        size += len(chunk)
    return b"".join(chunks)


def write(path: str, content: bytes) -> None:
    """Puts `content` in the place of the file, whole or not at all, readable by us only. Raises Untrusted, OSError.

    What other commands write at the same moment goes to files of their own; the last one to be renamed stays.
    """
    directory, name = os.path.split(path)
    _prepare(directory)
    temporary = os.path.join(directory, f".{name}.{os.getpid()}.{os.urandom(4).hex()}")
    descriptor = os.open(temporary, _WRITE | _BINARY, 0o600)
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
        os.replace(temporary, path)
    except BaseException:
        # After the rename there is none: Ctrl-C in that moment must stay Ctrl-C.
        remove(temporary)
        raise
    _sweep(directory, name)


def _sweep(directory: str, name: str) -> None:
    """Takes away what a command that was killed between writing and renaming has left."""
    for entry in os.listdir(directory):
        if entry.startswith(f".{name}.") and entry.count(".") >= name.count(".") + 3:
            path = os.path.join(directory, entry)
            try:
                old = time.time() - os.stat(path, follow_symlinks=False).st_mtime > _LEFT_SECONDS
            except OSError:
                continue  # taken away by another command
            if old:
                remove(path)


def remove(path: str) -> None:
    """Takes the file away, if it is there and ours to remove."""
    try:
        os.unlink(path)
    except OSError:
        return  # none is there, or the directory is another's: then nothing of ours is in it


def _prepare(directory: str) -> None:
    """Our directory below the cache directory, made where it is missing; a home directory is never made."""
    cache = os.path.dirname(directory)
    if not os.path.isdir(directory):
        if not os.path.isdir(cache):
            _make(cache, below=os.path.dirname(cache))
        _make(directory, below=cache)
    found = os.lstat(directory)
    if not stat.S_ISDIR(found.st_mode):
        raise Untrusted(f"`{directory}` is a link to a directory")
    if hasattr(os, "geteuid") and (found.st_uid != os.geteuid() or found.st_mode & _WRITABLE_BY_OTHERS):
        raise Untrusted(f"`{directory}` is another account's, or others may write it")


def _make(directory: str, below: str) -> None:
    """With `sudo` and the user's own HOME, root would leave a directory there that the user can never write.

    What `XDG_CACHE_HOME` names is made with its parents, as its specification asks; `~/.cache` is made in a home that is there.
    """
    if not os.path.isdir(below) and os.path.basename(directory) not in (".cache", "Caches"):
        _make(below, below=os.path.dirname(below))
    owner = os.stat(below).st_uid
    if hasattr(os, "geteuid") and owner not in (0, os.geteuid()):
        raise Untrusted(f"`{below}` belongs to another account (user id {owner})")
    try:
        os.mkdir(directory, 0o700)
    except FileExistsError:
        return  # another command was faster
