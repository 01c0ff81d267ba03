"""The recipe for ClusterShell, by the real clush with its worker that runs on this host instead of over ssh."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests import engines
from tests.cli.terminal import Ran, piped


class Site:
    """Four machines, of which each is a directory with a `gpuprobe` of its own; `%h` is how the worker names one."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.clush = folder, engines.of_python("clush")
        self.environ = {"PATH": os.environ["PATH"], "HOME": str(folder), "LANG": "C.UTF-8"}
        for name in ("n1", "n2", "n3", "n4"):
            self.has(name, engines.an_h100(0), engines.an_h100(1))

    def has(self, name: str, *cards: str) -> None:
        engines.a_machine(self.folder / name, *cards)

    def ran(self, *options: str, command: str) -> Ran:
        return engines.ran(
            self.clush,
            "-R",
            "exec",
            "-w",
            "n[1-4]",
            *options,
            f"{self.folder}/%h/{command}",
            environ=self.environ,
            cwd=self.folder,
        )


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_equal_machines_fold_to_one_answer_and_the_odd_one_stands_out(site: Site) -> None:
    site.has("n3", engines.an_h100(0))
    ran = site.ran("-b", command="gpuprobe list --brief")

    assert "n[1-2,4] (3)" in ran.out
    assert "n3\n" in ran.out
    assert ran.out.count("2 of 2 GPUs usable") == 1


def test_the_worst_code_is_clush_s_own_and_the_machine_is_named(site: Site) -> None:
    assert site.ran("-S", command="gpuprobe list --require 'count>=2'").code == 0
    site.has("n3", engines.an_h100(0))
    ran = site.ran("-S", command="gpuprobe list --require 'count>=2'")

    assert ran.code == 5
    assert "clush: n3: exited with exit code 5" in ran.err


def test_the_lines_of_clush_are_a_fleet(site: Site) -> None:
    site.has("n3", engines.an_h100(0))
    ran = site.ran(command="gpuprobe list --json")
    (site.folder / "lines").write_text(ran.out)
    shown = piped("fleet", str(site.folder / "lines")).out

    assert "n[1-2,4]" in shown
    assert "n3" in shown
