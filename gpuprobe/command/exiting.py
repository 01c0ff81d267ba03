"""How an answer, wrong usage, a bug, Ctrl-C and a closed pipe leave the program: what is written, and the exit code."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence

from gpuprobe.command import plain_lines
from gpuprobe.exits import Damaged, Exit, Trouble, Unwritable, WrongUsage
from gpuprobe.render.screen import Screen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TextIO

    from gpuprobe.command.options import Options
    from gpuprobe.command.reply import Launch, Reply, Stream

# To whom a report goes. No address is known yet: when `[project.urls]` in pyproject.toml has one for issues, it is this.
REPORTS_GO_TO = "whoever looks after gpuprobe where you got it (its repository, the package's maintainer, or who installed it)"
REPORT = (
    f"report it to {REPORTS_GO_TO}, with this line, the command, and the file that `gpuprobe capture machine.json` writes;"
    " `-v` adds where it happened"
)


class Failure(Exception):
    """Why there is no answer, as the error document and the line on standard error say it."""

    def __init__(self, code: Trouble, message: str, hint: str, leave_with: Exit) -> None:
        super().__init__(message)
        self.code, self.message, self.hint, self.exit = code, message, hint, leave_with


def run(arguments: Sequence[str], screen: Screen | None = None) -> int:
    """Runs one command line and returns its exit code; everything it has to say has been written."""
    if screen is None and sys.stdout is None:
        return _without_output()
    screen = screen or Screen.of_process()
    ours = arguments[: arguments.index("--")] if "--" in arguments else arguments
    try:
        return _answered(arguments, screen)
    except Failure as failure:
        _tell(failure, screen, "--json" in ours)
        return failure.exit


def interrupted(arguments: Sequence[str]) -> int:
    """As `run`, where Ctrl-C came before it could begin."""
    failure = _interrupted()
    _tell(failure, Screen.of_process(), "--json" in arguments)
    return failure.exit


def _without_output() -> int:
    if sys.stderr is not None:
        sys.stderr.write("Error: standard output is closed; there is nowhere to write the answer\n")
    return Exit.BUG


def _answered(arguments: Sequence[str], screen: Screen) -> int:
    result = _result(arguments, screen)
    if not isinstance(result, tuple):  # help and version are written already; Typer turns Ctrl-C into its code
        if result == Exit.INTERRUPTED:
            raise _interrupted()
        return int(result or 0)
    from gpuprobe.command.reply import Stream

    options: Options = result[0]
    reply: Reply | Stream = result[1]
    try:
        _show(options, reply, screen)
    except KeyboardInterrupt:
        if isinstance(reply, Stream):
            return Exit.INTERRUPTED  # the one way to end it, and nothing is missing from what was written
        raise
    except BrokenPipeError:  # the reader has seen enough: `gpuprobe | head -1`
        _let_go(screen.out)
    except OSError as problem:
        raise _unwritable(problem, screen) from problem
    except Damaged as problem:
        raise Failure(Trouble.DAMAGED, str(problem), _AGAIN, Exit.BUG) from problem
    except Exception as problem:
        raise _bug(problem, arguments, screen) from problem
    if isinstance(reply, Stream):
        return Exit.ANSWERED
    return reply.exit if reply.launch is None else _launched(reply.launch, screen)


def _launched(order: Launch, screen: Screen) -> int:
    from gpuprobe.command.launching import NotLaunched, launch

    try:
        return launch(order)
    except NotLaunched as problem:
        from gpuprobe.strings import printable

        screen.complain(printable(f"Error: {problem}"))
        return problem.code


def _result(arguments: Sequence[str], screen: Screen) -> Any:
    try:
        line = plain_lines.read(arguments)
        return _read_by_typer(arguments, screen) if line is None else line.answer(screen)
    except SystemExit as leaving:  # Typer's way out when the reader of its help has gone
        return leaving.code
    except KeyboardInterrupt as interrupt:
        raise _interrupted() from interrupt
    except Failure:
        raise
    except WrongUsage as wrong:
        raise Failure(Trouble.WRONG_USAGE, wrong.message, wrong.hint, Exit.USAGE) from wrong
    except Unwritable as problem:
        raise Failure(Trouble.UNWRITABLE, str(problem), _ROOM, Exit.BUG) from problem
    except Damaged as problem:
        raise Failure(Trouble.DAMAGED, str(problem), _AGAIN, Exit.BUG) from problem
    except OSError as problem:
        # Typer writes help and version itself, and the rest of a run opens nothing without looking at what came of it.
        raise (_unwritable(problem, screen) if problem.errno in _FULL else _bug(problem, arguments, screen)) from problem
    except Exception as problem:
        raise _bug(problem, arguments, screen) from problem


def _read_by_typer(arguments: Sequence[str], screen: Screen) -> Any:
    import typer

    from gpuprobe.command.cli import app
    from gpuprobe.command.usage_errors import explained

    # The base of everything Typer says about wrong usage; Typer itself gives only this one of its kinds a public name.
    usage: type[Exception] = typer.BadParameter.__mro__[1]
    command = typer.main.get_command(app)
    try:
        return command.main(list(arguments), prog_name="gpuprobe", standalone_mode=False, obj=screen)
    except usage as wrong:
        raise Failure(Trouble.WRONG_USAGE, *explained(wrong, command, arguments), Exit.USAGE) from wrong


def _show(options: Options, reply: Reply | Stream, screen: Screen) -> None:
    from gpuprobe.command.reply import Stream

    screen.colour_allowed = not options.no_color
    if isinstance(reply, Stream):
        reply.run(screen)
        return
    if reply.complaint and not options.json:
        screen.complain(reply.complaint)
    if options.json:
        screen.write_document(reply.document())
    elif reply.lines is not None:
        screen.write_exactly(reply.lines)
    else:
        screen.show(reply.text(screen))


_AGAIN = "run it again; if it stays so, install gpuprobe again"
_ROOM = "make room there, or write elsewhere"
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


def _unwritable(problem: OSError, screen: Screen) -> Failure:
    _let_go(screen.out)
    return Failure(Trouble.UNWRITABLE, f"the answer could not be written: {problem.strerror or problem}", _ROOM, Exit.BUG)


def _interrupted() -> Failure:
    return Failure(Trouble.INTERRUPTED, "interrupted before the answer was complete", "run it again", Exit.INTERRUPTED)


def _bug(problem: Exception, arguments: Sequence[str], screen: Screen) -> Failure:
    if {"-v", "--verbose"} & set(arguments):
        from traceback import format_exception

        for line in "".join(format_exception(problem)).splitlines():
            screen.complain(line)
    if _is_of_memory(problem):
        limits = "raise the limit (`ulimit -v`, `ulimit -d`, the container's), or end other programs"
        return Failure(Trouble.NO_MEMORY, "gpuprobe was refused the memory it needs", limits, Exit.BUG)
    said = f"{type(problem).__name__}: {problem}" if str(problem) else type(problem).__name__
    return Failure(Trouble.BUG, f"this is a bug in gpuprobe: {said}", REPORT, Exit.BUG)


# What glibc's loader says of a part of Python that it has no memory for (elf/dl-load.c, dl-reloc.c, dl-minimal.c).
_NO_ROOM = ("failed to map segment", "cannot apply additional memory protection", "cannot allocate memory")


def _is_of_memory(problem: Exception) -> bool:
    if isinstance(problem, ImportError):
        return any(words in str(problem).casefold() for words in _NO_ROOM)
    return isinstance(problem, MemoryError) or (isinstance(problem, OSError) and problem.errno == errno.ENOMEM)


def _tell(failure: Failure, screen: Screen, json: bool) -> None:
    try:
        if json and failure.code != Trouble.UNWRITABLE:
            from gpuprobe.render.document import error_document

            screen.write_document(error_document(failure.code, failure.message, failure.hint, failure.exit))
        else:
            ended = failure.message.endswith((".", "?"))
            screen.complain(f"Error: {failure.message}{' ' if ended else '; '}{failure.hint}")
    except OSError:
        _let_go(screen.out)


def _let_go(stream: TextIO) -> None:
    """What could not be written stays in the stream's buffer: Python would try once more at its end, and complain."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    except OSError:  # where no more files may be open, Python's complaint is what stays
        return
