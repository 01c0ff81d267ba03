"""Other people's programs that the tests run: those in an environment of Python's that `.ci/run` makes, and those of Debian.

A program that is not there skips the test, and the reason is counted.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.cli.terminal import COMMAND, REPOSITORY, Ran, environment
from tests.doubles import cuda_driver, described, nvml_driver, script

PROGRAMS = "GPUPROBE_ENGINES"  # the `bin` of the environment with Ansible, ClusterShell, Ray and readers of formats
SECONDS = 240.0


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


def a_machine(folder: Path, *cards: str) -> Path:
    """A directory with a `gpuprobe` that sees a machine with these cards of NVIDIA's and no Vulkan driver.

    It is what a recipe finds on its path, whatever environment the engine leaves it.
    """
    folder.mkdir(exist_ok=True)
    libraries = f"{cuda_driver().parent}:{nvml_driver().parent}"
    known = environment(LD_LIBRARY_PATH=libraries, FAKE_CUDA=script(*cards), VK_DRIVER_FILES="/nonexistent")
    exports = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in known.items() if name != "PATH")
    program = folder / "gpuprobe"
    new = program.with_suffix(".new")
    new.write_text(f'#!/bin/sh\n{exports}exec {shlex.join(COMMAND)} "$@"\n')
    new.chmod(0o755)
    new.rename(program)  # an engine may be starting it
    return folder


H100 = "NVIDIA H100 80GB HBM3"


def an_h100(number: int = 0, **more: object) -> str:
    """One of up to nine such cards."""
    uuid = f"GPU-00000000-0000-0000-0000-00000000000{number}"
    known = {"name": H100, "uuid": uuid, "pci": f"0000:0{number + 1}:00.0", "memory": 80 << 30, "free": 70 << 30, "cc": "9.0"}
    return described(**{**known, **more})


def recipe(path: str, into: Path, *changes: tuple[str, str]) -> Path:
    """A copy of a file of `docs/recipes`, with what an administrator would change in it for this site."""
    source = REPOSITORY / "docs" / "recipes" / path
    text = source.read_text()
    for before, after in changes:
        assert before in text, f"{source} has no {before}"
        text = text.replace(before, after)
    target = into / source.name
    target.write_text(text)
    target.chmod(source.stat().st_mode)
    return target
