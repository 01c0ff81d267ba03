"""Other people's programs that the tests run: those in an environment of Python's that `.ci/run` makes, and those of Debian.

A program that is not there skips the test, and the reason is counted.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.cli.terminal import COMMAND, Ran, environment

PROGRAMS = "GPUPROBE_ENGINES"  # the `bin` of the environment with Ansible, ClusterShell, Ray and readers of formats
SECONDS = 90.0


def of_python(name: str) -> Path:
    """A program of that environment."""
    folder = os.environ.get(PROGRAMS)
    path = Path(folder, name) if folder else None
    return path if path and path.exists() else pytest.skip(f"{PROGRAMS} names no directory with {name}")


def of_system(name: str) -> Path:
    """A program that a package of the distribution brings, as a root's path finds it."""
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    return Path(found) if found else pytest.skip(f"`{name}` is not installed")


def with_gpuprobe(**more: str) -> dict[str, str]:
    """An environment in which `gpuprobe` is found by its name, as after an install."""
    plain = environment()
    return {**plain, "PATH": f"{Path(COMMAND[0]).parent}:{plain['PATH']}", **more}


def ran(*command: str | Path, environ: Mapping[str, str], cwd: Path | str = "/", seconds: float = SECONDS) -> Ran:
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env=dict(environ),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=seconds,
        check=False,
    )
    return Ran(done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"), done.returncode)
