"""All targets by name."""

from __future__ import annotations

from tests.fuzz import of_documents, of_files, of_texts, of_trees

TARGETS = {target.name: target for target in (*of_documents.TARGETS, *of_trees.TARGETS, *of_files.TARGETS, *of_texts.TARGETS)}
