"""What `plan` says of a model's memory is what llama.cpp said when it was asked; `tests/test_plan_truth.py` asks it again."""

from __future__ import annotations

from pathlib import Path

import pytest

from gpuprobe.modelfile.gguf import read
from gpuprobe.planning.placement import Planner
from tests import engine_rows
from tests.made_up_models import MODELS
from tests.plan_truth import Row, compared, recorded_cases

RECORDED = engine_rows.read()


def rows_of(name: str, folder: Path) -> list[Row]:
    planner = Planner(read(MODELS[name]().write(folder / "model.gguf")))
    known = RECORDED[name]
    return [
        row
        for case, asked in recorded_cases(name).items()
        if case in known
        for row in compared(planner, case, asked, known[case])
    ]


@pytest.mark.parametrize("name", MODELS)
def test_a_model_takes_what_the_engine_said_to_the_mebibyte(name: str, tmp_path: Path) -> None:
    found = [str(row) for row in rows_of(name, tmp_path) if row.unlike]

    assert not found, "\n".join(found)


def test_what_is_recorded_is_compared_and_little_was_refused() -> None:
    """The engine has no quantised cache for DeepSeek's compressed vectors of 576."""
    cases = {(name, case) for name in MODELS for case in recorded_cases(name)}
    recorded = {(name, case) for name, rows in RECORDED.items() for case in rows}

    assert not recorded - cases
    assert {name for name, _ in cases - recorded} <= {"deepseek2-lite", "deepseek3-small"}
