"""The option `--watch` of `refresh`, whose value may be left out."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from gpuprobe.command.options import WATCH, WATCH_SECONDS

Watch = Annotated[
    str | None,
    typer.Option(WATCH, metavar="[SECONDS]", help="Again every 2 seconds, or as given; `q` or Ctrl-C ends it."),
]


class WatchCommand(TyperCommand):
    """What follows the option is its value only where it is no option itself. Typer knows no such thing."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        given: list[str] = []
        for place, word in enumerate(args):
            given.append(word)
            if word == WATCH and (place + 1 == len(args) or args[place + 1].startswith("-")):
                given.append(WATCH_SECONDS)
        return super().parse_args(ctx, given)
