"""The borders of Ollama's rules: the last value on one side of each, and the first on the other."""

from __future__ import annotations

from pathlib import Path

import pytest

from gpuprobe.model import Device, GiB, MiB
from gpuprobe.modelfile import gguf
from gpuprobe.planning.engines import ollama
from gpuprobe.planning.engines.engine_records import Answer, Machine, Subject, Wish
from gpuprobe.planning.engines.model_facts import ModelFacts
from tests.made_up_models import MODELS
from tests.planned_machines import HOST, card, on, prepared


@pytest.fixture(scope="module")
def dense(tmp_path_factory: pytest.TempPathFactory) -> Subject:
    return prepared("llama-8b", tmp_path_factory.mktemp("dense"))


def test_a_file_that_says_nothing_is_predicted_to_take_its_size() -> None:
    assert ollama.predicted_size(GiB, ModelFacts(None, None, None, None, None, 0, is_embedding=False), 4096) == GiB


def test_a_file_without_layers_has_no_cache() -> None:
    assert ollama.predicted_size(GiB, ModelFacts(None, None, 64, None, None, 0, is_embedding=False), 4096) == GiB


def test_a_file_without_heads_has_one() -> None:
    facts = ModelFacts(32, None, 4096, None, None, 0, is_embedding=False)

    assert ollama.predicted_size(0, facts, 256) == 2 * 32 * 1 * 4096 * 256 * 2


def test_heads_of_the_cache_that_are_not_said_are_one() -> None:
    assert ollama.predicted_size(0, ModelFacts(1, None, 64, 2, None, 0, is_embedding=False), 1) == 2 * 32 * 2


def test_one_device_is_taken_whatever_is_predicted() -> None:
    assert ollama.chosen_devices([card(0, 1)], HOST, 99 * GiB, spread=False) == (card(0, 1),)
    assert ollama.chosen_devices([], HOST, 1, spread=False) == ()


def test_a_prediction_of_nothing_takes_the_best_group() -> None:
    devices = (card(0, 8), card(1, 16))

    assert ollama.chosen_devices(devices, HOST, 0, spread=False) == devices
    assert ollama.chosen_devices(devices, HOST, 1, spread=False) == (card(1, 16),)


def test_of_equal_devices_the_first_is_taken() -> None:
    assert ollama.chosen_devices((card(0, 8), card(1, 8)), HOST, GiB, spread=False) == (card(0, 8),)


@pytest.mark.parametrize(
    ("context", "size", "offered", "batch"),
    [
        (4096, GiB, 24 * GiB, 512),
        (4097, GiB, 24 * GiB, 1024),
        (32768, GiB, 24 * GiB, 1024),
        (32769, GiB, 24 * GiB, 2048),
        (65536, 0, GiB, 2048),
        (65536, GiB, 0, 2048),
        (65536, 6 * GiB, 10 * GiB, 2048),  # 60 %, and 2 GiB below 80 %
        (65536, 6 * GiB + 1, 10 * GiB, 1024),
        (65536, 15 * GiB // 2, 10 * GiB, 512),  # 768 MiB more are above 80 %
        (65536, 29 * GiB // 4, 10 * GiB, 1024),  # 768 MiB more are just 80 %
        (65536, 29 * GiB // 4 + 1, 10 * GiB, 512),
        (65536, 4 * GiB, 15 * GiB // 2, 2048),
        (65536, 4 * GiB + 1, 15 * GiB // 2, 1024),
        (65536, 75 * GiB, 100 * GiB, 1024),
        (65536, 75 * GiB + 1, 100 * GiB, 512),
    ],
)
def test_the_batch_is_halved_until_it_fits(context: int, size: int, offered: int, batch: int) -> None:
    assert ollama.batch_for(ollama.Predicted(context, size), offered, [card()], "on") == batch


@pytest.mark.parametrize(
    ("context", "device", "batch"),
    [
        (4096, card(0, 8), 512),
        (4097, card(0, 8), 256),
        (4097, card(0, 8.5), 512),
        (4097, card(0, 24, free=8), 256),
        (4097, card(0, 8, free=24), 256),
        (4097, card(0, None), 512),
        (4097, card(0, 24, free=0), 512),
    ],
)
def test_without_flash_attention_a_cuda_card_of_8_gibibytes_is_small(context: int, device: Device, batch: int) -> None:
    assert ollama.batch_for(ollama.Predicted(context, GiB), GiB, [device], "off") == batch


def test_a_small_card_of_another_library_beside_it_does_not_count() -> None:
    devices = [card(0, 24), card(0, 4, library="ROCm")]

    assert ollama.batch_for(ollama.Predicted(8192, GiB), GiB, devices, "off") == 512


@pytest.mark.parametrize(
    ("size", "context"), [(23 * GiB - 1, 4096), (23 * GiB, 32768), (47 * GiB - 1, 32768), (47 * GiB, 262144), (0, 4096)]
)
def test_the_default_context_has_two_thresholds(size: int, context: int) -> None:
    assert ollama.default_context([Device("CUDA", 0, total_memory=size)], 0) == context


def test_overhead_is_taken_from_each_device() -> None:
    assert ollama.default_context([card(0, 24), card(1, 24)], GiB // 2) == 262144
    assert ollama.default_context([card(0, 24), card(1, 24)], GiB // 2 + 1) == 32768
    assert ollama.default_context([card(0, None), card(1, 30)], GiB) == 32768
    assert ollama.default_context([card(0, 24), card(1, None)], 2 * GiB) == 4096


def planned(subject: Subject, wish: Wish | None = None, **environ: str) -> Answer:
    return ollama.plan(subject, Machine((card(),), HOST, environ), wish or Wish())


def test_a_context_has_a_least_and_one_more_with_pictures(dense: Subject) -> None:
    answers = [planned(each, Wish(context=1)) for each in (dense, dense._replace(projector_size=1))]

    assert [answer.settings.context for answer in answers if answer.settings] == [4, 2048]


@pytest.mark.parametrize(
    ("projector", "wish", "environ", "target"),
    [
        (0, Wish(), {}, GiB),
        (GiB, Wish(), {}, 2 * GiB),
        (GiB, Wish(), {"LLAMA_ARG_FIT_TARGET": "512"}, 512 * MiB),
        (GiB, Wish(reserve=3), {"LLAMA_ARG_FIT_TARGET": "512"}, 3),
        (GiB, Wish(reserve=0), {}, 0),
        (0, Wish(), {"LLAMA_ARG_FIT_TARGET": "0"}, 0),
        (0, Wish(), {"LLAMA_ARG_FIT_TARGET": "9" * 15}, int("9" * 15) * MiB),
        (0, Wish(), {"LLAMA_ARG_FIT_TARGET": "9" * 16}, GiB),
        (0, Wish(), {"LLAMA_ARG_FIT_TARGET": "²"}, GiB),
        (0, Wish(), {"LLAMA_ARG_FIT_TARGET": "-5"}, GiB),
    ],
)
def test_what_stays_free_is_the_users_then_the_variables_then_the_projectors(
    dense: Subject, projector: int, wish: Wish, environ: dict[str, str], target: int
) -> None:
    answer = planned(dense._replace(projector_size=projector), wish, **environ)

    assert answer.placement is not None
    assert answer.placement.devices[0].reserve == target


@pytest.mark.parametrize(
    ("options", "wish", "layers", "chosen"),
    [
        ({}, Wish(), None, True),
        ({"num_gpu": -1}, Wish(), None, True),
        ({"num_gpu": 0}, Wish(), 0, False),
        ({"num_gpu": 5}, Wish(), 5, False),
        ({"num_gpu": 5}, Wish(layers=0), 0, False),
    ],
)
def test_layers_are_the_users_then_the_modelfiles(
    dense: Subject, options: dict[str, int], wish: Wish, layers: int | None, chosen: bool
) -> None:
    answer = planned(dense._replace(options=options), wish._replace(context=4096))

    assert answer.settings is not None
    assert (answer.settings.layers, answer.chosen) == (layers, chosen)


def test_a_batch_is_the_users_then_the_modelfiles(dense: Subject) -> None:
    told = dense._replace(options={"num_batch": 128})
    answers = [planned(told, Wish(ubatch=64)), planned(told), planned(dense, Wish(context=8192))]

    assert [(each.settings.batch, each.settings.ubatch) for each in answers if each.settings] == [
        *((64, 64), (128, 128), (1024, 1024))
    ]


@pytest.mark.parametrize(("name", "parallel"), [("llama-1b-tied", 3), ("lfm2-1.2b", 1)])
def test_some_models_serve_one_request_at_a_time(tmp_path: Path, name: str, parallel: int) -> None:
    path = str(MODELS[name]().write(tmp_path / "m.gguf"))
    answer = planned(Subject(gguf.read(path), path, path), Wish(context=4096), OLLAMA_NUM_PARALLEL="3")

    assert answer.settings is not None
    assert (answer.settings.parallel, answer.settings.context) == (parallel, 4096 * parallel)
    assert any("one request at a time" in note for note in answer.notes) is (parallel == 1)
    assert answer.settings.unified is (parallel == 1)


def test_a_model_that_makes_vectors_serves_one_request_at_a_time(dense: Subject) -> None:
    metadata = {**dense.model.metadata, "llama.pooling_type": 1}
    subject = dense._replace(model=dense.model._replace(metadata=metadata))

    assert any("one request" in note for note in planned(subject, Wish(parallel=2)).notes)
    assert not any("one request" in note for note in planned(subject, Wish(parallel=1)).notes)


def test_it_is_run_by_its_name_where_it_has_one(dense: Subject) -> None:
    assert planned(dense).command == ()
    assert planned(dense._replace(name="llama3:8b")).command == ("ollama", "run", "llama3:8b")


def test_what_a_request_cannot_say_is_a_variable_and_a_reserve_is_rounded_up(dense: Subject) -> None:
    answer = planned(dense, Wish(context=4096, parallel=2, reserve=MiB + 1))

    assert dict(answer.variables) == {
        "OLLAMA_CONTEXT_LENGTH": "4096",
        "OLLAMA_NUM_PARALLEL": "2",
        "LLAMA_ARG_FIT_TARGET": "2",
    }


def test_the_note_says_what_was_predicted_and_of_what(dense: Subject) -> None:
    notes = planned(dense, Wish(context=8192)).notes

    assert notes[0].startswith("Ollama predicts 5.5 GiB and compares it with 80 % of 24.0 GiB on CUDA:0;")
    assert not any("OVERHEAD" in note for note in notes)
    assert any("OVERHEAD" in note for note in planned(dense, OLLAMA_GPU_OVERHEAD="1000").notes)


def test_more_context_than_was_trained_is_not_predicted_for(dense: Subject) -> None:
    trained, more = (planned(dense, Wish(context=context)).notes[0] for context in (131072, 262144))

    assert trained == more


def test_without_a_device_or_a_gguf_there_is_no_plan(dense: Subject) -> None:
    other = dense._replace(model=dense.model._replace(format="safetensors"))

    assert planned(other).because == "Ollama's llama.cpp loads GGUF, and this is safetensors"
    assert ollama.plan(dense, on(), Wish()).because == "Ollama has no library for any of these devices"
