"""`plan` where a real llama.cpp is installed beside a device: it measures, loads nothing, and its figures are the answer."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from gpuprobe.model import MiB
from tests import ggml_world, made_up_models
from tests.cli.documents import checked
from tests.cli.terminal import piped
from tests.vulkan_world import World, world

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the engine's wheel is Linux's")


@pytest.fixture
def lavapipe(tmp_path: Path) -> World:
    return world(tmp_path).lavapipe()


def a_small_model(folder: Path) -> str:
    return str(made_up_models.dense("llama", 8, 1024, 32000, 16, 4, 64, 4096).write(folder / "small.gguf"))


def planned(folder: Path, on: World, *arguments: str) -> dict[str, Any]:
    """On the software renderer, which llama.cpp takes where it is named."""
    server = ggml_world.given("GPUPROBE_LLAMA_SERVER", "llama-server")
    options = ("--allow-software", "--library", "vulkan", "--lib-dir", str(server))
    variables = {**on.variables, "GGML_VK_VISIBLE_DEVICES": "0"}
    return checked("plan", piped("plan", "--json", a_small_model(folder), *options, *arguments, **variables).out)


@pytest.mark.parametrize("arguments", [("--context", "4096"), (), ("--context", "4096", "--layers", "5")], ids=" ".join)
def test_the_engines_figures_are_the_answer_and_ours_are_beside_them(
    tmp_path: Path, lavapipe: World, arguments: tuple[str, ...]
) -> None:
    document = planned(tmp_path, lavapipe, *arguments)

    assert document["not_measured"] is None
    assert os.path.basename(document["measured_by"]) == "llama-server"
    (device,) = document["devices"]
    assert {device[f"{name}_source"] for name in ("model", "context", "compute")} == {"engine"}
    (difference, _) = document["differences"]
    assert abs(difference["model_bytes"]) <= MiB and abs(difference["context_bytes"]) <= MiB
    assert abs(difference["compute_bytes"]) <= max(5 * MiB, device["compute_bytes"] // 50)


def test_own_asks_no_engine(tmp_path: Path, lavapipe: World) -> None:
    document = planned(tmp_path, lavapipe, "--own")

    assert (document["measured_by"], document["differences"]) == (None, [])
    assert document["devices"][0]["model_source"] == "exact"


def test_a_device_as_it_might_be_is_not_measured(tmp_path: Path, lavapipe: World) -> None:
    assert planned(tmp_path, lavapipe, "--what-if", "Vulkan:0 free=1900MiB")["measured_by"] is None
