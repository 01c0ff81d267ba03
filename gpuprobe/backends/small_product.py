"""The product that a library of them is proved with: of small whole numbers, which every arithmetic keeps exactly (TF32 and
bfloat16, too), in matrices that are stored column by column."""

from __future__ import annotations

from array import array

from gpuprobe.backends.comparing import fresh

SIDE = 64


def matrix() -> array[float]:
    return array("f", [float(byte & 15) for byte in fresh(SIDE * SIDE)])


def product(left: array[float], right: array[float]) -> array[float]:
    rows = [left[row::SIDE] for row in range(SIDE)]
    columns = [right[column * SIDE : (column + 1) * SIDE] for column in range(SIDE)]
    return array("f", [sum(map(float.__mul__, row, column)) for column in columns for row in rows])
