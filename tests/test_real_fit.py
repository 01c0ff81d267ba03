"""Layers per device and context are what the real llama.cpp's own fit chooses, on cards of equal and of unequal size.

The cards are servers on loopback that answer as cards do; the engine is ended before it loads anything.
"""

from __future__ import annotations

import itertools
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gpuprobe.model import MiB
from gpuprobe.planning.engine_log import END, Choice, choice_of
from gpuprobe.planning.engines.engine_records import Wish
from tests import engine_fits, ggml_world
from tests.engine_fits import MODELS, assert_the_same, ours
from tests.engine_truth import Engine, engine

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the engine's wheel is Linux's")

MACHINES = [(24576, 24576), (24576,), (24576, 12288), (8192, 8192), (6144, 16384, 4096), (12288,)]
LIMIT = 60.0
RECORDED = engine_fits.read()


@pytest.fixture(scope="module")
def directory() -> Path:
    return ggml_world.given("GPUPROBE_LLAMA_SERVER", "llama-server")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return {name: make(tmp_path_factory.mktemp("model")) for name, make in MODELS.items()}


def engines_own(running: Engine, model: str, *arguments: str) -> Choice:
    """What llama-server's fit says it has chosen."""
    socket = Path(model).with_suffix(".sock")
    command = [str(running.directory / "llama-server"), "--host", str(socket), "--no-warmup", "-lv", "4", "-np", "1"]
    command += ["-m", model, "--rpc", ",".join(f"127.0.0.1:{port}" for port in running.ports), *arguments]
    deadline = time.monotonic() + LIMIT
    with subprocess.Popen(
        command, cwd=running.directory, env=running.environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            assert process.stdout is not None
            return choice_of(
                [*itertools.takewhile(lambda line: END not in line and time.monotonic() < deadline, process.stdout)]
            )
        finally:
            process.kill()
            socket.unlink(missing_ok=True)


@pytest.mark.parametrize("sizes", MACHINES, ids=str)
def test_context_and_layers_are_the_engines_own_choice(
    sizes: tuple[int, ...], directory: Path, files: dict[str, str], tmp_path: Path
) -> None:
    with engine(directory, tmp_path, sizes) as running:
        for name, trained in (("8B", 131072), ("70B", 131072), ("30B of experts", 32768)):
            choice = engines_own(running, files[name])

            assert choice == RECORDED[sizes, name, ""]
            assert_the_same(ours(files[name], sizes, Wish()), choice, trained)


@pytest.mark.parametrize("arguments", [given for given in engine_fits.WISHES if given])
def test_what_the_user_has_set_is_left_alone_by_both(
    arguments: str, directory: Path, files: dict[str, str], tmp_path: Path
) -> None:
    wish = engine_fits.WISHES[arguments]
    sizes = (12288, 6144)
    with engine(directory, tmp_path, sizes) as running:
        for name, trained in (("70B", 131072), ("30B of experts", 32768)):
            choice = engines_own(running, files[name], *arguments.split())

            assert choice == RECORDED[sizes, name, arguments]
            assert_the_same(ours(files[name], sizes, wish), choice, wish.context or trained)


def test_the_command_that_is_to_be_pasted_takes_what_was_planned(
    directory: Path, files: dict[str, str], tmp_path: Path
) -> None:
    """With experts on the host by patterns that were joined: what the engine measures of it is what stands in the plan."""
    sizes = (8192, 8192)
    answer = ours(files["30B of experts"], sizes, Wish())
    assert answer.placement is not None and "-ot" in answer.command
    with engine(directory, tmp_path, sizes) as running:
        # A card's buffers are called as the card is; those of a server by its address.
        words = [word.replace("=CUDA1", f"=RPC0[127.0.0.1:{running.ports[1]}]") for word in answer.command[3:]]
        rows = running.asked(Path(files["30B of experts"]), len(sizes), *words)

    for place in answer.placement.devices:
        taken = rows[place.selector.replace("CUDA:", "RPC")]
        assert abs((place.model.bytes or 0) // MiB - taken.model) <= 1
        assert abs((place.context.bytes or 0) // MiB - taken.context) <= 1
        assert abs((place.compute.bytes or 0) // MiB - taken.compute) <= max(5, taken.compute // 50)
