"""The options that only `doctor` has."""

from __future__ import annotations

from typing import Annotated

import typer

Programs = Annotated[
    list[str] | None,
    typer.Option("--for", metavar="PROGRAM", help="First whether this program computes on a GPU, such as ollama or torch."),
]
As = Annotated[
    str | None,
    typer.Option("--as", metavar="WHO", help="As this process (PID), service (`ollama.service`) or account sees it."),
]
Log = Annotated[
    str | None,
    typer.Option("--log", metavar="FILE", help="Explain where a server's log went to the CPU; `-` is standard input."),
]
Explain = Annotated[str | None, typer.Option("--explain", metavar="ID", help="What a cause is, and where that is known from.")]
Only = Annotated[
    list[str] | None,
    typer.Option("--only", metavar="ID", help="Only these causes, by id, or by a letter from A (hardware) to I (programs)."),
]
Skip = Annotated[list[str] | None, typer.Option("--skip", metavar="ID", help="Leave these causes out, named as for --only.")]
FailOn = Annotated[
    str | None,
    typer.Option("--fail-on", metavar="blocker|degraded", help="Exit with 4 from this severity on; without it, `blocker`."),
]
Markdown = Annotated[bool, typer.Option("--markdown", help="For a forum or an issue.")]
