"""Lines for shells, read by the real ones where there are any, and by their published rules where not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gpuprobe.render.form import NotCarried, written
from gpuprobe.render.shell import SHELLS, shell_named, shell_of
from tests.shells import SHELLS as REAL
from tests.shells import USES, environment_after

ANY_TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
ONE_LINE = st.text(st.characters(exclude_characters="\0\r\n", exclude_categories=["Cs"]))
CSH_LINES = {name: ONE_LINE if name == "csh" else ANY_TEXT for name in REAL}

# Each example starts a program: a few of many values each, on a machine that may be busy.
SHORT = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])

ATTACKS = [
    "",
    "0,1",
    '"; touch x; echo "',
    "'; touch x; '",
    "$(touch x)",
    "`touch x`",
    "${IFS}x",
    "\\",
    "\\'",
    "\\\\'",
    "'\\",
    "!!",
    "!touch",
    "a!b",
    "~",
    "*",
    "-n",
    "$HOME",
    "%PATH%",
    " leading and  trailing ",
    "\t",
    "\x1b[31m",
    "'" * 9,
    "\u2018; touch x #",
    "显卡😀",
]


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("shell", REAL)
def test_a_value_reaches_a_real_shell_as_it_is_and_runs_nothing(shell: str, use: str, tmp_path: Path) -> None:
    variables = {f"X_{place}": value for place, value in enumerate(ATTACKS)}

    seen = environment_after(shell, written(SHELLS[shell], variables.items()), tmp_path, use)

    assert {name: seen[name] for name in variables} == variables
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("shell", REAL)
@SHORT
@given(data=st.data())
def test_any_text_is_one_value_of_a_real_shell(shell: str, data: st.DataObject) -> None:
    values = data.draw(st.lists(CSH_LINES[shell], min_size=20, max_size=60))
    variables = {f"X_{place}": value for place, value in enumerate(values)}

    seen = environment_after(shell, written(SHELLS[shell], variables.items()))

    assert {name: seen[name] for name in variables} == variables


@pytest.mark.parametrize("shell", [name for name in REAL if name != "csh"])
def test_line_breaks_are_carried_where_a_shell_can(shell: str) -> None:
    assert environment_after(shell, written(SHELLS[shell], {"X": "a\nb\r\n\n"}.items()))["X"] == "a\nb\r\n\n"


@pytest.mark.parametrize("shell", ["sh", "bash", "zsh", "dash", "fish"])
def test_a_path_that_is_not_utf_8_comes_out_as_it_went_in(shell: str) -> None:
    assert (
        environment_after(shell, written(SHELLS[shell], {"X": "/opt/\udcff/icd.json"}.items()))["X"] == "/opt/\udcff/icd.json"
    )


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("shell", REAL)
def test_none_unsets_what_was_set_and_harms_nothing_that_was_not(shell: str, use: str) -> None:
    lines = written(SHELLS[shell], (("X_LEFT", None), ("X_NEVER", None), ("X_SET", "1")))

    seen = environment_after(shell, lines, use=use, X_LEFT="left over")

    assert {name for name in seen if name.startswith("X_")} == {"X_SET"}


def test_zsh_reads_the_lines_with_its_own_kind_of_quotes_switched_on() -> None:
    """`setopt rc_quotes` makes two single quotes inside single quotes one."""
    lines = written(SHELLS["zsh"], {"X": "''a'''b'"}.items())

    assert environment_after("zsh", f"setopt rc_quotes\n{lines}")["X"] == "''a'''b'"


def test_csh_reads_the_lines_with_its_other_kind_of_backslashes_switched_on() -> None:
    lines = written(SHELLS["csh"], {"X": "\\a'b\\\\!c\\"}.items())

    assert environment_after("csh", f"set backslash_quote; {lines}")["X"] == "\\a'b\\\\!c\\"


def test_plain_values_survive_the_old_way_of_evaluating_in_csh() -> None:
    """`eval `…`` splits at blanks and looks for file names, which no UUID and no list of numbers has in it."""
    lines = written(SHELLS["csh"], (("X_A", "GPU-1,GPU-2"), ("X_B", "-1"), ("X_C", None)))

    seen = environment_after("csh", f"{lines.rstrip()} eval `echo {lines.rstrip()!r}`", X_C="left over")

    assert {name: value for name, value in seen.items() if name.startswith("X_")} == {"X_A": "GPU-1,GPU-2", "X_B": "-1"}


@pytest.mark.parametrize(
    ("shell", "lines"),
    [
        ("sh", "export A='1'\nunset B\n"),
        ("fish", "set -gx A '1'\nset -e B\n"),
        ("csh", "setenv A '1'; unsetenv B;\n"),
        ("powershell", "$env:A = '1'\n$env:B = $null\n"),
        ("cmd", 'set "A=1"\nset "B="\n'),
    ],
)
def test_every_variable_is_a_statement_of_its_own(shell: str, lines: str) -> None:
    assert written(SHELLS[shell], (("A", "1"), ("B", None))) == lines


@pytest.mark.parametrize(
    ("value", "word"),
    [
        ("GPU-1,GPU-2", "'GPU-1,GPU-2'"),
        ('$(touch x) `n $env:X "', "'$(touch x) `n $env:X \"'"),
        ("it's", "'it''s'"),
        ("\u2018\u2019\u201a\u201b", "'\u2018\u2018\u2019\u2019\u201a\u201a\u201b\u201b'"),
        ("';touch x;'", "''';touch x;'''"),
    ],
)
def test_powershell_finds_the_quotes_doubled_and_nothing_else_special(value: str, word: str) -> None:
    """about_Quoting_Rules; the typographic quotes are quotes to its tokenizer."""
    assert written(SHELLS["powershell"], {"A": value}.items()) == f"$env:A = {word}\n"


@given(st.lists(ONE_LINE.filter(bool), min_size=1, max_size=40))
def test_powershells_rules_read_any_text_back(values: list[str]) -> None:
    for value in values:
        line = written(SHELLS["powershell"], {"A": value}.items())

        assert read_by_powershells_rules(line) == value


def read_by_powershells_rules(line: str) -> str:
    """A single-quoted string: any quote ends it, unless another follows, which then stands for itself."""
    quotes = "'\u2018\u2019\u201a\u201b"
    rest = line.removeprefix("$env:A = ")
    assert rest[0] in quotes
    read, place = "", 1
    while rest[place] not in quotes or rest[place + 1] in quotes:
        place += rest[place] in quotes
        read += rest[place]
        place += 1
    assert rest[place + 1 :] == "\n"
    return read


@pytest.mark.parametrize("value", ["GPU-1,GPU-2", "-1", r"C:\Program Files (x86)\icd.json", "a&b|c<d>e", "it's;", "\\"])
def test_cmd_gets_the_value_between_the_quotes_of_set(value: str) -> None:
    assert written(SHELLS["cmd"], {"A": value}.items()) == f'set "A={value}"\n'


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_cmd_carries_a_value_as_it_is_or_not_at_all(value: str) -> None:
    """Inside `set "…"` only these are special: the quote, and what is replaced before a line is read."""
    if not value or re.search(r'[%!^"\x00-\x1f\x7f]|[^\x00-\x7f]', value):
        with pytest.raises(NotCarried, match="which cmd cannot carry"):
            written(SHELLS["cmd"], {"A": value}.items())
    else:
        assert written(SHELLS["cmd"], {"A": value}.items()) == f'set "A={value}"\n'


@pytest.mark.parametrize(
    ("shell", "value", "said"),
    [
        ("sh", "a\0b", "the control character 0x00"),
        ("sh", "a\ud800b", "bytes that are not UTF-8"),
        ("csh", "a\nb", "a line break"),
        ("csh", "/\udcff", "bytes that are not UTF-8"),
        ("powershell", "a\nb", "a line break"),
        ("powershell", "", "nothing"),
        ("cmd", "100%", "`%`"),
        ("cmd", 'a"b', "a double quote"),
        ("cmd", "显卡", "characters beyond ASCII"),
        ("cmd", "", "nothing"),
    ],
)
def test_what_a_shell_cannot_carry_is_named_and_nothing_is_written(shell: str, value: str, said: str) -> None:
    with pytest.raises(NotCarried, match=re.escape(f"the value of `A_VARIABLE` has {said} in it")):
        written(SHELLS[shell], (("FINE", "1"), ("A_VARIABLE", value)))


@pytest.mark.parametrize("shell", SHELLS)
def test_no_variables_are_no_lines(shell: str) -> None:
    assert written(SHELLS[shell], ()) == ""


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("name", ["", "A B", "A=1", "A;touch x", "1A", "Ä", "A\n"])
def test_what_is_no_name_of_a_variable_is_never_written(shell: str, name: str) -> None:
    with pytest.raises(ValueError, match="is not the name of a variable"):
        written(SHELLS[shell], {name: "1"}.items())


@pytest.mark.parametrize(
    ("path", "shell"),
    [
        ("/bin/bash", "bash"),
        ("/usr/bin/fish", "fish"),
        ("/bin/tcsh", "csh"),
        ("/opt/microsoft/powershell/7/pwsh", "powershell"),
        (r"C:\Program Files\PowerShell\7\pwsh.exe", "powershell"),
        ("zsh", "zsh"),
        ("/bin/ksh", "sh"),
        ("", "sh"),
        (None, "sh"),
    ],
)
def test_the_users_shell_is_known_by_the_last_part_of_its_path(path: str | None, shell: str) -> None:
    assert shell_of(path) is shell_named(shell)
