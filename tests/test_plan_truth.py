"""What `plan` says of a model's memory is what llama.cpp itself would allocate, device for device.

The models are made up, forty kilobytes each; the engine is the real one, in the wheel that `.ci/run` unpacks.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests import engine_rows, ggml_world
from tests.engine_truth import Engine, engine
from tests.made_up_models import MODELS
from tests.plan_truth import CASES, MEMORY, WHOLE, Row, cases, rows

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the engine's wheel is Linux's")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    directory = ggml_world.given("GPUPROBE_LLAMA_SERVER", "llama-server")
    with engine(directory, tmp_path_factory.mktemp("engine"), MEMORY) as found:
        yield found


# Asked of every model here; tests/unit/test_engine_rows.py compares all else with what the engine said when it was recorded.
FEW = ("half", "half, no flash attention", "cache on the host")


@pytest.fixture(scope="module")
def said(running: Engine, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], list[Row]]:
    """What the engine says of a model beside what we say; each is asked about once."""
    folder = tmp_path_factory.mktemp("models")

    @functools.cache
    def ask(name: str) -> list[Row]:
        path = MODELS[name]().write(folder / f"{name}.gguf")
        asked = cases(name) if name in WHOLE else {case: CASES[case] for case in FEW}
        return [row for case in asked for row in rows(running, path, case, asked[case])]

    return ask


@pytest.mark.parametrize("name", MODELS)
def test_a_model_takes_what_the_engine_says(name: str, said: Callable[[str], list[Row]]) -> None:
    off = [row for row in said(name) if row.faults]

    assert not off, "\n".join(str(row) for row in off)


@pytest.mark.parametrize("name", MODELS)
def test_what_is_recorded_is_what_the_engine_says(name: str, said: Callable[[str], list[Row]]) -> None:
    recorded = engine_rows.read()[name]

    stale = [str(row) for row in said(name) if recorded[row.case].get(row.device) != row.truth]

    assert not stale, "\n".join(["`python -m tests.plan_truth --record` writes it anew", *stale])


def test_the_models_are_of_many_architectures() -> None:
    architectures = {model().architecture for model in MODELS.values()}

    assert len(MODELS) >= 20
    assert len(architectures) >= 12


def test_a_model_that_people_run_takes_what_the_engine_says(running: Engine) -> None:
    """Gemma 3 with 270 million weights: windows, a tied embedding and 262144 words, as it lies on a disk."""
    given = os.environ.get("GPUPROBE_GGUF")
    if not given:
        pytest.skip("GPUPROBE_GGUF names no model")
    path = Path(given)

    off = [row for case, asked in cases(path.name).items() for row in rows(running, path, case, asked) if row.faults]

    assert not off, "\n".join(str(row) for row in off)
