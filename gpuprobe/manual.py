"""`python -m gpuprobe.manual write|check`: manual page, completion scripts and JSON schemas, written from the program itself.

`check` shows what differs between the files of a checkout and what the program would write now.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from difflib import unified_diff
from pathlib import Path

import typer

from gpuprobe import __version__
from gpuprobe.command import command_tree
from gpuprobe.command.cli import app
from gpuprobe.environment import VARIABLES
from gpuprobe.exits import Exit
from gpuprobe.render.completions import SCRIPTS
from gpuprobe.render.roff import page
from gpuprobe.schemas import composed

# A page carries the day of its version, not the day it is rendered on: the same bytes everywhere.
RELEASED = {"0.1.0": "2026-11-21"}

CHECKOUT = Path(__file__).parents[1]
MEND = "python -m gpuprobe.manual write"
USAGE = "Error: it takes `write` or `check`, in a checkout of gpuprobe; for example `python -m gpuprobe.manual check`\n"


def generated() -> dict[str, str]:
    """Path within a checkout → text of each file that is written by the program."""
    program = command_tree.program(typer.main.get_command(app))
    scripts = {f"completions/{script.file}": script.write(program) for script in SCRIPTS.values()}
    schemas = {f"gpuprobe/schemas/{file}": text for file, text in composed().items()}
    return {"man/gpuprobe.1": page(program, VARIABLES, __version__, RELEASED[__version__]), **scripts, **schemas}


def drift(checkout: Path) -> Iterator[str]:
    """Lines of a diff from what the files hold to what they should hold; nothing where they agree."""
    for name, text in generated().items():
        path = checkout / name
        there = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.exists() else []
        yield from unified_diff(there, text.splitlines(keepends=True), name, f"{name} as it should be")


def write(checkout: Path) -> None:
    for name, text in generated().items():
        path = checkout / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")


def main(arguments: Sequence[str], checkout: Path = CHECKOUT) -> int:
    """Returns the exit code: 1 where `check` finds a difference."""
    if list(arguments) not in (["write"], ["check"]) or not (checkout / "pyproject.toml").exists():
        sys.stderr.write(USAGE)
        return Exit.USAGE
    if arguments[0] == "write":
        write(checkout)
        return Exit.ANSWERED
    differences = list(drift(checkout))
    sys.stdout.writelines(differences)
    if differences:
        sys.stderr.write(f"Error: the generated files are not what the program would write; mend them with `{MEND}`\n")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
