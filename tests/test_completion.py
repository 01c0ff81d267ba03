"""What one TAB does in a real bash, zsh and fish; PowerShell's script is read by its grammar only."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import pytest
import typer

from gpuprobe.command import command_tree
from gpuprobe.command.cli import app
from gpuprobe.render.completions import SCRIPTS
from gpuprobe.render.grammar import Command, Help, Option, Program
from gpuprobe.saved.proposals import text, where_it_holds
from tests.interactive import PROMPT, Shell, running
from tests.records import a_device
from tests.vulkan_world import missing

BOOT = Path("/proc/sys/kernel/random/boot_id")
BASH_COMPLETION = Path("/usr/share/bash-completion/bash_completion")


@cache
def program() -> Program:
    return command_tree.program(typer.main.get_command(app))


class Home(NamedTuple):
    """A user's home directory, and the folder of a test in which two captures lie."""

    path: Path
    script: str

    @property
    def script_file(self) -> Path:
        return self.written(".script", self.script)

    def written(self, name: str, text: str) -> Path:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path


def bash_by_eval(home: Home) -> list[str]:
    rc = home.written(".bashrc", f"PS1='{PROMPT}'\neval \"$(cat '{home.script_file}')\"\n")
    return ["bash", "--rcfile", str(rc), "-i"]


def bash_by_a_file(home: Home) -> list[str]:
    """bash-completion looks for the file at the first TAB."""
    if not BASH_COMPLETION.exists():
        missing("`bash-completion`")
    home.written(".local/share/bash-completion/completions/gpuprobe", home.script)
    rc = home.written(".bashrc", f"PS1='{PROMPT}'\n. {BASH_COMPLETION}\n")
    return ["bash", "--rcfile", str(rc), "-i"]


def zsh_by_eval(home: Home) -> list[str]:
    """Without a `compinit` of the user's."""
    home.written(".zshrc", f"PROMPT='{PROMPT}'\neval \"$(cat '{home.script_file}')\"\n")
    return ["zsh", "-d", "-i"]


def zsh_by_a_file(home: Home) -> list[str]:
    folder = home.written("functions/_gpuprobe", home.script).parent
    home.written(".zshrc", f"PROMPT='{PROMPT}'\nfpath=('{folder}' $fpath)\nautoload -Uz compinit\ncompinit -u\n")
    return ["zsh", "-d", "-i"]


def fish_by_source(home: Home) -> list[str]:
    return _fish(home, f"source '{home.script_file}'\n")


def fish_by_a_file(home: Home) -> list[str]:
    home.written(".config/fish/completions/gpuprobe.fish", home.script)
    return _fish(home, "")


def _fish(home: Home, more: str) -> list[str]:
    plain = "set -g fish_greeting\nset -g fish_autosuggestion_enabled 0\n"
    home.written(".config/fish/config.fish", f"{plain}function fish_prompt; echo -n '{PROMPT}'; end\n{more}")
    return ["fish", "-i"]


WAYS: tuple[Callable[[Home], list[str]], ...] = (
    bash_by_eval, bash_by_a_file, zsh_by_eval, zsh_by_a_file, fish_by_source, fish_by_a_file,
)  # fmt: skip
EACH_SHELL = (bash_by_eval, zsh_by_a_file, fish_by_a_file)


@contextmanager
def started(way: Callable[[Home], list[str]], folder: Path, told: Program | None = None) -> Iterator[Shell]:
    """A shell with the script of `told`, and with a `gpuprobe` on its path that must not be started."""
    shell = way.__name__.partition("_")[0]
    if shutil.which(shell) is None:
        missing(f"`{shell}`")
    home = Home(folder / "home", SCRIPTS[shell].write(told or program()))
    stub = home.written("bin/gpuprobe", f"#!/bin/sh\n: > '{folder}/was started'\n")
    stub.chmod(0o755)
    for name in ("machine.json", "my capture.json"):
        (folder / name).write_text("{}")
    environ = {"PATH": f"{stub.parent}:/usr/bin:/bin", "HOME": str(home.path), "TERM": "xterm", "LANG": "C.UTF-8"}
    with running(way(home), environ, folder) as running_shell:
        yield running_shell
    assert not (folder / "was started").exists()


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_the_first_tab_completes(tmp_path: Path, way: Callable[[Home], list[str]]) -> None:
    with started(way, tmp_path) as shell:
        assert shell.completed("gpuprobe val") == "gpuprobe validate "


COMPLETED = {
    "a command behind options": ("gpuprobe --from machine.json -q vali", "gpuprobe --from machine.json -q validate "),
    "an option of the default": ("gpuprobe --allow", "gpuprobe --allow-software "),
    "an option of a command": ("gpuprobe validate CUDA:0 --stri", "gpuprobe validate CUDA:0 --strict "),
    "no option of another command": ("gpuprobe validate --sor", "gpuprobe validate --sor"),
    "no option behind the end of options": ("gpuprobe validate -- --stri", "gpuprobe validate -- --stri"),
    "an accepted word": ("gpuprobe list --sort f", "gpuprobe list --sort free "),
    "an accepted word behind =": ("gpuprobe list --sort=f", "gpuprobe list --sort=free "),
    "a shell": ("gpuprobe completion po", "gpuprobe completion powershell "),
    "nothing where one is enough": ("gpuprobe completion bash po", "gpuprobe completion bash po"),
    "a file": ("gpuprobe list --from mach", "gpuprobe list --from machine.json "),
    "a file behind =": ("gpuprobe list --from=mach", "gpuprobe list --from=machine.json "),
    "a file with a blank": ("gpuprobe capture my", "gpuprobe capture my\\ capture.json "),
    "no file for a number": ("gpuprobe list --timeout mach", "gpuprobe list --timeout mach"),
    "no file for a device": ("gpuprobe env mach", "gpuprobe env mach"),
    "a library of devices": ("gpuprobe validate Vul", "gpuprobe validate Vulkan "),
    "a library in another case": ("gpuprobe env --timeout 5 vul", "gpuprobe env --timeout 5 Vulkan "),
    "a second device": ("gpuprobe flash-attn CUDA:0 vul", "gpuprobe flash-attn CUDA:0 Vulkan "),
    "no second device where one is enough": ("gpuprobe list CUDA:0 vul", "gpuprobe list CUDA:0 vul"),
    "nothing behind a colon": ("gpuprobe env CUDA:", "gpuprobe env CUDA:"),
    "a build": ("gpuprobe validate --build sys", "gpuprobe validate --build system "),
}


@pytest.mark.parametrize("way", EACH_SHELL, ids=lambda way: way.__name__)
@pytest.mark.parametrize(("typed", "line"), COMPLETED.values(), ids=COMPLETED)
def test_what_can_be_typed_is_completed(tmp_path: Path, way: Callable[[Home], list[str]], typed: str, line: str) -> None:
    with started(way, tmp_path) as shell:
        assert shell.completed(typed) == line


A = "GPU-00000000-0000-0000-0000-00000000000a"


def saved(folder: Path, *lines: str) -> Path:
    """The file of proposals in the home directory of `started`, as for this start of the machine and this container."""
    place = folder / "home" / ".cache" / "gpuprobe" / "devices"
    place.parent.mkdir(parents=True)
    place.write_text("".join(f"{line}\n" for line in (where_it_holds(), *lines)))
    return place


def proposals(folder: Path) -> Path:
    """What gpuprobe itself writes for two cards."""
    place = saved(folder)
    devices = (
        a_device("CUDA", uuid=A, pci_id="0000:01:00.0", ordinal=0, name="RTX 4090"),
        a_device("Level Zero", uuid=None, pci_id="0000:03:00.0", ordinal=0, name="Arc\x1b[31m $(touch bad) 'A770'"),
    )
    place.write_bytes(text(devices))
    return place


SAVED = {
    "an id": ("gpuprobe env GPU-0", f"gpuprobe env {A} "),
    "an id in another case": ("gpuprobe list gpu-0", f"gpuprobe list {A} "),
    "a number behind a colon": ("gpuprobe validate CUDA:", "gpuprobe validate CUDA:0 "),
    "an address": ("gpuprobe flash-attn 0000:03", "gpuprobe flash-attn 0000:03:00.0 "),
    "an address to its last digit": ("gpuprobe flash-attn 0000:01:00.", "gpuprobe flash-attn 0000:01:00.0 "),
    "a library of two words": ("gpuprobe env Level-Zero:", "gpuprobe env Level-Zero:0 "),
    "the libraries all the same": ("gpuprobe env vul", "gpuprobe env Vulkan "),
    "no device for another argument": ("gpuprobe completion GPU", "gpuprobe completion GPU"),
    "an option behind the interval that may be left out": ("gpuprobe refresh --watch --js", "gpuprobe refresh --watch --json "),
}


@pytest.mark.skipif(not BOOT.exists(), reason="this system has no name for a start of the machine")
@pytest.mark.parametrize("way", EACH_SHELL, ids=lambda way: way.__name__)
@pytest.mark.parametrize(("typed", "line"), SAVED.values(), ids=SAVED)
def test_devices_of_the_saved_discovery_are_proposed(
    tmp_path: Path, way: Callable[[Home], list[str]], typed: str, line: str
) -> None:
    proposals(tmp_path)

    with started(way, tmp_path) as shell:
        assert shell.completed(typed) == line


def of_another_account(place: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    os.chown(place, 4242, 4242)


def a_link(place: Path) -> None:
    place.rename(place.with_name("elsewhere"))
    place.symlink_to(place.with_name("elsewhere"))


def other_first_line(place: int) -> str:
    """As it is here, with another word in that place."""
    words = where_it_holds().split(" ")
    words[place] += "x"
    return " ".join(words) + "\n"


def a_directory(place: Path) -> None:
    place.unlink()
    place.mkdir()


FOREIGN: dict[str, Callable[[Path], object]] = {
    "missing": lambda place: place.unlink(),
    "another account's": of_another_account,
    "a link": a_link,
    "a directory": a_directory,
    "empty": lambda place: place.write_text(""),
    "of another start of the machine": lambda place: place.write_text(other_first_line(0) + f"{A}\tRTX 4090\n"),
    "of another container": lambda place: place.write_text(other_first_line(-1) + f"{A}\tRTX 4090\n"),
    "of no container": lambda place: place.write_text(f"{BOOT.read_text()}{A}\tRTX 4090\n"),
    "rubbish": lambda place: place.write_bytes(where_it_holds().encode() + b"\n\xff\x00\nGPU-$(touch bad)\nGPU-`x`\n\n\t\n"),
}


@pytest.mark.skipif(not BOOT.exists(), reason="this system has no name for a start of the machine")
@pytest.mark.parametrize("way", EACH_SHELL, ids=lambda way: way.__name__)
@pytest.mark.parametrize("spoil", FOREIGN.values(), ids=FOREIGN)
def test_a_missing_or_foreign_file_proposes_nothing_and_says_nothing(
    tmp_path: Path, way: Callable[[Home], list[str]], spoil: Callable[[Path], object]
) -> None:
    spoil(proposals(tmp_path))

    with started(way, tmp_path) as shell:
        assert shell.completed("gpuprobe env GPU-") == "gpuprobe env GPU-"
        assert [line for line in shell.lines if line] == [f"{PROMPT}gpuprobe env GPU-@"]
    assert not (tmp_path / "bad").exists()


@pytest.mark.parametrize("way", EACH_SHELL, ids=lambda way: way.__name__)
@pytest.mark.parametrize("typed", ["gpuprobe list --library cuda,vul", "gpuprobe --library=cuda,vul"])
def test_libraries_are_completed_behind_a_comma(tmp_path: Path, way: Callable[[Home], list[str]], typed: str) -> None:
    with started(way, tmp_path) as shell:
        assert shell.completed(typed).rstrip(" ,") == f"{typed}kan"


@pytest.mark.parametrize("way", EACH_SHELL, ids=lambda way: way.__name__)
def test_all_commands_are_listed_and_no_hidden_one(tmp_path: Path, way: Callable[[Home], list[str]]) -> None:
    names = [command.name for command in program().commands]

    with started(way, tmp_path) as shell:
        shell.press("gpuprobe \t\t")
        screen = shell.wait(lambda screen: all(name in screen for name in names))

    assert "runner" not in screen


@pytest.mark.parametrize("way", [zsh_by_a_file, fish_by_a_file], ids=lambda way: way.__name__)
def test_what_is_listed_is_explained_with_the_words_of_the_help(tmp_path: Path, way: Callable[[Home], list[str]]) -> None:
    """Quotes, brackets, colons and backquotes among them."""
    awkward = 'It\'s [the] `--all`: 100% \\ of "it" $HOME.'
    options = (Option(("--all",), awkward), Option(("--none",), "Nothing."))
    told = Program("gpuprobe", Help(""), (), (Command("list", Help("Lists."), options),), "list")

    with started(way, tmp_path, told) as shell:
        shell.press("gpuprobe list --\t\t")
        shell.wait(lambda screen: awkward in screen)


def handing_over() -> Program:
    """The program with an `env` that runs what stands behind `--`."""
    commands = (command._replace(runs_another=True) if command.name == "env" else command for command in program().commands)
    return program()._replace(commands=tuple(commands))


@pytest.mark.parametrize("way", [bash_by_eval, bash_by_a_file, zsh_by_a_file, fish_by_a_file], ids=lambda way: way.__name__)
@pytest.mark.parametrize(
    ("typed", "line"),
    [
        ("gpuprobe env CUDA:0 -- cat mach", "gpuprobe env CUDA:0 -- cat machine.json "),
        ("gpuprobe env --lib-dir hom", "gpuprobe env --lib-dir home/"),
        ("gpuprobe env --lib-dir mach", "gpuprobe env --lib-dir mach"),
    ],
)
def test_what_stands_behind_a_double_dash_is_completed_as_a_command_line(
    tmp_path: Path, way: Callable[[Home], list[str]], typed: str, line: str
) -> None:
    with started(way, tmp_path, handing_over()) as shell:
        assert shell.completed(typed).rstrip("@") == line


def test_the_script_of_powershell_is_one_by_its_grammar() -> None:
    """No PowerShell ran it: where a TAB leads there has not been tried."""
    if find_spec("tree_sitter_powershell") is None:
        missing("`tree-sitter-powershell`")
    import tree_sitter
    import tree_sitter_powershell

    parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_powershell.language()))
    script = SCRIPTS["powershell"].write(program())

    assert not parser.parse(script.encode()).root_node.has_error
    assert parser.parse(script.replace("@{ Name = '", "@{ Name = ", 1).encode()).root_node.has_error


def test_an_option_takes_a_value_in_every_command_or_in_none() -> None:
    """The scripts skip the word behind an option before they know the command."""
    switches = {name for level in program().levels for each in level.options if not each.metavar for name in each.names}

    assert not switches & set(program().with_a_value)
