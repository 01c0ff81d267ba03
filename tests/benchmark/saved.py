"""The rows about what is known already: `env` from the saved discovery, and one reading of a watch beside one `refresh`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from tests.benchmark.nvidia_doubles import nvidia
from tests.benchmark.table import Line, Unmeasured, milliseconds, ratio, times
from tests.benchmark.workplace import Workplace, interleaved

ENV_BAR = 1.4  # times do-nothing
READINGS = Path(__file__).with_name("readings.py")


def env(workplace: Workplace) -> Iterator[Line]:
    environment = _discovered(workplace)
    commands = (workplace.gpuprobe("env"), workplace.do_nothing())
    ours, nothing = interleaved(workplace.here, [(argv, environment) for argv in commands], workplace.runs)
    if "CUDA_VISIBLE_DEVICES" not in ours[0].out:
        raise Unmeasured(f"`env` did not answer: {ours[0].out}")
    remark = f"do-nothing; {milliseconds(median(run.seconds for run in ours))}; no child is started"
    yield times("env, saved", ratio(ours, nothing), ENV_BAR, remark)


def reading(workplace: Workplace) -> Iterator[Line]:
    """The second and all later readings of a watch, its document included, beside whole commands."""
    environment = _discovered(workplace)
    commands = (workplace.gpuprobe("refresh", "--json"), [sys.executable, str(READINGS)])
    whole, watched = interleaved(workplace.here, [(argv, environment) for argv in commands], workplace.runs)
    if any(device["stale"] for device in whole[0].document["devices"]):
        raise Unmeasured("`refresh` could not measure the double")
    seconds = median(median(run.document) for run in watched)
    figure = seconds / median(run.seconds for run in whole)
    remark = f"`refresh --json` ({milliseconds(median(run.seconds for run in whole))}); {seconds * 1000:.1f} ms, 8 cards"
    yield Line("one --watch reading", f"{figure:.3f} x", remark=remark)


def _discovered(workplace: Workplace) -> dict[str, str]:
    """An environment of eight cards in which `list` has saved what it found."""
    cache = workplace.directory / "cache"
    cache.mkdir(exist_ok=True)
    environment = workplace.environment(**nvidia(cards=8), XDG_CACHE_HOME=str(cache), OLLAMA_VULKAN="0")
    if workplace.here.run(workplace.gpuprobe("list"), environment).code or not (cache / "gpuprobe" / "discovery.json").exists():
        raise Unmeasured("`list` saved no discovery")
    return environment
