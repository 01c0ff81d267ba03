"""Which processes the arguments of `running` mean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from gpuprobe.exits import WrongUsage

if TYPE_CHECKING:
    from gpuprobe.machine.process_records import Table


class Wanted(NamedTuple):
    numbers: tuple[int, ...] = ()
    units: tuple[str, ...] = ()

    @property
    def is_all(self) -> bool:
        return not self.numbers and not self.units


def read(texts: Sequence[str]) -> Wanted:
    """WrongUsage for what can be neither a process number nor a unit."""
    import re

    from gpuprobe.survey.process_status import number_of

    numbers, units = [], []
    for text in texts:
        number = number_of(text)
        if number is not None:
            numbers.append(number)
        elif re.fullmatch(r"[A-Za-z:_][\w.@:\\-]{0,254}", text, re.ASCII):
            units.append(text)
        else:
            raise WrongUsage(
                f"`running {text}`: it takes process numbers and units of systemd", "as in `gpuprobe running 4242`"
            )
    return Wanted(tuple(dict.fromkeys(numbers)), tuple(dict.fromkeys(units)))


def chosen(wanted: Wanted, table: Table) -> tuple[int, ...]:
    """The processes that are meant; WrongUsage where one is not there. One that ended meanwhile is no wrong usage."""
    from gpuprobe.running_now import numbers_of_unit

    if table.missing:
        raise WrongUsage(f"there is no process {table.missing[0]} here{_where(table)}", _there(table))
    found = list(wanted.numbers)
    for unit in wanted.units:
        of_unit = numbers_of_unit(unit, table)
        if not of_unit:
            raise WrongUsage(
                f"no process that computes belongs to a unit `{unit}`",
                f"`systemctl status {unit}` says whether it runs; `gpuprobe running` shows what computes here",
            )
        found += of_unit
    return tuple(dict.fromkeys(found))


def _where(table: Table) -> str:
    return " (only those of this container are seen)" if table.namespace else ""


def _there(table: Table) -> str:
    known = ", ".join(f"{each.number} ({each.name})" for each in table.found[:6])
    return f"there is {known}" if known else "`gpuprobe running` shows what there is"
