"""The row about a capture of a driver that prints: what its noise adds to a capture that is redacted and written."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

from tests.benchmark.nvidia_doubles import nvidia
from tests.benchmark.table import Line, milliseconds, ratio, times
from tests.benchmark.workplace import Workplace, interleaved

NOISE = 1 << 20  # bytes on each of two streams
NOISE_BAR = 1.2  # times a capture without


def noise(workplace: Workplace) -> Iterator[Line]:
    command = [*workplace.gpuprobe("capture"), "-"]
    environments = [workplace.environment(**nvidia(*lines)) for lines in ((f"print cuInit {NOISE}",), ())]
    loud, silent = interleaved(workplace.here, [(command, each) for each in environments], workplace.runs)
    seconds = f"{milliseconds(median(run.seconds for run in loud))} and {milliseconds(median(run.seconds for run in silent))}"
    yield times("capture, 1 MiB of noise", ratio(loud, silent), NOISE_BAR, f"without; {seconds}")
