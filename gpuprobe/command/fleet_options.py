"""The options that only `fleet` has, and what they ask for once they are read."""

from __future__ import annotations

from typing import Annotated, NamedTuple

import typer

from gpuprobe.exits import WrongUsage

FORMATS = ("csv", "prometheus")

Files = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[FILE]...",
        help="A file or a directory of them, as the engine left them; `-` is standard input, also where none is given.",
        show_default=False,
    ),
]
Require = Annotated[
    str | None,
    typer.Option(
        "--require",
        metavar="CLAUSES",
        help="For every machine, as for `list`: exit 5 where one does not meet it, 6 where one gave no answer.",
    ),
]
Expect = Annotated[
    list[str] | None,
    typer.Option(
        "--expect",
        metavar="NODES",
        help="Machines that must be there, for example 'n[01-40],login1': one that left nothing is a row, too.",
    ),
]
GroupBy = Annotated[
    str | None,
    typer.Option(
        "--group",
        metavar="all|machine|gpu|driver|why",
        help="Which machines share a row: those equal in all that is shown, or in this; `machine`: none.",
    ),
]
Sort = Annotated[
    str | None,
    typer.Option("--sort", metavar="machine|usable|driver|why", help="The order of rows: by name, or the worst first."),
]
Format = Annotated[
    str | None, typer.Option("--format", metavar="csv|prometheus", help="Another form: a row or a metric for each machine.")
]


class FleetOptions(NamedTuple):
    """As they were given."""

    require: str | None = None
    expect: tuple[str, ...] = ()
    group: str | None = None
    sort: str | None = None
    format: str | None = None


def one_of(option: str, given: str | None, accepted: tuple[str, ...], default: str) -> str:
    if given is None:
        return default
    if given not in accepted:
        raise WrongUsage(f"`{option} {given}`: it takes {', '.join(accepted)}", f"for example `{option} {accepted[0]}`")
    return given
