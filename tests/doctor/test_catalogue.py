"""The causes that checks name and the rows of the catalogue are the same."""

from __future__ import annotations

import ast
from pathlib import Path

from gpuprobe import knowledge

DOCTOR = Path(knowledge.__file__).parents[1] / "doctor"


def named() -> set[str]:
    """The ids in the code: those given to a Finding, and those in tables of what becomes one."""
    rows = {row.id for row in knowledge.causes()}
    found: set[str] = set()
    for path in DOCTOR.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
        ids = {
            keyword.value.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Call)
            for keyword in node.keywords
            if keyword.arg == "id" and isinstance(keyword.value, ast.Constant) and isinstance(keyword.value.value, str)
        }
        found |= ids | (texts & rows)
    return found


def test_every_cause_that_a_check_names_has_its_row() -> None:
    assert named() - {row.id for row in knowledge.causes()} == set()


def test_the_catalogue_says_which_causes_are_looked_for() -> None:
    """When this fails: `looked_for = true` stands in the rows of exactly the causes that checks name."""
    assert {row.id for row in knowledge.causes() if row.looked_for} == named()


def test_a_row_has_a_layer_of_the_catalogue() -> None:
    assert {row.layer for row in knowledge.causes()} == set("ABCDEFGHI")
