"""The recipe for Prometheus: the timer's service writes a file, and the real node-exporter serves it on loopback."""

from __future__ import annotations

import configparser
import os
import shlex
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import engines
from tests.cli.terminal import REPOSITORY

UNITS = REPOSITORY / "docs" / "recipes" / "systemd"
SECONDS = 20.0


def unit(name: str) -> configparser.ConfigParser:
    read = configparser.ConfigParser(interpolation=None, delimiters=("=",), comment_prefixes=("#",))
    read.optionxform = str  # type: ignore[assignment]
    read.read_string((UNITS / name).read_text())
    return read


def started_by_the_timer(folder: Path, machine: Path) -> None:
    """What systemd would do for the service, in another directory and with this machine's program."""
    command = shlex.split(unit("gpuprobe-metrics.service")["Service"]["ExecStart"])
    subprocess.run(command, cwd=folder, env={"PATH": f"{machine}:/usr/bin:/bin"}, check=True, timeout=60)


@pytest.fixture
def exporter(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """The directory that is read, and where the metrics are served."""
    program = engines.of_system("prometheus-node-exporter")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    (folder := tmp_path / "textfiles").mkdir()
    words = ["--collector.disable-defaults", "--collector.textfile", f"--collector.textfile.directory={folder}"]
    with subprocess.Popen(
        [program, *words, f"--web.listen-address=127.0.0.1:{port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            yield folder, f"http://127.0.0.1:{port}/metrics"
        finally:
            process.terminate()


def scraped(address: str) -> list[str]:
    deadline = time.monotonic() + SECONDS
    while True:
        try:
            with urllib.request.urlopen(address, timeout=SECONDS) as answer:
                text: str = answer.read().decode()
                return text.splitlines()
        except urllib.error.URLError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def test_what_the_service_writes_is_scraped_with_the_reason_of_a_card_that_fails(
    exporter: tuple[Path, str], tmp_path: Path
) -> None:
    folder, address = exporter
    started_by_the_timer(folder, engines.a_machine(tmp_path / "bin", engines.an_h100(), "error cuDevicePrimaryCtxRetain 999"))
    lines = scraped(address)
    (usable,) = [line for line in lines if line.startswith("gpuprobe_usable{")]

    assert "node_textfile_scrape_error 0" in lines
    assert 'card="0000:01:00.0"' in usable
    assert 'reason=""' not in usable
    assert usable.endswith(" 0")


def test_a_file_is_replaced_at_once_and_nothing_else_is_left(exporter: tuple[Path, str], tmp_path: Path) -> None:
    folder, address = exporter
    machine = engines.a_machine(tmp_path / "bin", engines.an_h100(0))
    started_by_the_timer(folder, machine)
    engines.a_machine(tmp_path / "bin")
    started_by_the_timer(folder, machine)

    assert [path.name for path in folder.iterdir()] == ["gpuprobe.prom"]
    assert "gpuprobe_usable_gpus 0" in scraped(address)


def test_systemd_takes_the_service_and_its_timer() -> None:
    analyze = engines.of_system("systemd-analyze")
    ran = engines.ran(analyze, "verify", *sorted(UNITS.iterdir()), environ={"PATH": os.environ["PATH"]})

    assert (ran.code, ran.err) == (0, "")


def test_the_service_ends_before_systemd_would_end_it() -> None:
    service = unit("gpuprobe-metrics.service")["Service"]
    words = shlex.split(service["ExecStart"])[2].split()
    deadline = words[words.index("--deadline") + 1]

    assert int(deadline) < int(service["TimeoutStartSec"])
