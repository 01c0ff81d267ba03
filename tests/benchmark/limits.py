"""The rows about children: what one costs, and how far one that misbehaves is held to its limits."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

from gpuprobe import child as start_of_a_child
from tests.benchmark.nvidia_doubles import nvidia
from tests.benchmark.table import Line, MiB, Unmeasured, mebibytes, milliseconds, ratio, times
from tests.benchmark.workplace import LONGEST_SECONDS, Workplace, interleaved

CHILD_BAR = 2.0  # times `python -I -S -c 'import ctypes, json'`
EIGHT_CARDS_BAR = 2.5  # times one card
WAITING = "sleep cuDevicePrimaryCtxRetain 500"
# One call in each stage of a full validation; timed copies are one card's after the other, and wait in theirs too.
WAITING_CALLS = ("load", "cuInit", "cuDeviceGetCount", "cuDevicePrimaryCtxRetain", "cuMemAlloc_v2@1", "cuMemcpyHtoD_v2")
WAITING_LADDER = [f"sleep {call} 500" for call in (*WAITING_CALLS, "cuLaunchKernel", "cuMemHostAlloc")]
LIMIT_SECONDS = 1.0
HANGS = {"a child that hangs": ["hang cuInit"], "... and has an orphan": ["orphan cuInit", "hang cuInit"]}
EXCESS_BAR = 0.5  # seconds
ORPHAN_BAR = 0.1  # seconds: "delays nothing", and what a busy machine adds
KILLED_BAR = 0.5  # seconds
NOISE = 1 << 29  # bytes on each of two streams
MEMORY_BAR = 40 * MiB

CUDA_ONLY = ("list", "--json", "--library", "cuda")
REQUEST = {"backend": "cuda", "purpose": "list", "candidates": ["libcuda.so.1"], "paths": [], "device": None}


def child(workplace: Workplace) -> Iterator[Line]:
    environment = workplace.environment(**nvidia())
    request = workplace.directory / "request"
    request.write_text(json.dumps(REQUEST) + "\n")
    python = [sys.executable, "-I", "-S"]
    asking = ["/bin/sh", "-c", 'exec "$@" < "$0"', str(request), *python, start_of_a_child.__file__]
    light = ["/bin/sh", "-c", 'exec "$@" < "$0"', str(request), *python, "-c", "import ctypes, json"]
    ours, bare = interleaved(workplace.here, [(asking, environment), (light, environment)], workplace.runs)
    if '"done":true' not in ours[0].out:
        raise Unmeasured(f"the child did not finish: {ours[0].out}")
    cost = f"{milliseconds(median(run.seconds for run in ours))}, {mebibytes(median(run.peak for run in ours))}"
    yield times("a child", ratio(ours, bare), CHILD_BAR, f"python -I -S -c 'import ctypes, json'; {cost}")


def eight_cards(workplace: Workplace) -> Iterator[Line]:
    command = workplace.gpuprobe(*CUDA_ONLY)
    environments = [workplace.environment(**nvidia(WAITING, cards=cards)) for cards in (8, 1)]
    eight, one = interleaved(workplace.here, [(command, each) for each in environments], min(workplace.runs, 7))
    if len(eight[0].document["devices"]) != 8:
        raise Unmeasured("not every card passed its validation")
    remark = f"one card; each waits 500 ms; {milliseconds(median(run.seconds for run in eight))}"
    yield times("8 cards validated", ratio(eight, one), EIGHT_CARDS_BAR, remark)


def eight_cards_proved(workplace: Workplace) -> Iterator[Line]:
    command = workplace.gpuprobe("validate", "--json", "--library", "cuda")
    environments = [workplace.environment(**nvidia(*WAITING_LADDER, cards=cards)) for cards in (8, 1)]
    eight, one = interleaved(workplace.here, [(command, each) for each in environments], min(workplace.runs, 3))
    if [view["depth"] for view in eight[0].document["views"]] != ["bandwidth"] * 8:
        raise Unmeasured("not every card came to the last stage")
    remark = f"one card; each waits 500 ms in each of 8 stages; {milliseconds(median(run.seconds for run in eight))}"
    yield times("8 cards proved", ratio(eight, one), EIGHT_CARDS_BAR, remark)


def hang(workplace: Workplace) -> Iterator[Line]:
    """The excess is the probe's own, in the run that exceeded most."""
    command = workplace.gpuprobe(*CUDA_ONLY, "--timeout", f"{LIMIT_SECONDS:g}")
    for row, misdeeds in HANGS.items():
        (runs,) = interleaved(workplace.here, [(command, workplace.environment(**nvidia(*misdeeds)))], min(workplace.runs, 5))
        late = [probe for run in runs for probe in run.document["probes"] if probe["status"] == "timed_out"]
        excess = max(probe["seconds"] for probe in late) - LIMIT_SECONDS
        yield Line(row, milliseconds(excess), milliseconds(EXCESS_BAR), excess <= EXCESS_BAR, "beyond its limit, at most")


def noise(workplace: Workplace) -> Iterator[Line]:
    command = workplace.gpuprobe(*CUDA_ONLY, "--timeout", str(LONGEST_SECONDS))
    environments = [workplace.environment(**nvidia(*lines)) for lines in ((f"print cuInit {NOISE}",), ())]
    loud, silent = interleaved(workplace.here, [(command, each) for each in environments], 1, watch=True)
    if len(loud[0].document["devices"]) != 1:
        raise Unmeasured("the noise cost the answer")
    peak, usual = (runs[0].own_peak or 0 for runs in (loud, silent))
    remark = f"{mebibytes(peak - usual)} more than without; {loud[0].seconds:.1f} s"
    yield Line("1 GiB of noise", mebibytes(peak), mebibytes(MEMORY_BAR), peak <= MEMORY_BAR, remark)


def orphan(workplace: Workplace) -> Iterator[Line]:
    command = workplace.gpuprobe(*CUDA_ONLY)
    environments = [workplace.environment(**nvidia(*lines)) for lines in (("orphan cuInit",), ())]
    held, free = interleaved(workplace.here, [(command, each) for each in environments], workplace.runs)
    delay = median(one.seconds - other.seconds for one, other in zip(held, free, strict=True))
    bar = milliseconds(ORPHAN_BAR)
    yield Line("an orphan", milliseconds(delay), bar, delay <= ORPHAN_BAR, "longer than without, though it holds the pipes")


def killed(workplace: Workplace) -> Iterator[Line]:
    left = [_until_nothing_is_left(workplace) for _ in range(min(workplace.runs, 5))]
    remark = "until child and orphan were gone, at most"
    yield Line("gpuprobe killed (-9)", milliseconds(max(left)), milliseconds(KILLED_BAR), max(left) <= KILLED_BAR, remark)


def _until_nothing_is_left(workplace: Workplace) -> float:
    """Seconds from the kill until the child that hangs and its orphan in a session of its own are gone."""
    mark = f"BENCHMARK_MARK={secrets.token_hex(8)}"
    name, _, value = mark.partition("=")
    environment = workplace.environment(**nvidia("orphan cuInit", "hang cuInit"), **{name: value})
    command = workplace.gpuprobe(*CUDA_ONLY)
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _wait_until(lambda: _carrying(mark) == 3)  # gpuprobe, its child and the orphan; NVML's child has ended
    process.kill()
    began = time.perf_counter()
    process.wait()
    _wait_until(lambda: _carrying(mark) == 0)
    return time.perf_counter() - began


def _carrying(mark: str) -> int:
    return sum(_carries(name, mark.encode()) for name in os.listdir("/proc") if name.isdigit())


def _carries(process: str, entry: bytes) -> bool:
    try:
        return entry in Path(f"/proc/{process}/environ").read_bytes().split(b"\0")
    except OSError:
        return False


def _wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not condition():
        if time.monotonic() > end:
            raise Unmeasured("the processes did not come or go within 30 s")
        time.sleep(0.002)
