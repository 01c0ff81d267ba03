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
    """Two samples of the same labels would cost the whole file, so the first of them counts. Labels that are the same only
    as they are written, because what tells them apart was cut off, are written with a check sum in its place."""
    lines: dict[str, Sample] = {}
    for sample in metric.samples:
        labels = _labels(sample.labels)
        if labels in lines and lines[labels].labels != sample.labels:
            labels = _labels(sample.labels, told_apart=True)
        lines.setdefault(labels, sample)
    samples = "".join(f"{metric.name}{labels} {_number(sample.value)}\n" for labels, sample in lines.items())
    return f"# HELP {metric.name} {metric.help}\n# TYPE {metric.name} gauge\n{samples}"


def _labels(labels: Mapping[str, str], *, told_apart: bool = False) -> str:
    shortened = _with_check_sum if told_apart else _cut
    pairs = ",".join(f'{name}="{_value(shortened(text))}"' for name, text in labels.items())
    return f"{{{pairs}}}" if pairs else ""


def _value(text: str) -> str:
    r"""What a driver said, on one line; `\`, `"` and line breaks are all that the form itself escapes."""
    return printable(text).replace("\\", "\\\\").replace('"', '\\"')


def _cut(text: str) -> str:
    return text[:LONGEST_VALUE]


def _with_check_sum(text: str) -> str:
    if len(text) <= LONGEST_VALUE:
        return text
    import zlib

    return f"{text[: LONGEST_VALUE - 9]}~{zlib.crc32(text.encode('utf-8', 'surrogatepass')):08x}"


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else repr(value)
