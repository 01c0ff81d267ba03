"""The text form of Prometheus (version 0.0.4), as node-exporter's text file collector reads it: no time, each metric once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from gpuprobe.strings import printable

LONGEST_VALUE = 256


class Sample(NamedTuple):
    labels: Mapping[str, str]
    value: float


class Metric(NamedTuple):
    name: str
    help: str
    samples: tuple[Sample, ...]


def written(metrics: Iterable[Metric]) -> str:
    """Nothing is written of a metric without a sample."""
    return "".join(_metric(metric) for metric in metrics if metric.samples)


def _metric(metric: Metric) -> str:
    """Two samples of the same labels would cost the whole file, so the first of them counts."""
    lines: dict[str, float] = {}
    for sample in metric.samples:
        lines.setdefault(_labels(sample.labels), sample.value)
    samples = "".join(f"{metric.name}{labels} {_number(value)}\n" for labels, value in lines.items())
    return f"# HELP {metric.name} {metric.help}\n# TYPE {metric.name} gauge\n{samples}"


def _labels(labels: Mapping[str, str]) -> str:
    pairs = ",".join(f'{name}="{_value(text)}"' for name, text in labels.items())
    return f"{{{pairs}}}" if pairs else ""


def _value(text: str) -> str:
    r"""What a driver said, on one line; `\`, `"` and line breaks are all that the form itself escapes."""
    return printable(text[:LONGEST_VALUE]).replace("\\", "\\\\").replace('"', '\\"')


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else repr(value)
