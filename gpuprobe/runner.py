"""The child: one request on stdin, one library asked, one JSON object per line on what was its stdout.

Started as `python -I -S …/gpuprobe/child.py`; stdin stays open for as long as the parent lives. Lines, in this order:

    {"call": "cuInit", "at": 0.01}    a call of the library, said before it is made; seconds since the child began
    {"loaded": "/real/path"}          the file behind the library
    {"facts": {…}}                    what the library says of itself
    {"device": {…}}                   a device it lists; the fields are those of model.Device, absent or null: unknown
    {"stage": "copy", "at": 0.3}      to prove only: begun before anything of it is done; the one before is passed
    {"waiting": "bandwidth", "at": 1} to prove only: it goes on when the parent has written a line to stdin
    {"figures": {…}}                  what was measured in this stage
    {"not_possible": {"because": …, "code": …, "name": …}}   this stage cannot be taken here, and the next one follows
    {"passed": {"depth": "context"}}  the wanted device was found and taken this far
    {"failed": {"status": …, "code": …, "name": …, "message": …}, "at": 0.4}   the library itself ended it; nothing follows
    {"done": true, "at": 0.05}        the only proof of success

A device may carry "problems": field → why it is unknown. Exit status 2: the request is malformed. 1: a bug. 83: it stayed, and
cannot be asked again, since a library closed stdin or made it one that does not wait.
With `"repeat": true` the child stays after `done`, and answers once more, from the first device on, for each further line.
A device of such an answer may carry `"again": true`: it is that of this number in the answer before, and says what can change.
`"quiet"`: a descriptor of a pipe that never waits. All of such an answer but its end is written there, of a call the bare name,
so that a reader need not wake up a hundred times; where the pipe is full, the rest comes as ever.
"""

# pathlib would cost every child a fifth of its start.
# ruff: noqa: PTH100, PTH112, PTH113, PTH118, PTH120, PTH123, PTH208

from __future__ import annotations

import _thread
import gc
import os
import sys
import time

from gpuprobe import json_texts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

    Json = dict[str, Any]

BEGAN = time.perf_counter()
MARK = "GPUPROBE_CHILD"
CANNOT_HEAR = 83  # an exit status
_LONGEST_REQUEST = 1 << 20
_SIGKILL = 9  # the module `signal` would import enum
_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER (linux/prctl.h)
_LONGEST_AT_ONCE = 4096  # PIPE_BUF of Linux: what a pipe takes whole or not at all
_ROUNDS = 8  # a process may start another one while the list is read


class Malformed(Exception):
    """A request that no parent sends; a sentence says what is wrong with it."""


def main() -> NoReturn:
    answers = _private_output()
    _leave_no_core_file()
    try:
        request = _request(_first_line())
        listing, calling = _listing(request["backend"])
        if not hasattr(listing, "devices" if request["purpose"] == "list" else "validate"):
            raise Malformed(f"the backend `{request['backend']}` cannot {request['purpose']}")
        _check_the_stage(request)
    except Malformed as problem:
        _say(2, f"gpuprobe runner: {problem}\n".encode(errors="replace"))
        os._exit(2)
    _take_in_orphans()
    try:
        more = _watched_input(lasting=request["repeat"] and not request["turns"]) if os.environ.get(MARK) else 0
        voice = _Voice(answers, request["quiet"])
    except (RuntimeError, OSError) as problem:  # nothing of a library has been touched yet
        _say(2, f"gpuprobe runner: no thread or pipe could be made: {problem}\n".encode(errors="replace"))
        os._exit(1)
    try:
        answer = _answering(voice, request, listing, calling, more)
        answer()
        _tell(answers, {"done": True, "at": _now()})
        while request["repeat"] and _is_asked_again(more):
            voice.lower()
            answer()
            _tell(answers, {"done": True, "at": _now()})
    except calling.Failed as failed:
        said = {key: getattr(failed, key) for key in ("status", "code", "name", "message", "wrong") if hasattr(failed, key)}
        _tell(answers, {"failed": said, "at": _now()})
    _leave()


class _Voice:
    """What is said aloud, and what in the pipe beside it for as long as that takes it."""

    def __init__(self, aloud: int, quiet: int | None) -> None:
        self.aloud, self._quiet, self._is_quiet = aloud, quiet, False
        if quiet is not None:
            os.set_inheritable(quiet, False)  # what a library starts has no part in it
            os.set_blocking(quiet, False)

    def lower(self) -> None:
        """From now on quietly, if it can."""
        self._is_quiet = self._quiet is not None

    def call(self, name: str) -> None:
        if not self._says_quietly(name):
            _tell(self.aloud, {"call": name, "at": _now()})

    def tell(self, answer: Json) -> None:
        line = _written(answer)
        if not self._says_quietly(line):
            _say(self.aloud, line.encode() + b"\n")

    def _says_quietly(self, text: str) -> bool:
        """False: nothing was said, and what is behind it will be said aloud too, or the order would be lost."""
        if self._is_quiet and self._quiet is not None:
            line = text.encode() + b"\n"
            try:
                self._is_quiet = len(line) <= _LONGEST_AT_ONCE and os.write(self._quiet, line) == len(line)
            except OSError:  # mostly BlockingIOError: it is full
                self._is_quiet = False
        return self._is_quiet


def _answering(voice: _Voice, request: Json, listing: Any, calling: Any, more: int) -> Callable[[], None]:
    """Loads the library; what comes back asks it once."""
    answers, announce = voice.aloud, voice.call
    if request["purpose"] == "prove":
        return lambda: _prove(answers, request, listing, calling, more)

    def facts(known: Json) -> None:
        voice.tell({"facts": known})

    library = _ready(answers, request, listing, calling, announce)
    # What changes all the time (utilisation, heat) is told only to those who watch it.
    kept: Json = {}
    watched = getattr(listing, "readings", None) if request["repeat"] else None

    def answer() -> None:
        if request["purpose"] == "validate":
            _tell(answers, {"passed": {"depth": listing.validate(library, announce, facts, request["device"])}})
            return
        found = listing.devices(library, announce, facts) if watched is None else watched(library, announce, facts, kept)
        for device in found:
            voice.tell({"device": device})

    return answer


def _watched_input(*, lasting: bool) -> int:
    """A descriptor that has what stdin has; a thread notices the end of stdin also while a library hangs.

    Of a child that stays it does not read along on Linux: each line would wake up two threads.
    """
    if lasting and sys.platform == "linux" and (end := _end_of_input()) is not None:
        _thread.start_new_thread(_end_when, (end,))
        return 0
    ours, fed = os.pipe()
    if os.name == "posix":
        os.set_blocking(fed, False)  # were it full, the thread would wait here and miss the end of stdin
    _thread.start_new_thread(_end_when, (lambda: _feed(fed),))
    return ours


def _end_of_input() -> Callable[[], object] | None:
    """Waits until nobody can write to stdin any more, whatever else comes. None: not here."""
    try:
        from select import poll

        waiting = poll()
        waiting.register(0, 0)  # no event is asked for: what is left is that it was hung up
        waiting.poll(0)
    except (ImportError, OSError):
        return None
    return waiting.poll


def _feed(fed: int) -> None:
    """Up to the end of stdin."""
    while piece := os.read(0, 65536):
        try:
            os.write(fed, piece)
        except OSError:
            continue  # nobody asks that much


def _is_asked_again(more: int) -> bool:
    """Waits for the next line. Where there is none any more, it is as `_end_with_the_parent` has it.

    A library that closed stdin, or made it one that does not wait, is asked no more: it is replaced.
    """
    try:
        if os.read(more, 1):
            return True
    except OSError:
        _leave(CANNOT_HEAR)
    if os.environ.get(MARK):
        _end_with_the_parent()
    return False


def _prove(answers: int, request: Json, listing: Any, calling: Any, more: int) -> None:
    from gpuprobe.backends import stages

    own = _stages(request["backend"])
    turn = (lambda: os.read(more, 1)) if request["turns"] and more else None
    validation = stages.Validation(lambda said: _tell(answers, said), _now, request["until"], request["toolkits"], turn)
    validation.begin("load")
    library = _ready(answers, request, listing, calling, validation.announce)
    stages.walk(own, library, validation, request["device"])
    validation.leave()
    _tell(answers, {"passed": {"depth": validation.depth}})


def _ready(answers: int, request: Json, listing: Any, calling: Any, announce: Callable[[str], None]) -> Any:
    announce(f"load {request['candidates'][0]}")
    library = _loaded(request, listing)
    path = getattr(listing, "loaded_path", calling.loaded_path)(library)
    if path is not None:
        _tell(answers, {"loaded": path})
    return library


def _private_output() -> int:
    """Moves the protocol away from descriptor 1, where libraries print; what they print becomes evidence on stderr."""
    private = os.dup(1)
    os.dup2(2, 1)
    return private


def _leave_no_core_file() -> None:
    try:
        import resource
    except ImportError:  # Windows
        return
    try:
        hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
        # 1 byte holds no core file either, and it is the one value that also keeps the kernel from starting the program that
        # `core_pattern` names (fs/coredump.c): 0 does not, and a core of a process with a GPU mapped takes seconds there.
        limit = 0 if hard == 0 else 1
        resource.setrlimit(resource.RLIMIT_CORE, (limit, limit))
    except (OSError, ValueError):  # a sandbox forbids it: a library that crashes then costs time, and still has its answer
        return


def _take_in_orphans() -> None:
    """What a library starts stays below this process, also where it forks twice, so that it can be found and ended."""
    if sys.platform != "linux":
        return
    import ctypes

    ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)


def _first_line() -> bytes:
    """What stdin holds up to the first line's end, or its own. Unbuffered: the rest is only watched for its end."""
    line = b""
    try:
        while b"\n" not in line and len(line) < _LONGEST_REQUEST and (piece := os.read(0, 65536)):
            line += piece
    except OSError as problem:
        raise Malformed(f"stdin cannot be read: {problem.strerror}") from None
    return line.partition(b"\n")[0]


def _request(line: bytes) -> Json:
    try:
        request = json_texts.loads(line)
    except (ValueError, RecursionError) as problem:
        raise Malformed(f"the request on stdin is not one line of JSON: {problem}") from None
    if not isinstance(request, dict):
        raise Malformed("the request on stdin is not a JSON object")
    defaults: Json = {"paths": [], "device": None, "before": [], "library": "", "until": None, "toolkits": []}
    request = {**defaults, "turns": False, "repeat": False, "quiet": None, **request}
    for key, fits in _SHAPES.items():
        if not fits(request.get(key)):
            raise Malformed(f"the request has no fitting `{key}`: {request.get(key)!r}")
    if request["purpose"] != "list" and request["device"] is None:
        raise Malformed(f"the request is to {request['purpose']} and names no device")
    return request


def _check_the_stage(request: Json) -> None:
    if request["until"] is None:
        return
    from gpuprobe.backends.stages import STAGE_NAMES

    if request["until"] not in STAGE_NAMES:
        raise Malformed(f"the request has no fitting `until`: {request['until']!r}")


def _texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) and each and "\0" not in each for each in value)


_SHAPES: dict[str, Callable[[object], bool]] = {
    "backend": lambda value: isinstance(value, str),
    "purpose": lambda value: value in ("list", "validate", "prove"),
    "candidates": lambda value: _texts(value) and value != [],
    "paths": _texts,
    "before": _texts,
    "library": lambda value: isinstance(value, str),
    "device": lambda value: value is None or _device(value),
    "until": lambda value: value is None or isinstance(value, str),
    "toolkits": _texts,
    "turns": lambda value: isinstance(value, bool),
    "repeat": lambda value: isinstance(value, bool),
    "quiet": lambda value: value is None or _count(value),
}


def _device(value: object) -> bool:
    """Is this {"uuid", "pci_id", "number", "copy"}, each possibly unknown, and at least one of the first three known?"""
    if not isinstance(value, dict):
        return False
    texts = [value.get(key) for key in ("uuid", "pci_id")]
    numbers = [value.get(key) for key in ("number", "copy")]
    fit = all(each is None or isinstance(each, str) for each in texts) and all(each is None or _count(each) for each in numbers)
    return fit and any(each is not None for each in (*texts, numbers[0]))


def _count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _listing(backend: str) -> tuple[Any, Any]:
    """The backend's module `listing` and what all share."""
    package = os.path.dirname(os.path.abspath(__file__))
    if not backend.isidentifier() or not os.path.isfile(os.path.join(package, "backends", backend, "listing.py")):
        raise Malformed(f"there is no backend `{backend}`")
    module = __import__(f"gpuprobe.backends.{backend}.listing", fromlist=("load",))
    from gpuprobe.backends import calling

    return module, calling


def _stages(backend: str) -> Any:
    """The backend's module `stages`, which every one has that can validate; no other purpose pays for it."""
    return __import__(f"gpuprobe.backends.{backend}.stages", fromlist=("STAGES",))


def _loaded(request: Json, listing: Any) -> Any:
    before = sys.path[:]
    sys.path.extend(request["paths"])  # behind the standard library: only the vendor's binding is looked for there
    try:
        more = {key: request[key] for key in getattr(listing, "LOADS_WITH", ())}
        return listing.load(request["candidates"], request["paths"], **more)
    finally:
        sys.path[:] = before
        gc.freeze()  # what was loaded so far stays, and is never looked through
        gc.enable()


def _now() -> float:
    return round(time.perf_counter() - BEGAN, 6)


def _tell(descriptor: int, answer: Json) -> None:
    _say(descriptor, _written(answer).encode() + b"\n")


def _written(answer: Json) -> str:
    return json_texts.dumps(answer, separators=(",", ":"))


def _say(descriptor: int, line: bytes) -> None:
    while line:
        line = line[os.write(descriptor, line) :]


def _leave(status: int = 0) -> NoReturn:
    """Ends without the libraries' own endings, which can crash or hang after everything has been said (CUDA, Vulkan layers)."""
    if os.name == "posix":
        import ctypes

        ctypes.CDLL(None).fflush(None)  # what a library printed is evidence; its buffer would be lost
    _end_what_was_started()
    os._exit(status)


def _end_when(waited: Callable[[], object]) -> None:
    """Behind the end of stdin, which means that gpuprobe is gone."""
    waited()
    _end_with_the_parent()


def _end_with_the_parent() -> NoReturn:
    """Takes along all that was started from here."""
    mark = f"{MARK}={os.environ[MARK]}".encode()
    for _ in range(_ROUNDS):
        for number in (others := _processes_with(mark)):
            _kill(number)
        if not others:
            break
    _end_what_was_started()
    if hasattr(os, "killpg") and os.getpgrp() == os.getpid():
        os.killpg(0, _SIGKILL)
    os._exit(1)


def _end_what_was_started() -> None:
    """Kills every process below this one; those whose parents have ended are its children."""
    killed: set[int] = set()
    for _ in range(_ROUNDS):
        below = [os.getpid()]
        for number in below:
            below += _children(number)
        new = set(below[1:]) - killed
        if not new:
            return
        for number in new:
            _kill(number)
        killed |= new


def _children(number: int) -> list[int]:
    """Of each of its threads; none where the system does not tell."""
    found: list[int] = []
    folder = f"/proc/{number}/task"
    for thread in os.listdir(folder) if os.path.isdir(folder) else []:
        try:
            with open(f"{folder}/{thread}/children", "rb", buffering=0) as children:
                found += map(int, children.read().split())
        except OSError:  # ended meanwhile, or a kernel without that file
            continue
    return found


def _processes_with(mark: bytes) -> list[int]:
    """The other processes whose environment carries this mark. A session of their own does not hide them, as it does from
    a signal to the process group."""
    found = []
    for name in os.listdir("/proc") if os.path.isdir("/proc") else []:
        try:
            with open(f"/proc/{name}/environ", "rb") as environ:
                if name.isdigit() and int(name) != os.getpid() and mark in environ.read().split(b"\0"):
                    found.append(int(name))
        except OSError:  # ended meanwhile, or another user's
            continue
    return found


def _kill(number: int) -> None:
    try:
        os.kill(number, _SIGKILL)
    except OSError:
        return  # ended meanwhile
