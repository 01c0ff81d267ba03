"""The recipe for Ray, by the real Ray: a cluster of three nodes on this host, a task on each, and the lines as a fleet."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import engines
from tests.cli.terminal import REPOSITORY, environment, piped

# A node's processes inherit its environment, and so the `gpuprobe` of their machine.
_CLUSTER = """
import os, subprocess, sys
from ray.cluster_utils import Cluster
folder, recipe = sys.argv[1:]
cluster, path = None, os.environ["PATH"]
for name in ("n1", "n2", "n3"):
    os.environ["PATH"] = f"{folder}/{name}:{path}"
    options = {"num_cpus": 1, "node_name": name, "include_dashboard": False}
    if cluster is None:
        cluster = Cluster(initialize_head=True, head_node_args=options)
    else:
        cluster.add_node(**options)
cluster.wait_for_nodes()
done = subprocess.run([sys.executable, recipe], env={**os.environ, "RAY_ADDRESS": cluster.address}, stdout=subprocess.PIPE)
cluster.shutdown()
sys.stdout.buffer.write(done.stdout)
sys.exit(done.returncode)
"""


@pytest.fixture(scope="module")
def lines() -> Iterator[str]:
    """What the recipe prints of two nodes with two cards, and of one without gpuprobe."""
    python = engines.of_python("python")
    engines.of_python("ray")
    folder = Path(tempfile.mkdtemp(prefix="r", dir="/tmp"))  # the path of a socket has 107 bytes at most
    try:
        for name in ("n1", "n2"):
            engines.a_machine(folder / name, engines.an_h100(0), engines.an_h100(1))
        recipe = REPOSITORY / "docs" / "recipes" / "ray" / "collect.py"
        quiet = {"HOME": str(folder), "RAY_TMPDIR": str(folder), "RAY_USAGE_STATS_ENABLED": "0", "PATH": "/usr/bin:/bin"}
        ran = engines.ran(python, "-c", _CLUSTER, folder, recipe, environ=environment(**quiet), cwd=folder)
        assert ran.code == 0, ran.err[-3000:]
        yield ran.out
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def answers(lines: str) -> dict[str, dict[str, Any]]:
    rows = [json.loads(line) for line in lines.splitlines() if line.startswith("{")]
    return {row.pop("node"): row for row in rows}


def test_each_node_is_asked_once_and_on_itself(lines: str) -> None:
    found = answers(lines)

    assert sorted(found) == ["n1", "n2", "n3"]
    assert [json.loads(found[name]["stdout"])["summary"]["usable"] for name in ("n1", "n2")] == [2, 2]


def test_a_node_without_gpuprobe_says_so_and_the_others_answer(lines: str) -> None:
    assert answers(lines)["n3"]["returncode"] == 127
    assert "gpuprobe" in answers(lines)["n3"]["stderr"]


def test_the_lines_are_a_fleet_in_which_the_silent_node_is_a_row(lines: str, tmp_path: Path) -> None:
    (tmp_path / "lines").write_text(lines)
    ran = piped("fleet", "--require", "count>=2", str(tmp_path / "lines"))

    assert ran.code == 6
    assert "n[1-2]" in ran.out
    assert "n3" in ran.out
