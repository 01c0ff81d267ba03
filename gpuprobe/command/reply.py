"""What a command hands back to be written: the records alone, so that help and version need nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from gpuprobe.record_classes import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from rich.console import RenderableType

    from gpuprobe.exits import Exit
    from gpuprobe.render.screen import Screen

    Json = dict[str, Any]


class Reply(NamedTuple):
    """What a command leaves to be shown: `document` with --json, else `lines` as they are, else `text`."""

    exit: Exit
    document: Callable[[], Json]
    text: Callable[[Screen], Iterable[RenderableType]]
    lines: str | None = None
    complaint: str | None = None  # one line on standard error, without --json
    launch: Launch | None = None  # what the process becomes where nothing was wrong


class Stream(NamedTuple):
    """An answer without an end: `run` writes it until Ctrl-C, or until nobody reads it."""

    run: Callable[[Screen], None]


class Launch(NamedTuple):
    """A program to run in this process's environment with these changes; None: unset."""

    command: tuple[str, ...]
    variables: tuple[tuple[str, str | None], ...]
