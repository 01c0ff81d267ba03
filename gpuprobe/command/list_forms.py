"""The other forms of `list`: `--format` and `--brief`, and what they exclude."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpuprobe.doctor import card_status
from gpuprobe.exits import Exit, WrongUsage
from gpuprobe.model import Inventory
from gpuprobe.render.part import Part

if TYPE_CHECKING:
    from gpuprobe.command.options import Options

FORMATS = ("prometheus", "labels", "csv")


def refuse_contradictions(options: Options, form: str | None, *, brief: bool, device: str | None, everything: bool) -> None:
    if form is not None and form not in FORMATS:
        if form == "json":
            raise WrongUsage("`--format json`: `--json` prints one JSON document", "for example `gpuprobe list --json`")
        raise WrongUsage(f"`--format {form}`: it takes {', '.join(FORMATS)}", "for example `gpuprobe list --format prometheus`")
    given = {
        "--format": form is not None,
        "--brief": brief,
        "--json": options.json,
        "--all": everything,
        "DEVICE": device is not None,
    }
    for one in ("--format", "--brief"):
        other = next((each for each in given if each != one and given[each]), None)
        if given[one] and other:
            raise WrongUsage(f"`{one}` and `{other}` exclude each other: one form is written", "leave one of them out")


def lines(form: str | None, inventory: Inventory, part: Part, text: str, leave_with: Exit, *, required: bool) -> str:
    """The whole answer in this form; None: the brief one."""
    if form == "labels":
        from gpuprobe.render.node_labels import node_labels

        return node_labels(part.card_statuses, part.kept)
    if form == "csv":
        from gpuprobe.render.list_csv import list_csv

        return list_csv(part.card_statuses, part.kept)
    if form == "prometheus":
        from gpuprobe.render.list_metrics import list_metrics

        met = {Exit.ANSWERED: True, Exit.NO: False}.get(leave_with) if required else None
        return list_metrics(part.card_statuses, part.kept, undecided=card_status.undecided(inventory), met=met)
    from gpuprobe.render.brief import brief_text

    return "".join(f"{line}\n" for line in brief_text(text, part.card_statuses, part.kept))
