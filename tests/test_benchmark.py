"""The benchmark runs and says what it found. No time is asserted here: that is what its table is read for."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.benchmark.table import Line, drawn, times
from tests.doubles import c_compiler


@pytest.mark.skipif(sys.platform != "linux", reason="the benchmark reads Linux's process accounting")
def test_the_benchmark_prints_a_line_for_each_row_that_was_asked_for() -> None:
    c_compiler()
    command = [sys.executable, "-m", "tests.benchmark", "--quick", "--rows", "version", "child"]

    done = subprocess.run(command, cwd=Path(__file__).parents[1], capture_output=True, text=True, timeout=300, check=False)

    assert done.returncode == 0, done.stderr
    heading, _, table = done.stdout.partition("\n\n")
    assert "3 interleaved runs" in heading
    # Where GPU libraries are installed and nothing may be hidden from a command, this row says so.
    assert re.search(r"^--version +(\d\.\d\d x|not measured) ", table, re.M)
    assert re.search(r"^a child +\d\.\d\d x +2 x +(met|NOT MET) ", table, re.M)


def test_a_figure_above_its_bar_is_not_met_and_one_without_a_bar_is_neither() -> None:
    lines = [times("slow", 1.5, 1.4, "do-nothing"), times("fast", 1.4, 1.4, "do-nothing"), Line("free", "3 ms")]

    heading, slow, fast, free = drawn(lines).splitlines()

    assert heading.split() == ["row", "figure", "bar"]
    assert slow.split() == ["slow", "1.50", "x", "1.4", "x", "NOT", "MET", "do-nothing"]
    assert fast.split() == ["fast", "1.40", "x", "1.4", "x", "met", "do-nothing"]
    assert free.split() == ["free", "3", "ms", "-", "-"]
