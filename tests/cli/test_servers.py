"""Running servers as the last resort of `refresh`: right figures or stale ones, whatever listens on the port."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.cli.documents import checked
from tests.cli.terminal import piped
from tests.doubles import cuda_driver, described, script
from tests.servers import Runner

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="servers are found through /proc")

A, B = "GPU-00000000-0000-0000-0000-00000000000a", "GPU-00000000-0000-0000-0000-00000000000b"
GIB = 1 << 30


def variables(cache: Path, *lines: str) -> dict[str, str]:
    """A machine with one CUDA card and no witness."""
    card = described(name="NVIDIA GeForce RTX 4090", uuid=A, pci="0000:01:00.0", memory=24 * GIB, free=20 * GIB)
    return {
        "LD_LIBRARY_PATH": str(cuda_driver().parent),
        "FAKE_CUDA": script(card, *lines),
        "XDG_CACHE_HOME": str(cache),
        "OLLAMA_VULKAN": "0",
    }


def entry(**fields: Any) -> dict[str, Any]:
    """One device as a runner of October 2025 reports it."""
    known = {"id": A, "backend": "CUDA", "name": "CUDA0", "description": "NVIDIA GeForce RTX 4090", "pci_id": "0000:01:00.0"}
    return {**known, "total_memory": 24 * GIB, "free_memory": 3 * GIB, "ComputeMajor": 8, "ComputeMinor": 9, **fields}


SILENT = "error cuDevicePrimaryCtxRetain 999"


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    (tmp_path / "cache").mkdir()
    piped("list", **variables(tmp_path / "cache"))
    return tmp_path / "cache"


def refreshed(cache: Path, *arguments: str, lines: tuple[str, ...] = (SILENT,)) -> dict[str, Any]:
    return checked("refresh", piped("refresh", "--json", *arguments, **variables(cache, *lines)).out)


def figure(document: dict[str, Any]) -> tuple[int, str, bool]:
    (device,) = document["devices"]
    return device["free_memory_bytes"] // GIB, device["memory_source"], device["stale"]


OLD = (20, "CUDA", True)


def test_a_server_that_uses_the_card_tells_what_nobody_else_did(cache: Path, tmp_path: Path) -> None:
    with Runner(tmp_path, [entry()]) as runner:
        document = refreshed(cache)

        assert figure(document) == (3, "Ollama", False)
        assert document["servers"] == [
            {"name": "Ollama", "pid": runner.process.pid, "port": runner.port, "answered": True, "because": None}
        ]
        assert runner.requests() == ["GET /info HTTP/1.0"]
        assert f"Ollama's process {runner.process.pid} at port" in piped("refresh", "-v", **variables(cache, SILENT)).out


def test_no_server_is_asked_where_the_libraries_have_told(cache: Path, tmp_path: Path) -> None:
    with Runner(tmp_path, [entry()]) as runner:
        document = refreshed(cache, lines=())

        assert figure(document) == (20, "CUDA", False)
        assert (document["servers"], runner.requests()) == ([], [])


def test_a_server_is_asked_before_time_is_up_where_a_driver_hangs(cache: Path, tmp_path: Path) -> None:
    with Runner(tmp_path, [entry()]):
        assert figure(refreshed(cache, lines=("hang cuInit",))) == (3, "Ollama", False)


ANOTHER = {
    "another card": entry(id=B, pci_id="0000:02:00.0"),
    "another card at this address": entry(id=B),
    "this UUID at another address": entry(pci_id="0000:02:00.0"),
    "another library": entry(backend="Vulkan"),
    "an unknown library": entry(backend="Voodoo"),
    "another size": entry(total_memory=8 * GIB),
    "more free than there is": entry(free_memory=25 * GIB),
    "a number for a name": entry(id="0", pci_id=""),
    "an address of the old form": entry(id="0", pci_id="01:00.0"),
    "less than nothing": entry(free_memory=-1),
    "no number": entry(free_memory=float("nan")),
    "more than any number": entry(free_memory=float("inf"), total_memory=float("inf")),
    "a fraction": entry(free_memory=0.5),
    "a truth": entry(free_memory=True),
    "no size": {key: value for key, value in entry().items() if key != "total_memory"},
    "no figure": {key: value for key, value in entry().items() if key != "free_memory"},
    "a text": "CUDA0",
    "nothing": None,
}


@pytest.mark.parametrize("said", ANOTHER)
def test_what_a_server_says_of_another_device_is_not_taken_for_this_one(cache: Path, tmp_path: Path, said: str) -> None:
    with Runner(tmp_path, [ANOTHER[said]]) as runner:
        assert figure(refreshed(cache)) == OLD
        assert runner.requests() == ["GET /info HTTP/1.0"]


def test_among_several_entries_the_right_one_is_taken(cache: Path, tmp_path: Path) -> None:
    with Runner(tmp_path, [*ANOTHER.values(), entry()]):
        assert figure(refreshed(cache)) == (3, "Ollama", False)


@pytest.mark.parametrize(
    ("answer", "status", "because"),
    [
        ("[", "200 OK", "no answer that can be read"),
        ("[" * 100000, "200 OK", "no answer that can be read"),
        ("{}", "200 OK", "its answer is not a list of devices"),
        ("[]", "404 Not Found", "its version does not report memory"),
        ("[]", "500 Oh no", "it answered with status 500"),
        ("[]", "rubbish", "no answer that can be read"),
        ("[]", "302 Found\r\nLocation: http://127.0.0.1:1/info", "it answered with status 302"),
        ("[]", f"200 OK\r\nContent-Length: {'9' * 40}", "no answer that can be read"),
        ("[]", "200 OK\r\nContent-Length: 1000", "no answer that can be read"),
        ("zz\r\n", "200 OK\r\nTransfer-Encoding: chunked", "no answer that can be read"),
        ("9" * 5000, "200 OK", "no answer that can be read"),
    ],
)
def test_an_answer_that_is_none_leaves_the_old_figure(
    cache: Path, tmp_path: Path, answer: str, status: str, because: str
) -> None:
    with Runner(tmp_path, answer, status=status):
        document = refreshed(cache)

        assert figure(document) == OLD
        assert document["servers"][0]["because"].startswith(because)


@pytest.mark.parametrize("behaviour", ["hang", "drip", "endless", "close"])
def test_a_server_that_misbehaves_costs_neither_time_nor_memory_nor_the_answer(
    cache: Path, tmp_path: Path, behaviour: str
) -> None:
    with Runner(tmp_path, [entry()], behaviour):
        began = time.monotonic()
        document = refreshed(cache, "--deadline", "2")

        assert figure(document) == OLD
        assert document["servers"][0]["answered"] is False
        assert behaviour != "endless" or document["servers"][0]["because"] == "its answer is longer than 1 MiB"
        assert time.monotonic() - began < 15


def test_a_port_that_another_process_listens_on_is_not_asked(cache: Path, tmp_path: Path) -> None:
    with Runner(tmp_path, [entry()], "elsewhere") as runner:
        document = refreshed(cache)

        assert (figure(document), document["servers"], runner.requests()) == (OLD, [], [])


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can start another account's process")
def test_a_process_of_a_foreign_account_is_not_asked(cache: Path, tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    with Runner(tmp_path, [entry()], account=4242) as runner:
        document = refreshed(cache)

        assert (figure(document), document["servers"], runner.requests()) == (OLD, [], [])


def test_no_proxy_is_used(cache: Path, tmp_path: Path) -> None:
    proxy = {"http_proxy": "http://127.0.0.1:1", "HTTP_PROXY": "http://127.0.0.1:1", "ALL_PROXY": "http://127.0.0.1:1"}
    with Runner(tmp_path, [entry()]):
        ran = piped("refresh", "--json", **variables(cache, SILENT), **proxy)

        assert figure(checked("refresh", ran.out)) == (3, "Ollama", False)
