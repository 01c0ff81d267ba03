"""What `plan` says of a model's memory is what llama.cpp itself would allocate, device for device.

The models are made up, forty kilobytes each; the engine is the real one, in the wheel that `.ci/run` unpacks.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import ggml_world
from tests.engine_truth import Engine, engine
from tests.made_up_models import MODELS
from tests.plan_truth import MEMORY, cases, rows

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the engine's wheel is Linux's")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    directory = ggml_world.given("GPUPROBE_LLAMA_SERVER", "llama-server")
    with engine(directory, tmp_path_factory.mktemp("engine"), MEMORY) as found:
        yield found


WHOLE = {
    "llama-8b",
    "qwen3moe-30b",
    "gemma3-4b",
    "gpt-oss-20b",
    "deepseek3-small",
    "jamba-mini",
    "qwen3next-small",
    "glm4moe-small",
}


@pytest.mark.parametrize("name", MODELS)
def test_a_model_takes_what_the_engine_says(name: str, running: Engine, tmp_path: Path) -> None:
    path = MODELS[name]().write(tmp_path / "model.gguf")

    off = [
        row
        for case, asked in cases(name, brief=name not in WHOLE).items()
        for row in rows(running, path, case, asked)
        if row.faults
    ]

    assert not off, "\n".join(str(row) for row in off)


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
