"""One target under atheris, in a process of its own, which atheris ends; `python -m tests.fuzz` starts it.

`python -m tests.fuzz.one_run TARGET ROOM,ROOM [libFuzzer's options]`: the rooms are watched, from before they are imported.
What is only asked afterwards runs as fast as it does.
"""

from __future__ import annotations

import pkgutil
import sys
from importlib import import_module
from random import Random

import atheris

_ROOMS = [f"gpuprobe.{room}" for room in sys.argv[2].split(",")]

# Modules that only functions import are imported here, since later they would not be watched.
with atheris.instrument_imports(include=_ROOMS):
    for _module in pkgutil.walk_packages(import_module("gpuprobe").__path__, "gpuprobe."):
        if any(_module.name == room or _module.name.startswith(f"{room}.") for room in _ROOMS):
            import_module(_module.name)

from tests.fuzz.changing import changed  # noqa: E402
from tests.fuzz.target import MOST_SECONDS, Target, timed  # noqa: E402
from tests.fuzz.targets import TARGETS  # noqa: E402

_SLOWER = 3.0  # what is instrumented takes at most so many times as long


def _started(target: Target, arguments: list[str]) -> None:
    def one_input(content: bytes) -> None:
        timed(target, content, MOST_SECONDS * _SLOWER)

    def one_change(content: bytes, most: int, seed: int) -> bytes:
        random = Random(seed)
        if random.randrange(3):
            return changed(content, random)[:most]
        return bytes(atheris.Mutate(content, most))

    more = {"custom_mutator": one_change} if target.json else {}
    atheris.Setup([sys.argv[0], *arguments], one_input, **more)
    atheris.Fuzz()


if __name__ == "__main__":
    _started(TARGETS[sys.argv[1]], sys.argv[3:])
