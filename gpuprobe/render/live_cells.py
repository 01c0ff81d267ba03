"""What the live view of `refresh --watch` says of one device: its cells, and how they are coloured."""

from __future__ import annotations

from gpuprobe.judging.figures import Activity, Figure
from gpuprobe.record_classes import NamedTuple
from gpuprobe.render import wording

DIM = "dim"
_FULL, _NEARLY_FULL = 0.9, 0.7
_HOT, _WARM = 85, 75  # °C: cards slow themselves down from about 83 to 95 on
_UNKNOWN = Activity()


class Row(NamedTuple):
    """The cells of one device. Figures have fixed widths, so that nothing moves when they change."""

    device: str
    name: str
    memory: str
    bar: str
    load: str
    temperature: str
    power: str
    watts: str  # the same without the limit
    clock: str
    history: str  # its label; the line behind it takes what room there is


class Cells(NamedTuple):
    row: Row
    styles: dict[str, str]  # name of a cell → its style; the others have that of none


def cells_of(figure: Figure) -> Cells:
    return Cells(_row(figure), _styles(figure))


def _styles(figure: Figure) -> dict[str, str]:
    plain = DIM if figure.stale else ""
    activity = figure.activity or _UNKNOWN
    return {
        "": plain,
        "device": "bold green",
        "bar": plain or _bar_style(figure),
        "load": plain or _limit_style(activity.utilization, 100 * _NEARLY_FULL, 100 * _FULL),
        "temperature": plain or _limit_style(activity.temperature, _WARM, _HOT),
    }


def _bar_style(figure: Figure) -> str:
    used, total = figure.device.used_memory, figure.device.total_memory
    share = used / total if used is not None and total else 0.0
    return "red" if share >= _FULL else "yellow" if share >= _NEARLY_FULL else "green"


def _limit_style(value: int | None, much: float, most: float) -> str:
    return "" if value is None or value < much else "bold red" if value >= most else "yellow"


def _row(figure: Figure) -> Row:
    device, activity = figure.device, figure.activity or _UNKNOWN
    memory = wording.memory_of(device)
    total = "" if device.total_memory is None else memory.rpartition(" of ")[2]
    return Row(
        device=wording.numbered(device),
        name=wording.name_of(device),
        memory=memory.rjust(2 * len(total) - len(total.partition(" ")[2]) + 3),
        bar=wording.bar_of(device),
        load=_figure(activity.utilization, 3, "%"),
        temperature=_figure(activity.temperature, 3, "°C"),
        power=_power(activity),
        watts=_figure(None if activity.power is None else round(activity.power), 4, "W"),
        clock=_figure(activity.clock, 4, "MHz"),
        history="memory" if activity.utilization is None else "load",
    )


def _figure(value: int | None, digits: int, unit: str) -> str:
    return "-".rjust(digits) if value is None else f"{value} {unit}".rjust(digits + 1 + len(unit))


def _power(activity: Activity) -> str:
    draw, limit = activity.power, activity.power_limit
    if draw is None or limit is None:
        return _figure(None if draw is None else round(draw), 4, "W")
    most = str(round(limit))
    return f"{str(round(draw)).rjust(len(most))} of {most} W"
