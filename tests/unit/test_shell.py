"""Lines for a POSIX shell, checked by the real one."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpuprobe.render.shell import quoted, sh

ANY_VALUE = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)))


def read_by_sh(lines: str, variable: str, folder: Path | str = "/", **environ: str) -> str:
    script = f'{lines}printf "%s." "${{{variable}-unset}}"'
    done = subprocess.run(
        ["sh", "-c", script], cwd=folder, env={"PATH": "/usr/bin:/bin", **environ}, capture_output=True, check=True
    )
    assert done.stderr == b""
    return done.stdout.decode("utf-8", "surrogateescape")[:-1]


@pytest.mark.parametrize(
    "value",
    [
        "",
        "0,1",
        '"; touch x; echo "',
        "'; touch x; '",
        "$(touch x)",
        "`touch x`",
        "${IFS}x",
        "a\nb\n",
        "\\",
        "\\'",
        "!!",
        "~",
        "*",
        "-n",
        " leading and trailing ",
        "\x1b[31m",
        "'" * 9,
        "显卡",
    ],
)
def test_a_value_reaches_the_shell_as_it_is_and_runs_nothing(value: str, tmp_path: Path) -> None:
    assert read_by_sh(sh({"X_VISIBLE": value}), "X_VISIBLE", tmp_path) == value
    assert list(tmp_path.iterdir()) == []


@given(st.lists(ANY_VALUE, min_size=1, max_size=30))
def test_any_text_is_one_word_of_the_shell(values: list[str]) -> None:
    script = "".join(f"printf '%s\\0' {quoted(value)}\n" for value in values)

    done = subprocess.run(["sh", "-c", script], capture_output=True, check=True)

    assert done.stdout.decode().split("\0")[:-1] == values


def test_none_unsets_what_was_set() -> None:
    assert read_by_sh(sh({"X_VISIBLE": None}), "X_VISIBLE", X_VISIBLE="left over") == "unset"


def test_every_variable_is_a_line_of_its_own() -> None:
    assert sh({"A": "1", "B": None}) == "export A='1'\nunset B\n"


def test_no_variables_are_no_lines() -> None:
    assert sh({}) == ""


@pytest.mark.parametrize("name", ["", "A B", "A=1", "A;touch x", "1A", "Ä", "A\n"])
def test_what_is_no_name_of_a_variable_is_never_written(name: str) -> None:
    with pytest.raises(ValueError, match="is not the name of a variable"):
        sh({name: "1"})


def test_a_value_that_no_environment_can_hold_is_refused() -> None:
    with pytest.raises(ValueError, match="NUL"):
        sh({"A": "a\0b"})
