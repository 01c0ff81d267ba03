"""Ollama since it leaves the layers to llama.cpp (May 2026; read at commit fb307609, August 2026, with llama.cpp b10488).

It predicts roughly, chooses devices and batch by that, and starts `llama-server` with a fixed context, whose fit then places
the layers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from gpuprobe import environment
from gpuprobe.judging import flash_attention
from gpuprobe.libraries import CUDA
from gpuprobe.model import Device, GiB, MiB
from gpuprobe.planning.engines import device_choice, llama_cpp
from gpuprobe.planning.engines.engine_records import Answer, HostMemory, Machine, Outlook, Subject, Wish, selector_of
from gpuprobe.planning.engines.layouts import Sizes, UnknownSizes
from gpuprobe.planning.engines.model_facts import ModelFacts, facts_of
from gpuprobe.planning.engines.outlook import Room, judged
from gpuprobe.planning.records import FlashAttention, Settings, Unplannable
from gpuprobe.strings import size_text

NAME = "ollama"
_SHARE = 80  # percent of what is available that a prediction may take
_TIERS = ((47 * GiB, 262144), (23 * GiB, 32768), (0, 4096))  # total memory → context
_ONE_AT_A_TIME = (
    *("mllama", "qwen3vl", "qwen3vlmoe", "qwen35", "qwen35moe", "qwen3next"),
    *("lfm2", "lfm2moe", "nemotron_h", "nemotron_h_moe", "nemotron_h_omni"),
)
_LEAST_CONTEXT, _LEAST_WITH_PICTURES = 4, 2048
_PROJECTOR_ROOM = GiB  # set aside beside a projector's weights
_SURCHARGES = {2048: 2 * GiB, 1024: 768 * MiB}  # batch → what it is taken to cost
_HEADROOMS = {2048: 60, 1024: 75}  # batch → percent that the prediction may take beside it
_AS_VARIABLE: dict[FlashAttention | None, int] = {
    FlashAttention.ON: 1,
    FlashAttention.OFF: 0,
}  # what is left to Ollama is not said


def plan(subject: Subject, machine: Machine, wish: Wish) -> Answer:
    if not subject.model.format.startswith("GGUF"):
        return Answer(NAME, Outlook.NOT_PLANNED, f"Ollama's llama.cpp loads GGUF, and this is {subject.model.format}")
    shown = tuple(device for device in machine.devices if device_choice.is_of_a_build(device))
    if not shown:
        return Answer(NAME, Outlook.NOT_PLANNED, "Ollama has no library for any of these devices")
    return _Loading(subject, machine._replace(devices=shown), wish).answer()


class Predicted(NamedTuple):
    """What Ollama thinks, which is not what will be used."""

    context: int  # of all sequences together
    size: int


def predicted_size(file_size: int, facts: ModelFacts, context: int) -> int:
    """File size and a cache whose head size is derived: wrong for own head sizes, windows, compressed and recurrent caches."""
    heads, embedding = facts.heads_most or 1, facts.embedding or 0
    # Its counts are without a sign, and a file that says nothing has one head.
    cache = 2 * (facts.blocks or 0) * (facts.key_value_heads_least or 1) * (embedding // heads) * context * 2
    return file_size + cache


def chosen_devices(devices: Sequence[Device], host: HostMemory, size: int, *, spread: bool) -> tuple[Device, ...]:
    """One device, where the prediction is at most 80 % of what it has; else the best group of one library."""
    if len(devices) <= 1:
        return tuple(devices)
    if not spread and size > 0:
        fitting = [each for each in devices if size <= device_choice.available([each], host) * _SHARE // 100]
        if fitting:
            # The first of equals, as Ollama goes through them by library.
            in_groups = [device for group in device_choice.groups(devices) for device in group if device in fitting]
            return (
                max(in_groups, key=lambda each: (not device_choice.is_integrated(each), device_choice.available([each], host))),
            )
    return device_choice.best_group(devices, host)


def batch_for(predicted: Predicted, available: int, devices: Sequence[Device], flash: str) -> int:
    """Tokens at a time, by context and by the memory that is left."""
    is_cuda = any(device.library == CUDA.name for device in devices)
    if flash == "off" and is_cuda:
        return 256 if predicted.context > 4096 and _has_a_small_cuda_card(devices) else 512
    batch = 2048 if predicted.context > 32768 else 1024 if predicted.context > 4096 else 512
    while batch > 512 and not _batch_fits(batch, predicted.size, available):
        batch //= 2
    return batch


def _batch_fits(batch: int, size: int, available: int) -> bool:
    if size == 0 or available == 0:
        return True
    limit = available * _SHARE // 100
    return size <= limit and size <= available * _HEADROOMS[batch] // 100 and _SURCHARGES[batch] <= limit - size


def _has_a_small_cuda_card(devices: Sequence[Device]) -> bool:
    memory = (min(each.free_memory or 0, each.total_memory or 0) for each in devices if each.library == CUDA.name)
    return any(0 < size <= 8 * GiB for size in memory)


def default_context(devices: Sequence[Device], overhead: int) -> int:
    """By the total memory of all devices; the thresholds are a little below 48 and 24 GiB."""
    total = sum((device.total_memory or 0) - overhead for device in devices)
    return next(context for least, context in _TIERS if total >= least or least == 0)


class _Loading:
    """One model being loaded, step by step as the scheduler does it."""

    def __init__(self, subject: Subject, machine: Machine, wish: Wish) -> None:
        self._subject, self._machine, self._wish = subject, machine, wish
        self._facts = facts_of(subject.model)
        self._environ = machine.environ
        self._notes: list[str] = []

    def answer(self) -> Answer:
        context, parallel = self._context(), self._parallel()
        trained = self._facts.trained_context
        predicted_context = min(context, trained or context) * parallel
        size = predicted_size(self._subject.model.file_size, self._facts, predicted_context)
        predicted = Predicted(predicted_context, size)
        devices = self._devices(size)
        flash = flash_attention.effective(self._environ, flash_attention.of_set(devices))
        settings = self._settings(context * parallel, parallel, devices, predicted, flash)
        self._say(predicted, devices)
        margins = (self._target(),) * len(devices)
        return self._placed(devices, settings, margins)

    def _placed(self, devices: tuple[Device, ...], settings: Settings, margins: tuple[int, ...]) -> Answer:
        answer = Answer(NAME, Outlook.UNKNOWN, "", settings=settings, notes=tuple(self._notes))
        try:
            sizes = Sizes(self._subject.planner, tuple(map(device_choice.for_engine, devices, margins)), settings)
            chosen = sizes.fitted(margins, experts=self._facts.experts > 0, trained_context=self._facts.trained_context)
            placement, settings = sizes.place(chosen.layout), sizes.settings_of(chosen.layout)
        except Unplannable as problem:
            return answer._replace(outlook=Outlook.NOT_PLANNED, because=str(problem))
        except UnknownSizes as unknown:
            room = Room(self._machine, devices, margins)
            return judged(answer._replace(placement=unknown.placement), room, self._wish)
        answer = answer._replace(
            placement=placement,
            settings=settings,
            command=("ollama", "run", self._subject.name) if self._subject.name else (),
            variables=tuple(self._variables(devices)),
            notes=(*answer.notes, *(() if chosen.gave_up is None else (chosen.gave_up,)), *placement.notes),
            chosen=self._layers() is None,
        )
        hoped = sizes.hoped(chosen.layout.context, placement)
        return judged(answer, Room(self._machine, devices, margins, hoped), self._wish)

    def _context(self) -> int:
        """A request's beats the Modelfile's, which beats the variable, which beats the tier."""
        told = (self._wish.context, self._subject.options.get("num_ctx"), _number(self._environ, "OLLAMA_CONTEXT_LENGTH"))
        tier = default_context(self._machine.devices, _number(self._environ, "OLLAMA_GPU_OVERHEAD") or 0)
        least = _LEAST_WITH_PICTURES if self._subject.projector_size else _LEAST_CONTEXT
        return max(next((each for each in told if each), tier), least)

    def _parallel(self) -> int:
        parallel = self._wish.parallel or _number(self._environ, "OLLAMA_NUM_PARALLEL") or 1
        if parallel > 1 and (self._subject.model.architecture in _ONE_AT_A_TIME or self._facts.is_embedding):
            self._notes.append("Ollama serves one request at a time with this model")
            return 1
        return parallel

    def _devices(self, size: int) -> tuple[Device, ...]:
        spread = environment.truth(self._environ.get("OLLAMA_SCHED_SPREAD")) is True
        return chosen_devices(self._machine.devices, self._machine.host, size, spread=spread)

    def _settings(
        self,
        context: int,
        parallel: int,
        devices: Sequence[Device],
        predicted: Predicted,
        flash: flash_attention.Effective,
    ) -> Settings:
        available = device_choice.available(devices, self._machine.host)
        state = self._wish.flash_attention.value if self._wish.flash_attention else flash.flash_attention
        told = self._wish.ubatch or self._subject.options.get("num_batch")
        batch = told or batch_for(predicted, available, devices, state)
        return Settings(
            context=context,
            parallel=parallel,
            unified=parallel == 1,
            cache_type_k=self._wish.cache_type_k or flash.cache_type.upper(),
            cache_type_v=self._wish.cache_type_v or flash.cache_type.upper(),
            flash_attention=FlashAttention(state) if state in ("on", "off") else FlashAttention.AUTO,
            batch=batch,
            ubatch=batch,
            layers=self._layers(),
        )

    def _layers(self) -> int | None:
        told = self._wish.layers if self._wish.layers is not None else self._subject.options.get("num_gpu", -1)
        return None if told < 0 else told

    def _target(self) -> int:
        told = _number(self._environ, "LLAMA_ARG_FIT_TARGET")
        if self._wish.reserve is not None:
            return self._wish.reserve
        if told is not None:
            return told * MiB
        return self._subject.projector_size + _PROJECTOR_ROOM if self._subject.projector_size else llama_cpp.TARGET

    def _say(self, predicted: Predicted, devices: Sequence[Device]) -> None:
        offered = device_choice.available(devices, self._machine.host)
        names = ", ".join(map(selector_of, devices))
        self._notes.append(
            f"Ollama predicts {size_text(predicted.size)} and compares it with {_SHARE} % of {size_text(offered)} on {names};"
            " llama.cpp then places the layers by what they really take"
        )
        if _number(self._environ, "OLLAMA_GPU_OVERHEAD"):
            self._notes.append(
                "`OLLAMA_GPU_OVERHEAD` changes the default context alone; `LLAMA_ARG_FIT_TARGET` keeps memory free"
            )

    def _variables(self, devices: Sequence[Device]) -> list[tuple[str, str]]:
        """For the server, what the user wishes and a request cannot say."""
        wish = self._wish
        told = {
            "OLLAMA_CONTEXT_LENGTH": wish.context,
            "OLLAMA_NUM_PARALLEL": wish.parallel,
            "OLLAMA_FLASH_ATTENTION": _AS_VARIABLE.get(wish.flash_attention),
            "OLLAMA_KV_CACHE_TYPE": wish.cache_type_k and wish.cache_type_k.lower(),
            "LLAMA_ARG_FIT_TARGET": None if wish.reserve is None else -(-wish.reserve // MiB),
        }
        return [(name, str(value)) for name, value in told.items() if value is not None]


def _number(environ: Mapping[str, str], name: str) -> int | None:
    value = environment.cleaned(environ.get(name, ""))
    return int(value) if value.isascii() and value.isdigit() and len(value) < 16 else None
