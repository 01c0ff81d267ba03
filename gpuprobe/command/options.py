"""The options as they were given: records alone, so that a line that is plain needs no Typer."""

from __future__ import annotations

from gpuprobe.record_classes import NamedTuple
from gpuprobe.render.screen import Screen

WATCH, WATCH_SECONDS = "--watch", "2"  # the option whose value may be left out, and what it is then


class Options(NamedTuple):
    """What every command is given beside its own options."""

    screen: Screen
    json: bool = False
    source: str | None = None
    library: tuple[str, ...] = ()
    lib_dir: tuple[str, ...] = ()
    software: tuple[str, ...] = ()
    timeout: str | None = None
    deadline: str | None = None
    allow_software: bool = False
    no_wake: bool = False
    no_color: bool = False
    verbose: bool = False
    quiet: bool = False
    command: tuple[str, ...] | None = None  # what stands behind `--`, where a command takes that


class DoctorOptions(NamedTuple):
    """What `doctor` is given besides."""

    programs: tuple[str, ...] = ()
    who: str | None = None
    log: str | None = None
    explain: str | None = None
    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    fail_on: str | None = None
    markdown: bool = False
