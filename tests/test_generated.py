"""The manual page and the completion scripts are what the program would write, and they say everything it knows."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from gpuprobe import __version__, manual
from gpuprobe.command import command_tree
from gpuprobe.command.cli import app
from gpuprobe.environment import PLACE, VARIABLES
from gpuprobe.exits import Exit
from gpuprobe.render.completions import SCRIPTS
from gpuprobe.render.grammar import Command, Help, Program
from gpuprobe.render.roff import ORDINARY, page
from tests.cli.documents import checked
from tests.cli.terminal import piped
from tests.vulkan_world import missing

REPOSITORY = Path(__file__).parents[1]
PAGE = REPOSITORY / "man" / "gpuprobe.1"


@pytest.fixture(scope="module")
def program() -> Program:
    return command_tree.program(typer.main.get_command(app))


def output_of(*command: str) -> str:
    """What a reader of manual pages says on both streams; the test is skipped where it is not installed."""
    if shutil.which(command[0]) is None:
        missing(f"`{command[0]}`")
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60, check=False)
    return done.stdout.decode()


def plain(page: Path) -> str:
    """The page as a terminal of 80 columns shows it, without overstriking and line breaks."""
    lines = output_of("mandoc", "-T", "ascii", str(page)).splitlines()
    text = " ".join(line.strip() for line in lines)
    return "".join(text[i] for i in range(len(text)) if text[i] != "\b" and text[i + 1 : i + 2] != "\b")


def test_the_generated_files_are_what_the_program_would_write() -> None:
    assert "".join(manual.drift(REPOSITORY)) == ""


def test_they_are_the_same_bytes_whatever_the_machine_says_of_itself(tmp_path: Path) -> None:
    odd = {"COLUMNS": "31", "LANG": "C", "TZ": "Asia/Tokyo", "HOME": str(tmp_path), "PATH": "", "SHELL": "/bin/fish"}
    done = subprocess.run(
        [sys.executable, "-m", "gpuprobe.manual", "check"],
        env={**odd, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_check_shows_the_difference_and_the_command_that_mends_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "pyproject.toml").touch()
    assert manual.main(["write"], tmp_path) == 0
    page = tmp_path / "man" / "gpuprobe.1"
    page.write_text(page.read_text().replace('.SH "EXIT STATUS"\n', '.SH "EXITS"\n'))
    (tmp_path / "completions" / "_gpuprobe").unlink()

    code = manual.main(["check"], tmp_path)

    shown = capsys.readouterr()
    assert code == 1
    assert '-.SH "EXITS"\n+.SH "EXIT STATUS"\n' in shown.out
    assert "+++ completions/_gpuprobe as it should be" in shown.out
    assert "`python -m gpuprobe.manual write`" in shown.err
    assert manual.main(["write"], tmp_path) == manual.main(["check"], tmp_path) == 0


@pytest.mark.parametrize("arguments", [[], ["look"], ["write", "check"]])
def test_anything_but_write_and_check_is_wrong_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert manual.main(arguments) == Exit.USAGE
    assert "for example `python -m gpuprobe.manual check`" in capsys.readouterr().err


def test_nothing_is_written_beside_an_installed_package(tmp_path: Path) -> None:
    assert manual.main(["write"], tmp_path) == Exit.USAGE
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("shell", SCRIPTS)
def test_completion_prints_the_text_of_the_file(shell: str) -> None:
    ran = piped("completion", shell)

    assert ran.out == (REPOSITORY / "completions" / SCRIPTS[shell].file).read_text()
    assert (ran.code, ran.err) == (0, "")
    document = checked("completion", piped("completion", shell, "--json").out)
    assert (document["shell"], document["script"]) == (shell, ran.out)


def test_a_shell_without_a_script_is_answered_with_those_that_have_one() -> None:
    ran = piped("completion", "tcsh")

    assert (ran.code, ran.out) == (2, "")
    assert (
        "`completion tcsh`: there are scripts for bash, zsh, fish, powershell; for example `gpuprobe completion bash`"
        in ran.err
    )


def test_every_command_says_when_one_would_use_it_and_shows_itself_in_an_example(program: Program) -> None:
    for command in program.commands:
        assert any("Use it " in paragraph for paragraph in command.help.paragraphs), command.name
        assert any(f"gpuprobe {command.name}" in example.line for example in command.help.examples), command.name


def test_every_option_and_argument_has_a_sentence_of_help(program: Program) -> None:
    summaries = [each.summary for level in program.levels for each in level.options]
    summaries += [each.summary for level in program.levels for each in level.arguments]

    assert all(summary.endswith(".") for summary in summaries)


def test_the_manual_page_names_every_command_option_exit_code_and_variable(program: Program) -> None:
    shown = plain(PAGE)

    for level in program.levels:
        assert f" {level.name} " in shown
        for option in level.options:
            assert ", ".join(option.names) in shown
        for example in level.help.examples:
            assert example.line in shown
    for code in Exit:
        assert f" {code.value} {code.meaning[0].upper()}" in " ".join(shown.split())
    for variable in VARIABLES:
        if variable.kind == PLACE or variable.name in ORDINARY:
            continue
        assert f" {variable.name} " in shown or f" {variable.name}, " in shown
    assert f"gpuprobe {__version__}" in shown


def test_the_manual_page_is_read_without_a_warning() -> None:
    assert output_of("mandoc", "-T", "lint", "-W", "warning", str(PAGE)) == ""
    assert output_of("groff", "-man", "-ww", "-z", "-Tutf8", str(PAGE)) == ""


def test_text_of_every_kind_reaches_the_reader_of_the_page_as_it_is(tmp_path: Path) -> None:
    awkward = """'quoted' .config .TH "double" -- --all \\fB\\n ~/.bashrc ^ $HOME % 100"""
    told = Program("gpuprobe", Help("Lists.", (awkward, f"{awkward} `code`")), (), (Command("list", Help("L.")),), "list")
    path = tmp_path / "page.1"

    path.write_text(page(told, (), "1.0", "2026-01-01"))

    assert plain(path).count(awkward) == 2
    assert output_of("groff", "-man", "-ww", "-z", "-Tutf8", str(path)) == ""
