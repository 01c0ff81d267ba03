"""Lines of many machines in one stream: who a line is from, where what a machine left ends, and what is no document."""

from __future__ import annotations

import json

import pytest

from gpuprobe.fleet import lines
from gpuprobe.fleet.document_texts import of_pieces, of_text
from gpuprobe.fleet.lines import of_lines
from gpuprobe.fleet.long_json import NotJson, members
from gpuprobe.fleet.prefixes import Heading, Split, heading, split
from gpuprobe.fleet.rows import Problem, Trouble
from gpuprobe.fleet.shape import begun, parsed, record, records, text, whole
from gpuprobe.fleet.wrappers import PLAY, cut_off

DOCUMENT = {"schema_version": 1, "summary": {"cards": 1, "usable": 1}}
TEXT = json.dumps(DOCUMENT)
INDENTED = json.dumps(DOCUMENT, indent=2)
LEFT_NOTHING = Problem(Trouble.SILENT, "it left nothing")
RULE = "-" * 5


def found_in(text: str) -> list[tuple[str | None, object]]:
    return [(each.name, each.content) for each in of_lines(text.split("\n"))]


def no_document(said: str) -> Problem:
    return Problem(Trouble.NO_DOCUMENT, said)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (TEXT, Split(None, TEXT)),
        (f"n1: {TEXT}", Split(("n1",), TEXT)),
        (f"n1:{TEXT}", Split(("n1",), TEXT)),
        (f"0: {TEXT}", Split(None, TEXT)),
        ("Error: no GPU", Split(None, "Error: no GPU")),
        (f"motd {TEXT}", Split(None, TEXT)),
        ("motd", Split(None, "motd")),
        ("clush: n[1-2]: exited with exit code 1", Split(("n1", "n2"), "exited with exit code 1", only_text=True)),
        ("pdsh@head: n4: ssh exited", Split(("n4",), "ssh exited", only_text=True)),
        ("clush: n[2-1]: exited", Split(None, "clush: n[2-1]: exited")),
        (f"(probe pid=4, ip=10.0.0.1) {TEXT}", Split(("10.0.0.1",), TEXT)),
        (f"(probe pid=4) {TEXT}", Split(None, TEXT)),
        (f"[pod/n1/gpuprobe] {TEXT}", Split(("n1",), TEXT)),
        (f"Nov 29 01:00:00 n1 gpuprobe[4]: {TEXT}", Split(("n1",), TEXT)),
        ("Nov 29 01:00:00 n1 sshd: hello", Split(None, "Nov 29 01:00:00 n1 sshd: hello")),
    ],
)
def test_what_stands_before_a_line_says_who_it_is_from(line: str, expected: Split) -> None:
    assert split(line) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("n1 | CHANGED | rc=0 >>", Heading("n1", "0", "")),
        (f"n1 | CHANGED | rc=0 | (stdout) {TEXT}", Heading("n1", "0", TEXT)),
        ("n1 | UNREACHABLE! => {", Heading("n1", None, "{")),
        ("n1 | FAILED | rc=-13 >>", Heading("n1", "-13", "")),
        ("n1 | changed | rc=0 >>", None),
        ("two words | CHANGED >>", None),
        ("n1", None),
    ],
)
def test_ansible_s_line_before_a_host_names_it_and_how_it_ended(line: str, expected: Heading | None) -> None:
    assert heading(line) == expected


def test_a_log_s_record_without_a_document_and_without_a_name_is_said_by_nobody() -> None:
    assert found_in('{"level": "info"}') == [(None, no_document('{"level": "info"}'))]
    assert found_in(f'{{"level": "info"}}\n{TEXT}') == [(None, DOCUMENT)]
    assert found_in('{"host": "n1", "log": "started"}') == [("n1", no_document("started"))]
    assert found_in(f'{{"host": "n1", "log": "started"}}\nn2: {TEXT}') == [("n2", DOCUMENT), ("n1", no_document("started"))]


def test_a_name_before_a_colon_is_a_machine_where_documents_stand_so_or_everything_does() -> None:
    assert found_in(f"n1: {TEXT}\nother: words") == [("n1", DOCUMENT), ("other", no_document("words"))]
    assert found_in(f"{TEXT}\nother: words") == [(None, DOCUMENT)]
    assert found_in("n1: words\nn2: more") == [("n1", no_document("words")), ("n2", no_document("more"))]
    assert found_in("n1: words\nplain") == [(None, no_document("words"))]
    assert found_in("plain\nn1: words") == [(None, no_document("plain"))]
    assert found_in("\n \n") == []


def test_the_first_that_a_machine_said_counts_and_what_a_tool_says_only_without_it() -> None:
    said = "n1: first\nn1: second\nclush: n[1-2]: exited with exit code 5\nclush: n3: timed out\nclush: n4: exit code: 0"

    assert found_in(said) == [
        ("n2", Problem(Trouble.SILENT, "it left nothing, and ended with exit code 5")),
        ("n3", no_document("timed out")),
        ("n4", LEFT_NOTHING),
        ("n1", no_document("first")),
    ]


def test_a_document_of_many_lines_ends_with_its_brace() -> None:
    lines_of_n1 = "\n".join(f"n1: {line}" for line in INDENTED.splitlines())

    assert found_in(lines_of_n1) == [("n1", DOCUMENT)]
    assert found_in(f"n1: [\n{lines_of_n1}\nn1: ]") == [("n1", DOCUMENT)]
    assert found_in(f"{lines_of_n1}\nn1: hello") == [("n1", DOCUMENT), ("n1", no_document("hello"))]
    assert found_in(lines_of_n1.rpartition("\n")[0]) == [("n1", cut_off(INDENTED.rpartition("\n")[0]))]


def test_a_brace_that_becomes_no_document_is_what_its_machine_said() -> None:
    assert found_in("n1: {\nn1: oops") == [("n1", no_document("{"))]
    assert found_in("n1: {oops") == [("n1", no_document("{oops"))]
    assert found_in('n1: {"schema_version": 1') == [("n1", cut_off('{"schema_version": 1'))]


@pytest.mark.parametrize(("records", "is_found"), [(14, True), (15, False)])
def test_a_document_of_many_lines_is_tried_at_sixteen_that_could_be_its_last(records: int, is_found: bool) -> None:
    """The bracket behind the records and the last brace are two of them."""
    inside = "\n".join(["{", "},"] * records)
    written = f'{{\n"schema_version": 1, "summary": {{}}, "x": [\n{inside}\n1\n]\n}}'

    (_, content), *_ = found_in("\n".join(f"n1: {line}" for line in written.splitlines()))

    assert content == json.loads(written) if is_found else isinstance(content, Problem)


def test_a_heading_of_dashes_names_all_that_left_the_same() -> None:
    assert found_in(f"{RULE}\nn[1-2] (2)\n{RULE}\n{TEXT}") == [("n1", DOCUMENT), ("n2", DOCUMENT)]
    assert found_in(f"{RULE}\nn1\n{RULE}\n{INDENTED}\nbye") == [("n1", DOCUMENT)]
    assert found_in(f"{RULE}\na machine\n{RULE}\n{TEXT}") == [("a machine", DOCUMENT)]
    assert found_in(f"{RULE}\n\n{RULE}\n{TEXT}") == [("?", DOCUMENT)]
    assert found_in(f"{RULE}\na {'b' * 300}\n{RULE}\n{TEXT}") == [("a " + "b" * 253, DOCUMENT)]
    assert found_in(f"{RULE}\nn1\n{RULE}\nhello\n") == [("n1", no_document("hello"))]
    assert found_in(f"{RULE}\nn1\n{RULE}\n") == [("n1", LEFT_NOTHING)]


def test_four_dashes_are_no_heading_and_neither_are_dashes_that_nothing_follows() -> None:
    assert found_in(f"----\nn1: {TEXT}") == [("n1", DOCUMENT)]
    assert found_in(f"{RULE}\nn1: {TEXT}\nn2: {TEXT}") == [("n1", DOCUMENT), ("n2", DOCUMENT)]
    assert found_in(f"n2: {TEXT}\n{RULE}\nn1: {TEXT}") == [("n2", DOCUMENT), ("n1", DOCUMENT)]


def test_what_ansible_says_before_its_first_host_is_about_nobody() -> None:
    said = "warning: deprecated\nn9: hello\nn1 | CHANGED | rc=0 >>\n" + TEXT + "\nn2 | FAILED | rc=2 >>\nnon-zero return code"

    assert found_in(said) == [
        ("n1", DOCUMENT),
        ("n2", Problem(Trouble.SILENT, "it left nothing, and ended with exit code 2")),
    ]
    assert found_in(f"n1 | FAILED | rc=1 | (stdout)  (stderr) {TEXT}") == [("n1", DOCUMENT)]
    assert found_in("n1 | FAILED | rc=1 | (stdout)  (stderr) no such file") == [("n1", no_document("no such file"))]


def test_a_document_under_a_heading_stands_behind_whatever_a_shell_says() -> None:
    assert found_in(f"{RULE}\nn1\n{RULE}\nmotd {{x}}\n{TEXT}") == [("n1", DOCUMENT)]
    assert found_in(f"{RULE}\nn1\n{RULE}\n{TEXT[:-1]}") == [("n1", cut_off(TEXT[:-1]))]
    assert found_in(f"{RULE}\nn1\n{RULE}\n{{oops}}") == [("n1", no_document("{oops}"))]


def test_of_a_line_that_is_too_long_the_rest_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "LONGEST", len(TEXT))

    assert found_in(f"{RULE}\nn1\n{RULE}\n{TEXT}\nmore") == [("n1", DOCUMENT)]
    assert found_in(f"{RULE}\nn1\n{RULE}\n {TEXT}") == [("n1", LEFT_NOTHING)]


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("", [(None, LEFT_NOTHING)]),
        (" \n", [(None, LEFT_NOTHING)]),
        (TEXT, [(None, DOCUMENT)]),
        (f"[{TEXT}, {TEXT}]", [(None, DOCUMENT)] * 2),
        (f"\n {INDENTED}", [(None, DOCUMENT)]),
        ("[1, 2]", [(None, no_document("[1, 2]"))]),
        (TEXT[:-1], [(None, cut_off(TEXT[:-1]))]),
        ("{oops", [(None, no_document("{oops"))]),
        (f"{TEXT}\n{TEXT}", [(None, DOCUMENT)] * 2),
        (f"n1: {TEXT}", [("n1", DOCUMENT)]),
    ],
)
def test_a_text_s_form_is_known_by_its_content(given: str, found: list[tuple[str | None, object]]) -> None:
    assert [(each.name, each.content) for each in of_text(given)] == found


def in_pieces(whole: str, size: int) -> list[tuple[str | None, object]]:
    pieces = (whole[place : place + size] for place in range(size, len(whole), size))
    return [(each.name, each.content) for each in of_pieces(whole[:size], pieces)]


@pytest.mark.parametrize("size", [1, 7, 40, 1000])
def test_a_long_text_is_read_whichever_pieces_it_comes_in(size: int) -> None:
    by_name = json.dumps({"n1": DOCUMENT, "n2": None}, indent=1)

    assert in_pieces(f"n1: {TEXT}\nn2: {TEXT}\n", size) == [("n1", DOCUMENT), ("n2", DOCUMENT)]
    if size < 40:  # in a longer beginning the mark of a document is seen
        assert in_pieces(by_name, size) == [
            ("n1", DOCUMENT),
            ("n2", Problem(Trouble.SILENT, "no task of the play left a document")),
        ]


def test_a_long_text_that_ends_too_early_says_so_behind_what_it_had() -> None:
    assert in_pieces('{\n"n1": ' + TEXT + ',\n"n2": ', 5) == [
        ("n1", DOCUMENT),
        (None, Problem(Trouble.UNREADABLE, "JSON that cannot be read to its end: it ends too early")),
    ]


def read(chunks: list[str], into: tuple[str, ...] = PLAY) -> list[tuple[str | None, object]]:
    return list(members(iter(chunks), into))


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_members_of_a_long_json_come_one_by_one(size: int) -> None:
    whole = '{"a": [1, {"b": 2}], "plays": [{"tasks": [{"hosts": {"n1": 12, "n2": "x"}}]}], "stats": {"n3": null}, "z": -3.5e1}'
    chunks = [whole[place : place + size] for place in range(0, len(whole), size)]

    assert read(chunks) == [("a", [1, {"b": 2}]), ("n1", 12), ("n2", "x"), ("n3", None), ("z", -35.0)]
    assert read(chunks, ()) == list(json.loads(whole).items())
    assert read([whole.replace(" ", "")]) == read(chunks)
    assert read(["[1,", "2", "3, {}]"]) == [(None, 1), (None, 23), (None, {})]


@pytest.mark.parametrize(
    ("whole", "why"),
    [
        ("", "it ends too early"),
        ("5", "no list and no record"),
        ('{"a": 1', "it ends too early"),
        ('{"a" 1}', "a record without a key"),
        ("{1: 2}", "a record without a key"),
        ("[" * 100_000, "it is nested too deeply"),
    ],
)
def test_json_that_cannot_be_read_on_says_why(whole: str, why: str) -> None:
    with pytest.raises(NotJson, match=why):
        read([whole])


def test_parts_of_a_play_are_entered_seventeen_levels_deep() -> None:
    def nested(levels: int) -> str:
        return '{"plays": ' * levels + "{}" + "}" * levels

    assert read([nested(16)]) == []
    with pytest.raises(NotJson, match="no list and no record"):
        read([nested(17)])


def test_of_json_of_others_only_what_has_the_right_kind_is_taken() -> None:
    assert [whole({"a": value}, "a") for value in (0, 5, -1, True, 1.0, "5", None, 2**63 - 1, 2**63)] == [
        *(0, 5, None, None, None, None, None, 2**63 - 1, None)
    ]
    assert [text({"a": value}, "a") for value in ("x\n", "", 5)] == [r"x\x0a", None, None]
    assert (text({"a": "x" * 300}, "a"), text({"a": "xyz"}, "a", 2)) == ("x" * 200, "xy")
    assert (text(["a"], "a"), whole(None, "a"), record(5, "a"), list(records(5, "a"))) == (None, None, {}, [])
    assert (record({"a": [1]}, "a"), record({"a": {"b": 1}}, "a")) == ({}, {"b": 1})
    assert list(records({"a": [{"b": 1}, 5, {}]}, "a")) == [{"b": 1}, {}]
    assert len(list(records({"a": [{}] * 5000}, "a"))) == 4096


def test_json_that_is_nested_too_deeply_is_none() -> None:
    for reading in (parsed, begun):
        with pytest.raises(ValueError, match="nested too deeply"):
            reading("[" * 200_000)
    assert begun('{"a": 1} and more') == {"a": 1}
