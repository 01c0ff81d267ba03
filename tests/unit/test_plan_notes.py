"""Which engine answers, and what is said of a plan beside its figures."""

from __future__ import annotations

from pathlib import Path

import pytest

from gpuprobe.model import GiB
from gpuprobe.planning.engines.engine_records import Answer, HostMemory, Machine, Outlook, Subject, Wish
from gpuprobe.planning.plan import Plan, described, headline, planned
from gpuprobe.planning.records import (
    Figure,
    Place,
    Placement,
    Source,
)
from tests.planned_machines import card, on, prepared


@pytest.fixture(scope="module")
def dense(tmp_path_factory: pytest.TempPathFactory) -> Subject:
    return prepared("llama-8b", tmp_path_factory.mktemp("dense"))


def test_the_engine_is_the_one_that_the_model_is_for(dense: Subject) -> None:
    machine, wish = on(card()), Wish(context=4096)
    plain, stored = (planned(dense._replace(name=name), machine, wish, None) for name in (None, "llama3"))
    asked = planned(dense, machine, wish, "ollama")
    refused = planned(dense, machine, wish, "vllm")

    assert (plain.main.engine, [each.engine for each in plain.others]) == ("llama.cpp", ["ollama"])
    assert (stored.main.engine, [each.engine for each in stored.others]) == ("ollama", ["llama.cpp"])
    assert (asked.main.engine, [each.engine for each in asked.others]) == ("ollama", ["llama.cpp"])
    assert (refused.main.engine, refused.main.outlook) == ("vllm", Outlook.NOT_PLANNED)
    assert headline(plain).startswith("llama.cpp: all 33 layers fit on CUDA:0")


@pytest.mark.parametrize(
    ("wish", "notes"),
    [
        (Wish(context=131072, layers=33), []),
        (
            Wish(context=131328, layers=34),
            [
                "131328 tokens are more than the 131072 that the model was trained for",
                "the model has 33 layers with the output layer: `--layers 34` means all of them",
            ],
        ),
        (Wish(context=131328, parallel=2, layers=33), []),
    ],
)
def test_more_than_the_model_has_is_a_note(dense: Subject, wish: Wish, notes: list[str]) -> None:
    said = planned(dense, on(card(0, 96)), wish, None).main.notes

    assert [note for note in said if "trained" in note or "means all" in note] == notes


def test_a_projector_is_a_note(dense: Subject) -> None:
    notes = [planned(dense._replace(projector_size=size), on(card()), Wish(context=4096), None).main.notes for size in (0, GiB)]

    assert [any("projector takes 1.0 GiB" in note for note in each) for each in notes] == [False, True]


def test_differences_are_our_figures_less_the_engines(dense: Subject) -> None:
    def place(*sizes: int | None) -> Place:
        model, context, compute = (Figure(size, Source.EXACT) for size in sizes)
        return Place("CUDA:0", 1, model, context, compute)

    ours, measured = (Placement((place(*sizes),), place(0, 0, 0), 1, 1, 1) for sizes in ((5, None, 7), (3, 4, 9)))
    answer = Answer("llama.cpp", Outlook.FITS, "", measured)
    machine = Machine((), HostMemory())
    plan = Plan(dense, machine, answer, own=ours)

    assert [each[1:] for each in plan.differences] == [(2, None, -2), (0, 0, 0)]
    assert Plan(dense, machine, answer).differences == ()
    assert Plan(dense, machine, answer._replace(placement=None), own=ours).differences == ()


def test_a_model_is_described_by_what_is_known_of_it(dense: Subject, tmp_path: Path) -> None:
    mixture = prepared("qwen3moe-30b", tmp_path)
    bare = dense._replace(model=dense.model._replace(metadata={}), argument="/models/folder/")

    assert described(dense._replace(argument="/m/x.gguf")) == (
        "x.gguf: llama, 4.5 GiB, GGUF v3, 32 blocks, trained for 131072 tokens"
    )
    assert "128 experts" in described(mixture)
    assert described(bare) == "folder: llama, 4.5 GiB, GGUF v3"
    assert described(dense._replace(name="llama3:8b")).startswith("llama3:8b: llama")
