"""Files for other programs, read by the programs themselves or by the parsers that they are known by."""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
from pathlib import Path

import dotenv
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from gpuprobe.render.form import NotCarried, left_set, written
from gpuprobe.render.formats import FORMATS, systemd_assignment
from tests.unit.test_shell import ANY_TEXT, ATTACKS, ONE_LINE, SHORT
from tests.vulkan_world import missing

Values = dict[str, str]


def named(values: list[str]) -> Values:
    return {f"X_{place}": value for place, value in enumerate(values)}


def carried(form: str, values: list[str]) -> Values:
    """Of these values, those that the form takes at all."""
    fine = []
    for value in values:
        try:
            written(FORMATS[form], {"X": value}.items())
        except NotCarried:
            continue
        fine.append(value)
    return named(fine)


def read_by_python_dotenv(lines: str) -> dict[str, str | None]:
    return dict(dotenv.dotenv_values(stream=io.StringIO(lines)))


def read_by_composes_rules_for_dotenv(lines: str) -> Values:
    """docs.docker.com, "Set environment variables", `.env` file syntax: quotes, escapes in double ones, `$` and ` #`."""
    read = {}
    for line in lines.removesuffix("\n").split("\n") if lines else ():
        name, _, text = line.partition("=")
        if text.startswith("'"):
            assert re.fullmatch(r"'[^']*'", text)
            read[name] = text[1:-1]
        elif text.startswith('"'):
            assert re.fullmatch(r'"(?:[^"\\$]|\\[\\"])*"', text)
            read[name] = re.sub(r'\\([\\"])', r"\1", text[1:-1])
        else:
            assert not re.search(r"[\s$#'\"\\]", text)
            read[name] = text
    return read


def read_by_compose(lines: str) -> Values:
    """YAML, then Compose's own replacement of `$NAME` and `$$`."""
    environment = yaml.safe_load(lines)["environment"]
    assert not any(re.search(r"\$(?!\$)", re.sub(r"\$\$", "", value)) for value in environment.values())
    return {name: value.replace("$$", "$") for name, value in environment.items()}


def read_by_dockers_rules(lines: str) -> Values:
    """docker/cli, opts/file.go: what stands behind the first `=` is the value, with nothing taken off."""
    return dict(line.split("=", 1) for line in lines.removesuffix("\n").split("\n"))


def read_by_systemd(lines: str, folder: Path) -> list[str]:
    """The assignments that the installed systemd takes from a unit; it complains about what it cannot read."""
    program = shutil.which("systemd-analyze") or missing("`systemd-analyze` (`systemd`)")
    unit = folder / "gpuprobe.service"
    unit.write_text(f"{lines}ExecStart=/bin/true\n")
    plain = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
    debug = {**plain, "SYSTEMD_LOG_LEVEL": "debug"}
    quiet = subprocess.run([program, "verify", str(unit)], env=plain, capture_output=True, text=True, check=True)
    assert quiet.stderr == ""
    told = subprocess.run([program, "verify", str(unit)], env=debug, capture_output=True, check=True)
    # It shows each assignment on one line, as it is.
    output = (told.stdout + told.stderr).decode("utf-8", "surrogateescape")
    return re.findall(r"(?:^|\n)\t*Environment: (X_.*?)(?=\n\t|\n-> )", output, re.DOTALL)


def read_by_systemds_grammar(lines: str) -> Values:
    """systemd.syntax(7), "Quoting", and systemd.exec(5): C escapes inside double quotes, then `%%` for a percent sign."""
    read = {}
    for line in lines.removesuffix("\n").split("\n")[1:]:
        found = re.fullmatch(r'Environment="(\w+)=((?:[^"\\%\x00-\x1f\x7f]|%%|\\["\\]|\\x[0-9a-f]{2})*)"', line)
        assert found, line
        text = found[2].replace("%%", "%")
        read[found[1]] = re.sub(r'\\(?:x(..)|(["\\]))', lambda escape: escape[2] or chr(int(escape[1], 16)), text)
    return read


@given(st.lists(st.one_of(ANY_TEXT, st.sampled_from(ATTACKS)), min_size=1, max_size=40))
def test_dotenv_is_read_back_by_python_dotenv_and_by_composes_rules(values: list[str]) -> None:
    variables = carried("dotenv", values)

    lines = written(FORMATS["dotenv"], variables.items())

    assert read_by_python_dotenv(lines) == variables
    assert read_by_composes_rules_for_dotenv(lines) == variables


def test_dotenv_takes_nothing_from_the_environment_it_is_read_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "HOME", "/somewhere")
    lines = written(FORMATS["dotenv"], {"X": "$HOME # no comment"}.items())

    assert read_by_python_dotenv(lines) == {"X": "$HOME # no comment"}


def test_plain_values_of_dotenv_need_no_quotes_so_that_docker_and_systemd_read_them_too() -> None:
    variables = {"CUDA_VISIBLE_DEVICES": "GPU-1,GPU-2", "GGML_VK_VISIBLE_DEVICES": "-1", "VK_DRIVER_FILES": "/a/b.json:/c.json"}

    lines = written(FORMATS["dotenv"], variables.items())

    assert read_by_dockers_rules(lines) == variables


@given(st.lists(st.one_of(ANY_TEXT, st.sampled_from(ATTACKS)), min_size=1, max_size=40))
def test_compose_reads_any_text_back(values: list[str]) -> None:
    variables = named(values)

    assert read_by_compose(written(FORMATS["compose"], variables.items())) == variables


@given(st.lists(ONE_LINE, min_size=1, max_size=40))
def test_docker_reads_any_one_line_back(values: list[str]) -> None:
    variables = named(values)

    assert read_by_dockers_rules(written(FORMATS["docker"], variables.items())) == variables


@given(st.lists(st.one_of(ANY_TEXT, st.sampled_from(ATTACKS)), min_size=1, max_size=40))
def test_systemds_grammar_reads_any_text_back(values: list[str]) -> None:
    variables = named(values)

    assert read_by_systemds_grammar(written(FORMATS["systemd"], variables.items())) == variables


def test_systemd_itself_reads_every_attack_back(tmp_path: Path) -> None:
    variables = named([*ATTACKS, "%h %% %n", "trailing\\", "a\x7fb"])

    seen = read_by_systemd(written(FORMATS["systemd"], variables.items()), tmp_path)

    assert seen == [f"{name}={value}" for name, value in variables.items()]


@SHORT
@given(values=st.lists(st.text(st.characters(exclude_categories=("Cs", "Cc"))), min_size=20, max_size=60))
def test_systemd_itself_reads_any_text_back(values: list[str], tmp_path_factory: pytest.TempPathFactory) -> None:
    variables = named(values)

    seen = read_by_systemd(written(FORMATS["systemd"], variables.items()), tmp_path_factory.mktemp("unit"))

    assert seen == [f"{name}={value}" for name, value in variables.items()]


def test_systemd_unsets_what_is_to_be_unset(tmp_path: Path) -> None:
    lines = written(FORMATS["systemd"], (("X_A", "1"), ("X_B", None)))

    assert lines == '[Service]\nEnvironment="X_A=1"\nUnsetEnvironment=X_B\n'
    assert read_by_systemd(lines, tmp_path) == ["X_A=1"]


@pytest.mark.parametrize(
    ("form", "value", "said"),
    [
        ("dotenv", "a\nb", "a line break"),
        ("dotenv", "${HOME}", "`${`"),
        ("dotenv", "$HOME's", "`$` beside a single quote or a backslash"),
        ("dotenv", "\udcff", "bytes that are not UTF-8"),
        ("docker", "a\nb", "a line break"),
        ("docker", "a\rb", "a carriage return"),
        ("compose", "\udcff", "bytes that are not UTF-8"),
        ("compose", "a\0b", "the control character 0x00"),
        ("systemd", "a\0b", "the control character 0x00"),
    ],
)
def test_what_a_format_cannot_carry_is_named_and_nothing_is_written(form: str, value: str, said: str) -> None:
    with pytest.raises(NotCarried, match=re.escape(f"the value of `A_VARIABLE` has {said} in it")):
        written(FORMATS[form], (("FINE", "1"), ("A_VARIABLE", value)))


@pytest.mark.parametrize("form", ["dotenv", "docker", "compose"])
def test_a_form_that_cannot_unset_writes_no_line_for_it_and_says_which_variables_stay(form: str) -> None:
    variables = (("X_A", "1"), ("X_B", None))

    assert "X_B" not in written(FORMATS[form], variables)
    assert left_set(FORMATS[form], variables) == ["X_B"]
    assert left_set(FORMATS["systemd"], variables) == []


@pytest.mark.parametrize("form", FORMATS)
def test_an_empty_map_is_an_empty_file(form: str) -> None:
    assert written(FORMATS[form], ()) == ""


@pytest.mark.parametrize("code", [*range(1, 32), 127])
def test_no_control_character_stands_in_a_unit_as_it_is(code: int) -> None:
    assert systemd_assignment("NAME", chr(code)) == f'"NAME=\\x{code:02x}"'
