"""The rules of llama.cpp, Ollama and vLLM on machines that can be checked by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from gpuprobe.model import Device, DeviceType, GiB, MiB
from gpuprobe.modelfile import gguf, safetensors
from gpuprobe.planning.engines import llama_cpp, ollama, vllm
from gpuprobe.planning.engines.engine_records import HostMemory, Machine, Outlook, Subject, Wish
from gpuprobe.planning.engines.model_facts import ModelFacts
from gpuprobe.planning.records import FlashAttention
from tests.models import CONFIG, a_dense_model, a_directory_of_safetensors, a_mixture_of_experts

HOST = HostMemory(total=64 * GiB, available=48 * GiB)


def card(number: int = 0, total: int = 24, free: float | None = None, library: str = "CUDA", **more: object) -> Device:
    size = int((total if free is None else free) * GiB)
    known = {"type": DeviceType.DISCRETE, "compute_major": 8, "compute_minor": 9, **more}
    return Device(library, number, ordinal=number, total_memory=total * GiB, free_memory=size, **known)  # type: ignore[arg-type]


def on(*devices: Device, **environ: str) -> Machine:
    return Machine(devices, HOST, environ)


@pytest.fixture(scope="session")
def dense(tmp_path_factory: pytest.TempPathFactory) -> Subject:
    path = a_dense_model(tmp_path_factory.mktemp("dense"))
    return Subject(gguf.read(path), path, path)


@pytest.fixture(scope="session")
def experts(tmp_path_factory: pytest.TempPathFactory) -> Subject:
    path = a_mixture_of_experts(tmp_path_factory.mktemp("experts"))
    return Subject(gguf.read(path), path, path)


@pytest.fixture(scope="session")
def tensors(tmp_path_factory: pytest.TempPathFactory) -> Subject:
    path = a_directory_of_safetensors(tmp_path_factory.mktemp("hub") / "llama")
    return Subject(safetensors.read(path), path, path)


class TestLlamaCpp:
    def test_takes_discrete_devices_of_one_library_and_integrated_ones_where_there_is_nothing_else(self) -> None:
        integrated = card(2, 16, type=DeviceType.INTEGRATED)

        assert llama_cpp.usable(on(card(0), card(1), integrated, card(0, 96, library="Vulkan")), Wish()) == (
            card(0, 96, library="Vulkan"),
        )
        assert llama_cpp.usable(on(card(0), integrated), Wish()) == (card(0),)
        assert llama_cpp.usable(on(integrated), Wish()) == (integrated,)

    def test_takes_what_is_named_and_says_what_a_mixture_needs(self, dense: Subject) -> None:
        answer = llama_cpp.plan(dense, on(card(0), card(0, library="Vulkan")), Wish(context=4096, devices_are_named=True))

        assert "-dev CUDA0,Vulkan0" in " ".join(answer.command)
        assert any("a build of llama.cpp that holds a backend for each" in note for note in answer.notes)

    def test_leaves_a_gibibyte_free_or_what_is_reserved_and_the_librarys_own(self) -> None:
        assert llama_cpp.margin_of(card(), Wish()) == GiB
        assert llama_cpp.margin_of(card(), Wish(reserve=2 * GiB)) == 2 * GiB + 457 * MiB
        assert llama_cpp.margin_of(card(library="Metal"), Wish(reserve=0)) == 512 * MiB

    def test_several_sequences_have_a_cache_each(self, dense: Subject) -> None:
        one, four = (llama_cpp.plan(dense, on(card()), Wish(context=8192, parallel=count)) for count in (1, 4))

        assert one.settings is not None and four.settings is not None
        assert (one.settings.unified, four.settings.unified) == (True, False)

    def test_the_patterns_of_many_layers_are_one(self, experts: Subject) -> None:
        answer = llama_cpp.plan(experts, on(card(0, 8)), Wish(context=4096))
        patterns = answer.command[answer.command.index("-ot") + 1].split(",")

        assert 1 <= len(patterns) <= 2
        assert all(pattern.startswith("blk\\.") and pattern.endswith("=CPU") for pattern in patterns)

    def test_a_projector_is_left_room_for_on_the_first_device_and_loaded(self, dense: Subject) -> None:
        subject = dense._replace(projector="/models/projector.gguf", projector_size=GiB)
        answer = llama_cpp.plan(subject, on(card(0), card(1)), Wish(context=4096))

        assert answer.placement is not None
        assert [place.reserve for place in answer.placement.devices] == [2 * GiB, GiB]
        assert answer.command[-2:] == ("--mmproj", "/models/projector.gguf")

    def test_does_not_load_safetensors(self, tensors: Subject) -> None:
        answer = llama_cpp.plan(tensors, on(card()), Wish())

        assert (answer.outlook, answer.because) == (Outlook.NOT_PLANNED, "llama.cpp loads GGUF, and this is safetensors")


FACTS = ModelFacts(32, 131072, 4096, 32, 8, 0, is_embedding=False)


class TestOllama:
    def test_predicts_file_size_and_a_cache_of_derived_heads(self) -> None:
        """2 * 32 layers * 8 heads * 128 * 8192 tokens * 2 bytes."""
        assert ollama.predicted_size(5 * GiB, FACTS, 8192) == 6 * GiB

    def test_the_head_is_derived_also_where_the_file_says_another(self) -> None:
        """2048 / 32 is 64 where a Qwen3-30B-A3B has 128: half of its cache is missing."""
        qwen = ModelFacts(48, 40960, 2048, 32, 4, 128, is_embedding=False)

        assert ollama.predicted_size(0, qwen, 4096) == 2 * 48 * 4 * 64 * 4096 * 2

    def test_one_device_will_do_where_the_prediction_is_80_percent_of_it(self) -> None:
        devices = (card(0, 10), card(1, 20))
        chosen = ollama.chosen_devices(devices, HOST, 16 * GiB, spread=False)

        assert chosen == (card(1, 20),)
        assert ollama.chosen_devices(devices, HOST, 16 * GiB + 1, spread=False) == devices

    def test_of_several_that_will_do_it_is_the_discrete_one_with_most_free(self) -> None:
        integrated = card(0, 40, type=DeviceType.INTEGRATED, library="Vulkan")
        devices = (card(0, 12), card(1, 16), integrated)

        assert ollama.chosen_devices(devices, HOST, GiB, spread=False) == (card(1, 16),)

    def test_spread_takes_the_whole_group_of_a_library(self) -> None:
        devices = (card(0, 12), card(1, 16), card(0, 24, library="ROCm"))

        assert ollama.chosen_devices(devices, HOST, GiB, spread=True) == devices[:2]

    def test_libraries_are_not_mixed(self) -> None:
        devices = (card(0, 12), card(0, 24, library="ROCm"))

        assert ollama.chosen_devices(devices, HOST, 30 * GiB, spread=False) == (card(0, 24, library="ROCm"),)

    @pytest.mark.parametrize(
        ("context", "size", "available", "batch"),
        [
            (4096, 1, 24 * GiB, 512),
            (8192, 10 * GiB, 24 * GiB, 1024),
            (8192, 19 * GiB, 24 * GiB, 512),  # more than 75 %
            (65536, 10 * GiB, 24 * GiB, 2048),
            (65536, 15 * GiB, 24 * GiB, 1024),  # more than 60 %
            (65536, 20 * GiB, 24 * GiB, 512),
        ],
    )
    def test_the_batch_follows_context_and_memory(self, context: int, size: int, available: int, batch: int) -> None:
        assert ollama.batch_for(ollama.Predicted(context, size), available, [card()], "auto") == batch

    def test_without_flash_attention_a_small_cuda_card_gets_a_small_batch(self) -> None:
        predicted = ollama.Predicted(8192, GiB)

        assert ollama.batch_for(predicted, 8 * GiB, [card(0, 8)], "off") == 256
        assert ollama.batch_for(predicted, 24 * GiB, [card(0, 24)], "off") == 512
        assert ollama.batch_for(predicted, 8 * GiB, [card(0, 8, library="ROCm")], "off") == 1024

    @pytest.mark.parametrize(("total", "context"), [(22, 4096), (23, 32768), (46, 32768), (47, 262144)])
    def test_the_default_context_is_a_tier_of_total_memory(self, total: int, context: int) -> None:
        assert ollama.default_context([card(0, total)], 0) == context

    def test_overhead_changes_the_tier_alone(self) -> None:
        assert ollama.default_context([card(0, 24)], 2 * GiB) == 4096

    def test_a_request_beats_the_modelfile_and_that_the_variable(self, dense: Subject) -> None:
        variable = on(card(), OLLAMA_CONTEXT_LENGTH="2048")
        stored = dense._replace(options={"num_ctx": 4096})

        contexts = [
            answer.placement.context_length
            for answer in (
                ollama.plan(dense, variable, Wish()),
                ollama.plan(stored, variable, Wish()),
                ollama.plan(stored, variable, Wish(context=8192)),
            )
            if answer.placement
        ]

        assert contexts == [2048, 4096, 8192]

    def test_the_context_is_fixed_and_layers_go_to_the_host_instead(self, dense: Subject) -> None:
        answer = ollama.plan(dense, on(card(0, 6)), Wish(context=32768))

        assert answer.placement is not None
        assert answer.placement.context_length == 32768
        assert answer.outlook is Outlook.WITH_HOST

    def test_parallel_requests_multiply_the_context(self, dense: Subject) -> None:
        answer = ollama.plan(dense, on(card(), OLLAMA_NUM_PARALLEL="4"), Wish(context=4096))

        assert answer.placement is not None and answer.placement.context_length == 4 * 4096

    def test_a_cache_type_needs_flash_attention(self, dense: Subject) -> None:
        with_it = ollama.plan(dense, on(card(), OLLAMA_KV_CACHE_TYPE="q8_0", OLLAMA_FLASH_ATTENTION="1"), Wish())
        without = ollama.plan(dense, on(card(), OLLAMA_KV_CACHE_TYPE="q8_0", OLLAMA_FLASH_ATTENTION="0"), Wish())

        assert with_it.settings is not None and with_it.settings.cache_type_k == "Q8_0"
        assert without.settings is not None
        assert (without.settings.cache_type_k, without.settings.flash_attention) == ("F16", FlashAttention.OFF)

    @pytest.mark.parametrize(
        ("wish", "variables"),
        [
            (Wish(flash_attention=FlashAttention.ON, cache_type_k="Q8_0"), {"FLASH_ATTENTION": "1", "KV_CACHE_TYPE": "q8_0"}),
            (Wish(flash_attention=FlashAttention.OFF), {"FLASH_ATTENTION": "0"}),
            (Wish(flash_attention=FlashAttention.AUTO), {}),
            (Wish(), {}),
        ],
    )
    def test_what_is_wished_of_the_cache_is_a_variable_of_the_server(
        self, dense: Subject, wish: Wish, variables: dict[str, str]
    ) -> None:
        answer = ollama.plan(dense, on(card()), wish)

        assert dict(answer.variables) == {f"OLLAMA_{name}": value for name, value in variables.items()}

    def test_the_variable_of_llama_cpp_says_in_mebibytes_what_stays_free(self, dense: Subject) -> None:
        answer = ollama.plan(dense, on(card(), LLAMA_ARG_FIT_TARGET="2048"), Wish())

        assert answer.placement is not None
        assert answer.placement.devices[0].reserve == 2 * GiB

    def test_a_projector_is_set_aside_with_a_gibibyte(self, dense: Subject) -> None:
        answer = ollama.plan(dense._replace(projector_size=GiB), on(card()), Wish())

        assert answer.placement is not None
        assert answer.placement.devices[0].reserve == 2 * GiB


class TestVllm:
    def test_sizes_divide_the_heads(self) -> None:
        shape = vllm.Shape(32, 28, 4, 128, 32768, 2)

        assert list(vllm.parallel_sizes(shape, 8)) == [1, 2, 4]

    def test_more_devices_than_heads_of_the_cache_repeat_them(self) -> None:
        shape = vllm.Shape(32, 32, 2, 128, 32768, 2)

        assert list(vllm.parallel_sizes(shape, 8)) == [1, 2, 4, 8]
        assert vllm.cache_per_token(shape, 8) == vllm.cache_per_token(shape, 2)

    def test_heads_that_are_repeated_take_memory_on_every_device(self, tensors: Subject) -> None:
        """Keys and values of 2 heads on 8 devices: a half on each, not an eighth."""
        shape = vllm.Shape(32, 32, 2, 128, 32768, 2)
        keys = [each for each in tensors.model.tensors if "k_proj" in each.name or "v_proj" in each.name]
        model = tensors.model._replace(tensors=tuple(keys))

        assert vllm.weights_per_device(model, shape, 8) == vllm.weights_per_device(model, shape, 2)

    def test_a_token_takes_keys_and_values_of_every_layer(self) -> None:
        assert vllm.cache_per_token(vllm.Shape(32, 32, 8, 128, None, 2), 1) == 32 * 2 * 8 * 128 * 2

    def test_a_compressed_cache_is_whole_on_every_device(self) -> None:
        shape = vllm.Shape(61, 128, 128, 128, None, 2, latent=576)

        assert vllm.cache_per_token(shape, 1) == vllm.cache_per_token(shape, 8) == 61 * 576 * 2

    def test_layers_with_a_window_stop_growing(self) -> None:
        shape = vllm.Shape(10, 8, 8, 64, None, 2, windowed_layers=5, window=1024)

        assert vllm.window_cache(shape, 1, 512) * 2 == vllm.window_cache(shape, 1, 1024) == vllm.window_cache(shape, 1, 9999)

    def test_92_percent_of_a_device_hold_weights_and_blocks(self, tensors: Subject) -> None:
        """22.08 GiB, 14.96 of them weights: 7.1 GiB are 58,346 tokens of 128 KiB, in blocks of 16."""
        answer = vllm.plan(tensors, on(card()), Wish(context=8192))

        assert answer.outlook is Outlook.FITS
        assert "at most 58336 tokens of cache" in answer.because

    def test_what_others_hold_lowers_the_share_that_can_be_asked_for(self, tensors: Subject) -> None:
        answer = vllm.plan(tensors, on(card(0, 24, free=20)), Wish(context=8192))

        assert answer.command[-2:] == ("--gpu-memory-utilization", "0.83")

    def test_two_devices_share_what_one_cannot_hold(self, tensors: Subject) -> None:
        answer = vllm.plan(tensors, on(card(0, 12), card(1, 12)), Wish(context=8192))

        assert answer.outlook is Outlook.FITS
        assert answer.command[5:7] == ("--tensor-parallel-size", "2")

    def test_what_does_not_fit_says_which_context_would(self, tensors: Subject) -> None:
        answer = vllm.plan(tensors, on(card()), Wish())

        assert answer.outlook is Outlook.TOO_LARGE
        assert "`--context 58336`" in answer.because

    def test_only_cuda_and_rocm_are_planned(self, tensors: Subject) -> None:
        assert vllm.plan(tensors, on(card(library="Vulkan")), Wish()).outlook is Outlook.NOT_PLANNED

    def test_a_configuration_that_says_little_leaves_weights_alone(self, tmp_path: Path) -> None:
        path = a_directory_of_safetensors(tmp_path / "odd", {"architectures": CONFIG["architectures"]})
        answer = vllm.plan(Subject(safetensors.read(path), path, path), on(card()), Wish())

        assert answer.outlook is Outlook.UNKNOWN
        assert "names no layers and heads" in answer.because
