"""The options that only `env` has."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperCommand

Shell = Annotated[
    str | None,
    typer.Option(
        "--shell",
        metavar="NAME",
        help="For which shell: sh, bash, zsh, dash, ksh, fish, csh, powershell (pwsh), cmd. Without it, by `$SHELL`.",
    ),
]
Format = Annotated[
    str | None,
    typer.Option("--format", metavar="NAME", help="For a file instead: dotenv, docker (`--env-file`), compose, systemd."),
]
For = Annotated[
    str | None,
    typer.Option(
        "--for",
        metavar="PROGRAM",
        help="What this program reads: ollama, llama.cpp, vllm, torch, ray, slurm, docker, kubernetes.",
    ),
]
Unset = Annotated[
    bool, typer.Option("--unset", help="Undo: unset whatever `env` may have set. What stood there before is not restored.")
]
Required = Annotated[
    bool, typer.Option("--required", help="Only variables without which a library crashes on an unsupported card (ROCm).")
]
Count = Annotated[
    str | None, typer.Option("--count", metavar="N", help="The N devices with most free memory, discrete ones first.")
]
MinFree = Annotated[
    str | None,
    typer.Option(
        "--min-free",
        metavar="SIZE",
        help="Only devices with this much free memory or more: `8GiB`; not where it is unknown.",
    ),
]
Check = Annotated[
    bool, typer.Option("--check", help="Check it: list once more under the variables; exit 4 if other devices are seen.")
]
Fresh = Annotated[bool, typer.Option("--fresh", help="Detect the devices again, also where the saved results fit.")]


class BeforeCommand(TyperCommand):
    """What stands behind the first `--` is a program with its arguments, and no option or argument of ours."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if "--" in args:
            place = args.index("--")
            ctx.meta[COMMAND] = tuple(args[place + 1 :])
            args = args[:place]
        return super().parse_args(ctx, args)

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        return [*super().collect_usage_pieces(ctx), "[-- COMMAND...]"]


COMMAND = "gpuprobe.command"  # key in Typer's own dictionary of one run
