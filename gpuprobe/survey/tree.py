"""The machine's files below a root that can be replaced: small ones are read whole, odd ones become a reason."""

# A Path object per file would cost more than reading the file.
# ruff: noqa: PTH109, PTH115, PTH116, PTH118, PTH208

import errno
import os
import stat

from gpuprobe.facts import Reading
from gpuprobe.record_classes import NamedTuple

ABSENT, DENIED = "absent", "denied"
SMALL = 64 * 1024  # bytes; sysfs gives a page at most, /proc's texts that are read are shorter

# Without O_NONBLOCK the opening of a pipe that lies in the place of a file would wait for a writer.
READING = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
READING |= getattr(os, "O_NOCTTY", 0)
_KERNELS = ("/sys/", "/proc/")
_OF_OTHERS = ("/fd/", "/root/", "/cwd/")  # below /proc: ways out of it, to what a process chose


class Listed(NamedTuple):
    """`problem`, in the words of `Tree.read`: why nothing is known of what is in the directory."""

    names: tuple[str, ...]
    problem: str | None = None


class Tree:
    """Paths are given, and come back, as on the machine itself: without the root."""

    def __init__(self, root: str = "/") -> None:
        self.root = root
        self._unlisted: dict[str, str] = {}

    @property
    def is_this_machine(self) -> bool:
        return self.root == "/"

    def at(self, path: str) -> str:
        """Where a path of the machine really is; a Windows drive is left out below another root."""
        return path if self.root == "/" else self.root.rstrip("/") + path.removeprefix("C:")

    def opened(self, path: str) -> int:
        """An ordinary file to read from, to be closed. OSError as from the system; ValueError for a pipe or a device.

        It is looked at before it is opened, since that may start something: a writer that waits for a reader goes on, and
        fails when we leave. And behind it, since it may have been exchanged. The kernel's own files need no look.
        """
        needs_a_look = not self.is_this_machine or not path.startswith(_KERNELS) or any(way in path for way in _OF_OTHERS)
        if needs_a_look:
            _refuse_odd(os.stat(self.at(path)))
        descriptor = os.open(self.at(path), READING)
        try:
            if needs_a_look:
                _refuse_odd(os.fstat(descriptor))
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def content(self, path: str, most: int = SMALL) -> bytes:
        """The first `most` bytes. OSError as from the system; ValueError where the path cannot be one."""
        descriptor = self.opened(path)
        try:
            chunks, size = [], 0
            while size < most and (chunk := os.read(descriptor, most - size)):
                chunks.append(chunk)
                size += len(chunk)
            return b"".join(chunks)
        finally:
            _close(descriptor)

    def read(self, path: str, most: int = SMALL) -> Reading:
        """The text, bytes that are not UTF-8 as `\\xff`; or why there is none: "absent", "denied" or "error: …"."""
        try:
            return Reading(self.content(path, most).decode("utf-8", "backslashreplace"))
        except (OSError, ValueError) as error:
            return Reading(None, problem_of(error))

    def line(self, path: str) -> str | None:
        """A file of one value, trimmed; None: no file, or nothing in it."""
        text = self.read(path).text
        return (text.strip() if text else None) or None

    def listed(self, path: str) -> Listed:
        """What is in a directory, sorted, or why that is not known, by one look: a second one can end otherwise."""
        try:
            return Listed(tuple(sorted(os.listdir(self.at(path)))))
        except (OSError, ValueError) as error:
            return Listed((), self._not_listed(path, error))

    def names(self, path: str) -> tuple[str, ...]:
        """What is in a directory, sorted; nothing where there is none. See `why_unlisted` for the difference."""
        return self.listed(path).names

    def folders(self, path: str) -> tuple[str, ...]:
        """The directories in a directory, and links to some, sorted; nothing where it cannot be listed."""
        try:
            with os.scandir(self.at(path)) as entries:
                return tuple(sorted(entry.name for entry in entries if entry.is_dir()))
        except (OSError, ValueError) as error:
            self._not_listed(path, error)
            return ()

    def why_unlisted(self, path: str) -> str | None:
        """Why a directory cannot be listed, or could not be when it was, in the words of `read`; None: it can."""
        if path in self._unlisted:
            return self._unlisted[path]
        try:
            os.scandir(self.at(path)).close()
        except (OSError, ValueError) as error:
            return problem_of(error)
        return None

    def unread_below(self, directory: str, path: str, problem: str) -> None:
        """A file in this directory could not be read that says what is there."""
        self._unlisted.setdefault(directory, f"{problem} at `{path}`")

    def _not_listed(self, path: str, error: OSError | ValueError) -> str:
        problem = problem_of(error)
        if problem != ABSENT:  # it may be there the next time
            self._unlisted[path] = problem
        return problem

    def target(self, path: str) -> str | None:
        """What a symbolic link says, unresolved; None: no link."""
        try:
            return os.readlink(self.at(path))
        except (OSError, ValueError):
            return None

    def link(self, path: str) -> Reading:
        """What a symbolic link says, or why that cannot be known, in the words of `read`."""
        try:
            return Reading(os.readlink(self.at(path)))
        except (OSError, ValueError) as error:
            is_no_link = isinstance(error, OSError) and error.errno == errno.EINVAL
            return Reading(None, ABSENT if is_no_link else problem_of(error))

    def status(self, path: str) -> os.stat_result | None:
        """What `stat` says of the file behind all links; None: there is none, or it may not be asked."""
        return self.status_or_why(path)[0]

    def status_or_why(self, path: str) -> tuple[os.stat_result | None, str | None]:
        """As `status`, and why there is none in the words of `read`."""
        try:
            return os.stat(self.at(path)), None
        except (OSError, ValueError) as error:
            return None, problem_of(error)

    def is_file(self, path: str) -> bool:
        """Whether an ordinary file is there, links followed: never a pipe, whose opening or reading waits."""
        status = self.status(path)
        return status is not None and stat.S_ISREG(status.st_mode)

    def absolute(self, path: str) -> str:
        """A path as the machine's loader would take it from the working directory, if that still exists."""
        try:
            return path if path.startswith("/") else os.path.join(os.getcwd(), path)
        except OSError:
            return path

    def real_path(self, path: str) -> str:
        """The file behind all links, as a path of the machine; the path itself where one of them cannot be read."""
        try:
            real = os.path.realpath(self.at(path))
            return real if self.root == "/" else real.removeprefix(os.path.realpath(self.root))
        except (OSError, ValueError):
            return path


def _close(descriptor: int) -> None:
    """Whatever close(2) says, it is closed; and what was read is known."""
    try:
        os.close(descriptor)
    except OSError:
        return


def _refuse_odd(status: os.stat_result) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(status.st_mode):
        raise ValueError("no ordinary file")


def problem_of(error: OSError | ValueError) -> str:
    # The third is /proc's answer for a process that ended since its file was opened.
    if isinstance(error, (FileNotFoundError, NotADirectoryError, ProcessLookupError)):
        return ABSENT
    return DENIED if isinstance(error, PermissionError) else f"error: {getattr(error, 'strerror', None) or error}"
