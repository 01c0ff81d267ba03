"""Our JSON is that of the package `json`, to the character and to the error."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpuprobe import json_texts

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@pytest.fixture
def without_c_parts(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.setitem(sys.modules, "_json", None)
    yield importlib.reload(json_texts)
    monkeypatch.undo()
    importlib.reload(json_texts)


def as_the_package_reads(line: bytes) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as problem:
        return type(problem), str(problem)


def as_we_read(line: bytes) -> Any:
    try:
        return json_texts.loads(line)
    except (ValueError, RecursionError) as problem:
        return type(problem), str(problem)


@given(st.dictionaries(st.text(), VALUES))
def test_a_line_is_what_the_package_writes(value: dict[str, Any]) -> None:
    assert json_texts.dumps(value, separators=(",", ":")) == json.dumps(value, separators=(",", ":"))


def test_what_is_no_json_is_not_written() -> None:
    with pytest.raises(TypeError, match="Object of type bytes is not JSON serializable"):
        json_texts.dumps({"name": b"NVIDIA"})


@given(VALUES)
def test_what_was_written_is_read(value: object) -> None:
    assert json_texts.loads(json.dumps(value).encode()) == value


@given(st.binary() | st.text(alphabet='{}[]",:019.eE+- \n\t\\untrfalsé\0').map(str.encode))
def test_a_line_is_read_or_refused_as_by_the_package(line: bytes) -> None:
    assert as_we_read(line) == as_the_package_reads(line)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b" \t{}\r ",
        b"{} {}",
        b"1\0",
        b"\xef\xbb\xbf{}",
        '{"a": 1}'.encode("utf-16"),
        '{"a": 1}'.encode("utf-32-le"),
        b'"\xed\xa0\x80"',
        b'"\xff"',
        b"-Infinity",
        b"1e999",
        b"9" * 5000,
        b'{"a": 1, "a": 2}',
        b'"\n"',
        b"[" * 100_000,
    ],
)
def test_what_is_odd_is_read_or_refused_as_by_the_package(line: bytes) -> None:
    assert as_we_read(line) == as_the_package_reads(line)


def test_where_the_c_parts_are_missing_the_package_is_taken(without_c_parts: ModuleType) -> None:
    assert without_c_parts._PARTS is None
    assert without_c_parts.dumps({"a": [1, None, "ü"]}) == '{"a": [1, null, "\\u00fc"]}'
    assert without_c_parts.loads(b' {"a": 1}') == {"a": 1}


@pytest.mark.parametrize("name", ["make_encoder", "make_scanner"])
@pytest.mark.parametrize("other", ["one that takes something else", "one that answers something else"])
def test_where_the_c_parts_are_others_the_package_is_taken(monkeypatch: pytest.MonkeyPatch, name: str, other: str) -> None:
    import _json

    strange = (lambda: None) if other == "one that takes something else" else lambda *_: lambda *_: ("{}", 2)
    monkeypatch.setattr(_json, name, strange)

    assert json_texts._c_parts() is None


def test_in_this_python_the_c_parts_are_taken() -> None:
    """Were they not, every child would pay for `re` and `enum`, and nothing else would tell."""
    assert json_texts._PARTS is not None


@given(VALUES | st.floats() | st.lists(st.floats()) | st.dictionaries(st.text(), st.floats()))
def test_a_text_is_what_the_package_writes_whatever_stands_between(value: object) -> None:
    """Also of what is no number, which the package writes as JavaScript would."""
    assert json_texts.dumps(value) == json.dumps(value)
    assert json_texts.dumps(value, separators=(",", ":")) == json.dumps(value, separators=(",", ":"))
    assert json_texts.dumps(value, indent=2) == json.dumps(value, indent=2)


@pytest.mark.parametrize("text", ["", "{", '{"a": [1, 2', '{"a": 1}x', '"\x01"', "1 2", "\ufeff1"])
def test_a_text_is_refused_in_the_words_of_the_package_where_that_is_not_loaded_yet(text: str) -> None:
    program = "import sys; from gpuprobe.json_texts import loads\n"
    program += "try:\n    loads(sys.argv[1])\nexcept ValueError as problem:\n    print(type(problem).__name__, problem)"
    done = subprocess.run([sys.executable, "-c", program, text], capture_output=True, text=True, check=True, timeout=60)

    with pytest.raises(json.JSONDecodeError) as refused:
        json.loads(text)
    assert done.stdout == f"JSONDecodeError {refused.value}\n"


TEXTS = ["", "{", '{"a": [1, 2', '{"a": 1}x', "[1] ", " \n{}", "NaN", '"\x01"', "1 2", "\ufeff1", '{"a": 1.5e3, "b": null}']


@pytest.mark.parametrize("text", [*TEXTS, *(text.encode() for text in TEXTS)])
def test_a_text_and_its_bytes_are_read_or_refused_as_by_the_package(text: str | bytes) -> None:
    def said(read: Any) -> str:
        try:
            return repr(read(text))
        except ValueError as problem:
            return f"{type(problem).__name__}: {problem}"

    assert said(json_texts.loads) == said(json.loads)
