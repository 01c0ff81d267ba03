"""What is recorded of diagnoses belongs to tests that there are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.doctor.told_diagnoses import GOLDEN, sections


@pytest.mark.parametrize("file", sorted(GOLDEN.iterdir()), ids=lambda file: file.stem)
def test_every_recorded_diagnosis_is_one_of_a_test(file: Path) -> None:
    tests = (GOLDEN.parent / f"{file.stem}.py").read_text(encoding="utf-8")
    names = {name.partition("[")[0] for name in sections(file)}

    assert names - set(re.findall(r"^def (test_\w+)", tests, re.MULTILINE)) == set()
    assert names
