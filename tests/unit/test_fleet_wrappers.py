"""What may stand around a document in JSON, and whose it then is."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from gpuprobe.fleet.rows import Found, Problem, Trouble
from gpuprobe.fleet.wrappers import cut_off, documents_in, first_line, instead, is_cut_off, name_in, of_member, other_words

DOCUMENT = {"schema_version": 1, "summary": {"cards": 1, "usable": 1}}
TEXT = json.dumps(DOCUMENT)
LEFT_NOTHING = Problem(Trouble.SILENT, "it left nothing")


def found_in(value: object) -> list[tuple[str | None, object]]:
    return [(each.name, each.content) for each in documents_in(value)]


def no_document(said: str) -> Problem:
    return Problem(Trouble.NO_DOCUMENT, said)


@pytest.mark.parametrize(
    "around",
    [
        lambda value: [value],
        lambda value: {"message": value},
        lambda value: {"n1": value},
        lambda value: {"plays": [{"tasks": [{"hosts": {"n1": value}}]}]},
    ],
    ids=["a list", "a record of a log", "machines by name", "a play"],
)
def test_a_document_is_found_eight_levels_deep_and_no_deeper(around: Callable[[object], object]) -> None:
    value: object = DOCUMENT
    for _ in range(8):
        value = around(value)

    assert [content for _, content in found_in(value)] == [DOCUMENT]
    assert found_in(around(value)) == []


def test_a_document_that_is_text_counts_as_a_level_too() -> None:
    value: object = {"message": TEXT}
    for _ in range(7):
        value = [value]

    assert found_in(value) == [(None, DOCUMENT)]
    assert found_in([value]) == []


def test_of_a_play_what_has_not_its_shape_is_passed_over() -> None:
    tasks: list[object] = [2, {"hosts": 4}, {"hosts": {"n1": DOCUMENT, "n2": 5}}]

    assert found_in({"plays": [1, {"tasks": 3}, {"tasks": tasks}], "stats": 5}) == [("n1", DOCUMENT)]


@pytest.mark.parametrize("value", [None, {"unreachable": 0, "failures": 0, "ok": 1}])
def test_a_host_of_a_long_play_that_left_nothing_is_silent(value: object) -> None:
    silent = Problem(Trouble.SILENT, "no task of the play left a document")

    assert list(of_member("n1", value)) == [Found("n1", silent)]
    assert list(of_member(None, value)) == []


@pytest.mark.parametrize("value", [5, "text", [], {}, {"ok": 1, "failures": 0}])
def test_another_part_of_a_long_text_is_no_host(value: object) -> None:
    assert list(of_member("n1", value)) == []


def test_a_member_of_a_long_text_is_named_by_its_key() -> None:
    assert list(of_member("n1", DOCUMENT)) == [Found("n1", DOCUMENT)]


@pytest.mark.parametrize(
    ("result", "content"),
    [
        ({"changed": True, "rc": 0, "stdout": TEXT}, DOCUMENT),
        ({"changed": True, "rc": 5, "stdout": f"warning\n{TEXT}\nafter", "failed": True}, DOCUMENT),
        ({"changed": False, "msg": "no route", "unreachable": True}, no_document("no route")),
        ({"changed": False, "failed": True, "msg": "no such module"}, no_document("no such module")),
        ({"changed": True, "rc": 127, "stdout": "", "stderr": "not found", "msg": "non-zero"}, no_document("not found")),
        ({"changed": True, "rc": 127, "stdout": " ", "module_stderr": "denied"}, no_document("denied")),
        ({"changed": True, "rc": 3, "stdout": ""}, Problem(Trouble.SILENT, "it left nothing, and ended with exit code 3")),
        ({"changed": True, "rc": 0, "stdout": "hello", "cmd": ["x"]}, no_document("hello")),
        ({"changed": True, "rc": 0, "stdout": "", "cmd": ["x"]}, LEFT_NOTHING),
        ({"changed": False, "ansible_facts": {"ansible_local": {"a": 1, "gpuprobe": DOCUMENT}}}, DOCUMENT),
        ({"ansible_local": {"gpuprobe": DOCUMENT}}, DOCUMENT),
        ({"ansible_local": {"gpuprobe": "error loading fact"}}, no_document("error loading fact")),
    ],
)
def test_a_result_of_ansible_is_the_document_or_what_came_instead(result: dict[str, Any], content: object) -> None:
    assert found_in([result]) == [(None, content)]


@pytest.mark.parametrize(
    "result",
    [
        {"changed": False, "ansible_facts": {"ansible_os_family": "Debian"}},
        {"changed": False, "rc": 0, "stdout": "hello"},
        {"changed": False, "unreachable": False, "failed": False, "msg": "ok"},
        {"ansible_facts": {"ansible_local": {"other": 1}}},
        {"changed": True, "ansible_facts": 5},
    ],
)
def test_a_result_of_ansible_about_something_else_is_nothing(result: dict[str, Any]) -> None:
    assert found_in(result) == []


@pytest.mark.parametrize(
    ("record", "found"),
    [
        ({"host": "n1", "message": TEXT}, ("n1", DOCUMENT)),
        ({"host": {"name": "n1"}, "log": f"I 10:00 {TEXT}"}, ("n1", DOCUMENT)),
        ({"message": TEXT}, (None, DOCUMENT)),
        ({"node": "n1", "result": [DOCUMENT]}, ("n1", DOCUMENT)),
        ({"node": "n1", "output": "hello", "body": DOCUMENT}, ("n1", DOCUMENT)),
        ({"node": "n1", "error": "timed out"}, ("n1", no_document("timed out"))),
        ({"node": "n1", "returncode": 0}, ("n1", LEFT_NOTHING)),
        ({"node": "n1", "exit_code": 9}, ("n1", Problem(Trouble.SILENT, "it left nothing, and ended with exit code 9"))),
        ({"node": "n1", "exitcode": "9", "stderr": "killed"}, ("n1", no_document("killed"))),
        ({"node": "n1", "message": TEXT[:-1]}, ("n1", cut_off(TEXT[:-1]))),
    ],
)
def test_a_record_of_a_log_names_its_machine(record: dict[str, Any], found: tuple[str | None, object]) -> None:
    assert found_in(record) == [found]


@pytest.mark.parametrize(
    "record", [{"error": "of nobody"}, {"returncode": 1}, {"node": "n1", "message": "hello"}, {"node": "n1", "rc": "1"}, {}]
)
def test_a_record_about_nobody_or_about_nothing_is_no_machine(record: dict[str, Any]) -> None:
    assert found_in(record) == []


def test_machines_by_name_need_one_document_and_then_each_is_a_row() -> None:
    by_name = {"n1": DOCUMENT, "n2": None, "n3": "ssh: refused", "n4": f"motd {TEXT}", "n5": 7}

    assert found_in(by_name) == [
        ("n1", DOCUMENT),
        ("n2", LEFT_NOTHING),
        ("n3", no_document("ssh: refused")),
        ("n4", DOCUMENT),
        ("n5", LEFT_NOTHING),
    ]
    assert found_in({"n2": None, "n3": "ssh: refused"}) == []
    assert found_in({"changed": DOCUMENT, "stats": None}) == [("changed", DOCUMENT), ("stats", LEFT_NOTHING)]


@pytest.mark.parametrize(
    ("record", "name"),
    [
        ({"host": 5, "hostname": "n1"}, "n1"),
        ({"host": "", "hostname": "n1"}, "n1"),
        ({"host": {"name": "n1", "hostname": "n2"}}, "n1"),
        ({"host": {"hostname": "n2"}}, "n2"),
        ({"kubernetes": {"node_name": "n3", "host": "n4"}}, "n3"),
        ({"kubernetes": {"host": "n4"}}, "n4"),
        ({"host": {"ip": ["10.0.0.1"]}, "ip": "10.0.0.1"}, "10.0.0.1"),
        ({"host": {}}, None),
        ({}, None),
    ],
)
def test_a_record_calls_its_machine_by_the_first_name_that_is_one(record: dict[str, Any], name: str | None) -> None:
    assert name_in(record) == name


def test_what_another_program_wrote_is_known_with_its_machine() -> None:
    assert other_words({"host": "n1", "stdout": 5, "log": "kubelet: started"}) == ("n1", "kubelet: started")
    assert other_words({"host": "n1", "number": 5}) is None
    assert other_words({"log": "kubelet: started"}) is None
    assert other_words(["n1"]) is None


def test_what_came_instead_is_its_first_line_made_harmless_and_short() -> None:
    assert first_line(" \n\n  first \x1b[31m\nsecond") == r"first \x1b[31m"
    assert first_line(r"first\x0asecond") == "first"
    assert first_line("x" * 301) == "x" * 300
    assert first_line("\n" * 3999 + "xy") == "x"
    assert instead(" \n ", 0) == instead("", "0") == instead("") == LEFT_NOTHING
    assert instead("", 7) == Problem(Trouble.SILENT, "it left nothing, and ended with exit code 7")
    assert instead("said", 7) == no_document("said")


def test_a_document_that_is_cut_off_is_shown_by_its_beginning() -> None:
    begin = '{"schema_version": 1, "'

    assert is_cut_off(begin)
    assert is_cut_off(" " * (4000 - len('"schema_version"')) + '"schema_version"')
    assert not is_cut_off(" " * (4001 - len('"schema_version"')) + '"schema_version"')
    assert cut_off(begin + "x" * 99).because == f"a document that is cut off or damaged: `{begin}{'x' * (80 - len(begin))}`"
    assert cut_off(begin).trouble is Trouble.UNREADABLE
