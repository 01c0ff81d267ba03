"""What lies around the code says what is true of it: the list of changes, the forms for reports, what git is told."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from gpuprobe import __version__, capture
from gpuprobe.command.exiting import REPORT, REPORTS_GO_TO
from gpuprobe.render import document

ROOT = Path(__file__).parents[1]
FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))
CHANGES = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_the_list_of_changes_begins_with_this_version() -> None:
    assert re.findall(r"^## (.+)$", CHANGES, re.MULTILINE)[0] in (f"Unreleased: {__version__}", f"{__version__}")


@pytest.mark.parametrize(
    ("what", "version"),
    [("every answer of `--json`", document.SCHEMA_VERSION), ("a file of `capture`", capture.SCHEMA_VERSION)],
)
def test_the_list_of_changes_says_what_each_number_of_a_document_stands_for(what: str, version: int) -> None:
    said = [int(number) for number in re.findall(rf"^\| {re.escape(what)} \| (\d+) \|", CHANGES, re.MULTILINE)]

    assert sorted(said) == list(range(1, version + 1))


def form(path: Path) -> dict[str, Any]:
    said: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return said


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_a_form_is_what_github_can_show(path: Path) -> None:
    said = form(path)
    fields = [each for each in said["body"] if each["type"] != "markdown"]

    assert said["name"] and said["description"]
    assert {each["type"] for each in said["body"]} <= {"markdown", "textarea", "input", "dropdown", "checkboxes"}
    assert len({each["id"] for each in fields}) == len(fields)
    assert all(each["attributes"]["label"] for each in fields)
    assert all(each["attributes"]["options"] for each in fields if each["type"] == "dropdown")


def test_a_report_is_asked_for_its_capture_before_anything_else_of_the_machine() -> None:
    fields = form(ROOT / ".github" / "ISSUE_TEMPLATE" / "wrong-answer.yml")["body"]
    needed = {each["id"]: each["attributes"] for each in fields if each.get("validations", {}).get("required")}

    assert list(needed) == ["expected", "capture", "output", "version"]
    assert "`gpuprobe capture machine.json`" in needed["capture"]["description"]


def test_git_shows_no_capture_as_a_difference_of_lines() -> None:
    told = (ROOT / ".gitattributes").read_text(encoding="utf-8").splitlines()

    assert "tests/scenarios/*/capture.json -diff linguist-generated" in told


def test_a_report_goes_to_the_address_that_the_package_declares_or_to_somebody_who_can_pass_it_on() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    address = project.get("urls", {}).get("Issues")

    assert address == REPORTS_GO_TO if address else "who installed it" in REPORTS_GO_TO
    assert f"report it to {REPORTS_GO_TO}" in REPORT
    assert "`gpuprobe capture machine.json`" in REPORT


def test_each_line_of_the_page_on_trust_names_tests_that_there_are() -> None:
    rows = [line for line in (ROOT / "docs" / "trust.md").read_text().splitlines() if line.startswith("| ")][2:]
    named = [re.findall(r"`(tests/[\w/]+\.py)`", row.rpartition(" | ")[2]) for row in rows]

    assert [row for row, tests in zip(rows, named, strict=True) if not tests] == []
    assert [test for tests in named for test in tests if not (ROOT / test).is_file()] == []
