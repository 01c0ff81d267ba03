"""Which layers of a model look at a window of the context alone, architecture by architecture (llama.cpp b11434).

Some files say it layer by layer, most say only how wide the window is, and some architectures have a window without a key.
"""

from __future__ import annotations

from typing import NamedTuple

from gpuprobe.planning.hyperparameters import Hyperparameters


class Pattern(NamedTuple):
    """Of `period` layers all but one have the window: the last, or with `dense_first` the first."""

    period: int
    dense_first: bool = False
    window: int | None = None  # where the file names none
    fixed: bool = False  # the file's own width does not count
    needs_key: bool = False  # without the key there is no window at all


PATTERNS = {
    "afmoe": Pattern(period=4, needs_key=True),
    "cohere2": Pattern(period=4),
    "cohere2moe": Pattern(period=4, dense_first=True),
    "exaone-moe": Pattern(period=4, window=128),
    "exaone4": Pattern(period=4, window=4096),
    "gemma-embedding": Pattern(period=6),
    "gemma2": Pattern(period=2, window=4096),
    "gemma3": Pattern(period=6, needs_key=True),
    "gemma3n": Pattern(period=5),
    "gpt-oss": Pattern(period=2),
    "laguna": Pattern(period=4, dense_first=True, needs_key=True),
    "llama4": Pattern(period=4, window=8192, fixed=True),
    "mellum": Pattern(period=4, needs_key=True),
    "modern-bert": Pattern(period=3, dense_first=True, needs_key=True),
    "olmo2": Pattern(period=4, needs_key=True),
    "plamo3": Pattern(period=8, needs_key=True),
    "smallthinker": Pattern(period=4, dense_first=True, window=4096, fixed=True, needs_key=True),
}
# The file says layer by layer which have the window.
LISTED = frozenset(("dots3note", "gemma4", "granite-swa", "lfm2", "maple", "mimo2", "spark2-5", "step35"))

EXAONE4_SMALL = 30  # layers of the model without windows


class Windows(NamedTuple):
    width: int
    windowed: tuple[bool, ...]  # for each layer


def windows(numbers: Hyperparameters) -> Windows:
    width = _width(numbers)
    if not width:
        return Windows(0, (False,) * numbers.layers_in_all)
    listed = numbers.value("attention.sliding_window_pattern")
    if isinstance(listed, tuple):
        return Windows(width, _padded(tuple(bool(item) for item in listed), numbers))
    pattern = PATTERNS[numbers.architecture]
    period = numbers.number("attention.sliding_window_pattern", pattern.period)
    return Windows(width, _padded(tuple(_has(layer, period, pattern) for layer in range(numbers.layers)), numbers))


def _width(numbers: Hyperparameters) -> int:
    """Tokens that a window sees; 0 where no layer has one."""
    name, width = numbers.architecture, numbers.number("attention.sliding_window")
    if name in LISTED:
        return width if isinstance(numbers.value("attention.sliding_window_pattern"), tuple) else 0
    pattern = PATTERNS.get(name)
    without = name == "exaone4" and numbers.layers == EXAONE4_SMALL
    without |= name == "llama4" and numbers.value("attention.sliding_window") == 0
    if pattern is None or without or (pattern.needs_key and not width):
        return 0
    return pattern.window if pattern.window is not None and (pattern.fixed or not width) else width


def _has(layer: int, period: int, pattern: Pattern) -> bool:
    if not period:
        return True
    return bool(layer % period) if pattern.dense_first else layer % period < period - 1


def _padded(flags: tuple[bool, ...], numbers: Hyperparameters) -> tuple[bool, ...]:
    return (flags + (False,) * numbers.layers_in_all)[: numbers.layers_in_all]
