"""`gpuprobe running` beside real servers: llama.cpp's own, with a real small model, on a device and on none.

The device is lavapipe, which counts as a GPU only where software is allowed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests import ggml_world
from tests.cli.documents import checked
from tests.cli.terminal import Ran, piped
from tests.doubles import DRIVERS, compile_double
from tests.servers import free_port
from tests.vulkan_world import world

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the engine's wheel is Linux's")

LOADED = "llama threadpool init"
LIMIT = 120.0
ON_LAVAPIPE = {"GGML_VK_VISIBLE_DEVICES": "0"}


@pytest.fixture(scope="module")
def directory() -> Path:
    return ggml_world.given("GPUPROBE_LLAMA_SERVER", "llama-server")


@pytest.fixture(scope="module")
def model() -> Path:
    return ggml_world.given("GPUPROBE_GGUF", "a model in GGUF")


class Server:
    def __init__(self, process: subprocess.Popen[bytes], log: Path, variables: dict[str, str]) -> None:
        self.process, self.log, self._variables = process, log, variables

    @property
    def number(self) -> int:
        return self.process.pid

    def looked_at(self, *arguments: str) -> Ran:
        return piped("running", *arguments, **self._variables)

    def judged(self, *arguments: str) -> Any:
        ran = self.looked_at("--json", str(self.number), *arguments)
        (found,) = checked("running", ran.out)["processes"]
        return {**found, "code": ran.code}


@contextmanager
def server(
    place: Path,
    directory: Path,
    model: Path,
    *arguments: str,
    variables: Mapping[str, str] = ON_LAVAPIPE,
    waits: bool = True,
    said: bool = True,
) -> Iterator[Server]:
    """A llama-server that has loaded the model; `said`: its log names layers and buffers, as `-lv 4` makes it."""
    place.mkdir()
    lavapipe = world(place).lavapipe().environment()
    stays = compile_double(DRIVERS / "stays_loaded.c", place / "stays", "stays_loaded.so")
    command = [
        str(directory / "llama-server"),
        "-m",
        str(model),
        "-c",
        "256",
        "--host",
        "127.0.0.1",
        "--port",
        str(free_port()),
    ]
    command += ["--no-warmup", "-np", "1", *(["-lv", "4"] if said else []), *arguments]
    own = {"LD_LIBRARY_PATH": str(directory), "LD_PRELOAD": str(stays), "PATH": os.environ["PATH"], **lavapipe, **variables}
    log = place / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(command, cwd=directory, env=own, stdout=out, stderr=out, stdin=subprocess.DEVNULL)
    try:
        if waits:
            _wait_until_loaded(process, log)
        yield Server(process, log, lavapipe)
    finally:
        process.kill()
        process.wait(30)


def _wait_until_loaded(process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + LIMIT
    while LOADED not in log.read_text(errors="replace"):
        assert process.poll() is None and time.monotonic() < end, log.read_text(errors="replace")[-2000:]
        time.sleep(0.05)


def test_all_layers_on_a_device_that_was_allowed(tmp_path: Path, directory: Path, model: Path) -> None:
    with server(tmp_path / "a", directory, model, "-ngl", "99") as one:
        found = one.judged("--allow-software")

        assert (found["verdict"], found["code"]) == ("on_the_gpu", 0)
        assert found["layers"]["on_devices"] == found["layers"]["of"] > 0
        assert {each["library"] for each in found["libraries"]} == {"Vulkan"}
        assert found["model"] == {"name": str(model), "file_bytes": model.stat().st_size}
        assert any(each["on_device"] and each["kind"] == "weights" for each in found["buffers"])
        assert any(each["source"] == "interface" for each in found["evidence"])


def test_a_renderer_on_the_cpu_is_no_gpu_although_the_engine_calls_it_one(tmp_path: Path, directory: Path, model: Path) -> None:
    with server(tmp_path / "a", directory, model, "-ngl", "99") as one:
        found = one.judged()

        assert (found["verdict"], found["code"]) == ("on_the_cpu_rightly", 5)
        assert "what its log calls a GPU is `llvmpipe" in found["because"]


def test_some_layers_and_none_and_two_servers_at_once(tmp_path: Path, directory: Path, model: Path) -> None:
    with (
        server(tmp_path / "a", directory, model, "-ngl", "5") as some,
        server(tmp_path / "b", directory, model, "-ngl", "0") as none,
    ):
        partly, cpu = some.judged("--allow-software"), none.judged("--allow-software")
        both = some.looked_at("--allow-software").out

        assert (partly["verdict"], partly["layers"]["on_devices"]) == ("partly", 5)
        assert (cpu["verdict"], cpu["cause"]) == ("on_the_cpu_although_a_gpu_is_usable", "asked_for_the_cpu")
        assert "`-ngl 0`" in cpu["because"]
        assert str(some.number) in both and str(none.number) in both


def test_an_environment_that_hides_the_device_is_the_reason_though_the_log_speaks_of_layers_on_a_gpu(
    tmp_path: Path, directory: Path, model: Path
) -> None:
    with server(tmp_path / "a", directory, model, "-ngl", "5", variables={"GGML_VK_VISIBLE_DEVICES": "-1"}) as one:
        found = one.judged("--allow-software")

        assert "offloaded 5/" in one.log.read_text(errors="replace")
        assert found["verdict"] == "on_the_cpu_although_a_gpu_is_usable"
        assert found["cause"] == "hidden_by_its_environment"
        assert found["layers"]["on_devices"] == 0
        assert "`GGML_VK_VISIBLE_DEVICES=-1`" in found["because"]


def without_vulkan(directory: Path, place: Path) -> Path:
    """The same build with nothing in the place of the backend that it is linked with: a name as long as that one's."""
    vulkan, nothing = b"libggml-vulkan.so.0", b"libggml-absent.so.0"
    shutil.copytree(directory, place, ignore=shutil.ignore_patterns("libggml-vulkan*"))
    for path in place.iterdir():
        content = path.read_bytes()
        if vulkan in content:
            path.write_bytes(content.replace(vulkan, nothing))
    compile_double(DRIVERS / "no_vulkan_backend.c", place, nothing.decode(), soname=nothing.decode())
    (place / "llama-server").chmod(0o755)
    return place


def test_a_build_without_any_gpu_backend_is_named_also_where_its_log_says_nothing(
    tmp_path: Path, directory: Path, model: Path
) -> None:
    bare = without_vulkan(directory, tmp_path / "bin")
    with server(tmp_path / "a", bare, model, "-ngl", "99", variables={}, said=False) as one:
        found = one.judged("--allow-software")

        assert (found["verdict"], found["cause"]) == ("on_the_cpu_although_a_gpu_is_usable", "no_build")
        assert "its build of ggml has nothing for a GPU" in found["because"]


def test_one_that_ends_while_it_is_looked_at_is_said_to_have_ended(tmp_path: Path, directory: Path, model: Path) -> None:
    with server(tmp_path / "a", directory, model, "-ngl", "0", waits=False) as one:
        one.process.kill()  # a zombie from here on: it has a number, and is none any more
        ran = one.looked_at(str(one.number))

        assert ran.code == 6
        assert ran.out.splitlines()[0] == f"process {one.number} ended while it was looked at"
