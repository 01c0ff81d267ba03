"""Completion scripts: one per shell, whole, so that a TAB starts no program."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from gpuprobe.render.completions import bash, fish, powershell, zsh
from gpuprobe.render.grammar import Program


class Script(NamedTuple):
    """How the script of one shell is written, and what its file must be called for that shell to find it."""

    write: Callable[[Program], str]
    file: str


SCRIPTS = {
    "bash": Script(bash.script, "gpuprobe.bash"),
    "zsh": Script(zsh.script, "_gpuprobe"),
    "fish": Script(fish.script, "gpuprobe.fish"),
    "powershell": Script(powershell.script, "gpuprobe.ps1"),
}
