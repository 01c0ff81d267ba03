"""Our figures beside the real engine's: `python -m tests.plan_truth DIRECTORY [MODEL…]` prints every row that is off.

DIRECTORY holds llama-server and ggml-rpc-server; MODEL is a name out of `tests.made_up_models` or a GGUF file. With `--record`
before it, what the engine says of all of those models goes to `tests/engine_rows.tsv`, for the tests that run without it.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from gpuprobe.modelfile.gguf import read
from gpuprobe.planning.placement import Planner
from gpuprobe.planning.records import Device, FlashAttention, Model, Override, Place, Settings, Source, SplitMode
from tests import engine_rows
from tests.engine_truth import Engine, Refused, Taken, engine, version
from tests.made_up_models import MODELS

MiB = 1 << 20
MEMORY = (24576, 24576)
HALF = -1  # of the model's layers


class Case(NamedTuple):
    devices: int
    settings: Settings


ALL = 1 << 16
ONE = Settings(context=4096, unified=False)
CASES: dict[str, Case] = {
    "full": Case(1, ONE),
    "long": Case(1, ONE._replace(context=32768)),
    "half": Case(1, ONE._replace(layers=HALF)),
    "output": Case(1, ONE._replace(layers=1)),
    "none": Case(1, ONE._replace(layers=0)),
    "no flash attention": Case(1, ONE._replace(flash_attention=FlashAttention.OFF)),
    "half, no flash attention": Case(1, ONE._replace(context=8192, layers=HALF, flash_attention=FlashAttention.OFF)),
    "wide batch": Case(1, ONE._replace(ubatch=2048)),
    "four sequences": Case(1, ONE._replace(context=8192, parallel=4)),
    "four in one cache": Case(1, ONE._replace(context=8192, parallel=4, unified=True)),
    "two cards": Case(2, ONE),
    "two cards, uneven": Case(2, ONE._replace(tensor_split=(3.0, 1.0))),
    "two cards, half": Case(2, ONE._replace(layers=HALF)),
    "two cards, no flash attention": Case(2, ONE._replace(context=8192, flash_attention=FlashAttention.OFF)),
    "layers on the host by name": Case(1, ONE._replace(overrides=(Override(pattern=r"blk\.[0-3]\.ffn.*", device=None),))),
    "cache on the host": Case(1, ONE._replace(offload_cache=False)),
}
QUANTIZED = {"quantised cache": Case(1, ONE._replace(cache_type_k="q8_0", cache_type_v="q8_0"))}
EXPERTS = {
    "experts on the host": Case(1, ONE._replace(cpu_moe_layers=ALL)),
    "two layers' experts on the host": Case(1, ONE._replace(cpu_moe_layers=2)),
}

# What only the record holds: borders of a rule, and settings that few people set.
MORE = {
    "half, 31 rows": Case(1, ONE._replace(layers=HALF, ubatch=31)),
    "half, 32 rows": Case(1, ONE._replace(layers=HALF, ubatch=32)),
    "half, operations stay": Case(1, ONE._replace(layers=HALF, operation_offload=False)),
    "less than a batch": Case(1, ONE._replace(context=256)),
    "three sequences": Case(1, ONE._replace(context=10000, parallel=3, ubatch=500)),
    "three in one cache, half": Case(1, ONE._replace(context=10000, parallel=3, unified=True, layers=HALF)),
    "four sequences, cache on the host": Case(1, ONE._replace(context=8192, parallel=4, offload_cache=False)),
    "two cards, cache on the host": Case(2, ONE._replace(offload_cache=False)),
    "two cards, half, four sequences": Case(2, ONE._replace(context=8192, parallel=4, layers=HALF)),
    "two cards, four sequences": Case(2, ONE._replace(context=8192, parallel=4, flash_attention=FlashAttention.OFF)),
    "two cards, layers on the host by name": Case(
        2, ONE._replace(overrides=(Override(pattern=r"blk\.[0-3]\.ffn.*", device=None),))
    ),
    "half, flash attention": Case(1, ONE._replace(layers=HALF, flash_attention=FlashAttention.ON)),
    "norms on the host by name": Case(1, ONE._replace(overrides=(Override(pattern=r"attn_norm|ssm", device=None),))),
}
MORE_EXPERTS = {"two cards, two layers' experts on the host": Case(2, ONE._replace(cpu_moe_layers=2))}
WINDOWED = {
    "whole windows": Case(1, ONE._replace(context=32768, swa_full=True)),
    "long, four in one cache": Case(1, ONE._replace(context=65536, parallel=4, unified=True)),
    "long, no flash attention": Case(1, ONE._replace(context=32768, flash_attention=FlashAttention.OFF)),
}
MORE_QUANTIZED = {
    "quantised keys, half": Case(1, ONE._replace(cache_type_k="q4_0", layers=HALF)),
    "quantised keys, no flash attention": Case(1, ONE._replace(cache_type_k="q8_0", flash_attention=FlashAttention.OFF)),
}
# What moves the compute buffer by some KiB is seen where these say in which mebibyte it ends: shares of experts, which stay for
# longer where they are not normed, and the kind of norm where a batch is so small that its device is set.
CLOSE = {
    "qwen2moe-14b": {"quantised cache, 1028 rows": Case(1, QUANTIZED["quantised cache"].settings._replace(ubatch=1028))},
    "olmoe-7b": {"quantised cache, 509 rows": Case(1, QUANTIZED["quantised cache"].settings._replace(ubatch=509))},
    "command-r7": {"one row": Case(1, ONE._replace(ubatch=1))},
    "cohere2-7b": {"one row": Case(1, ONE._replace(ubatch=1))},
}

# What differs most from one architecture to the next; CI tries no more with each.
TELLING_MORE = (
    *("half, 32 rows", "three in one cache, half", "two cards, four sequences", "two cards, half, four sequences"),
    "norms on the host by name",
)
TELLING = ("full", "half", "half, no flash attention", "four sequences", "two cards", "cache on the host")

# With these CI tries every case.
WHOLE = {
    "llama-8b",
    "qwen3moe-30b",
    "gemma3-4b",
    "gpt-oss-20b",
    "deepseek3-small",
    "jamba-mini",
    "qwen3next-small",
    "glm4moe-small",
}


def cases(name: str, *, brief: bool = False) -> dict[str, Case]:
    """What is tried with a model; `brief` leaves out what says little about its architecture."""
    found = {case: CASES[case] for case in TELLING} if brief else dict(CASES)
    if not name.startswith("mamba"):
        found |= QUANTIZED
    has_experts = name in MODELS and any("_exps" in tensor for tensor, _, _ in MODELS[name]().tensors)
    return found | EXPERTS if has_experts else found


def recorded_cases(name: str) -> dict[str, Case]:
    found = cases(name, brief=name not in WHOLE)
    found |= MORE if name in WHOLE else {case: MORE[case] for case in TELLING_MORE}
    if EXPERTS.keys() <= found.keys() and name in WHOLE:
        found |= MORE_EXPERTS
    if not name.startswith("mamba"):
        found |= MORE_QUANTIZED
    found |= CLOSE.get(name, {})
    return found | WINDOWED if any("sliding_window" in key for key in MODELS[name]().metadata) else found


def arguments(settings: Settings) -> list[str]:
    """The settings as llama-server's options."""
    result = ["-c", str(settings.context), "-np", str(settings.parallel), "-ub", str(settings.ubatch)]
    result += [
        "-fa",
        settings.flash_attention.value,
        "-ctk",
        settings.cache_type_k.lower(),
        "-ctv",
        settings.cache_type_v.lower(),
    ]
    if settings.unified:
        result.append("-kvu")
    if settings.layers is not None:
        result += ["-ngl", str(settings.layers)]
    if settings.tensor_split:
        result += ["-ts", ",".join(f"{share:g}" for share in settings.tensor_split)]
    if settings.split_mode is not SplitMode.LAYER:
        result += ["-sm", settings.split_mode.value]
    if settings.cpu_moe_layers:
        result += ["-cmoe"] if settings.cpu_moe_layers == ALL else ["-ncmoe", str(settings.cpu_moe_layers)]
    if settings.swa_full:
        result.append("--swa-full")
    if not settings.operation_offload:
        result.append("--no-op-offload")
    for override in settings.overrides:
        result += ["-ot", f"{override.pattern}=CPU"]
    return result if settings.offload_cache else [*result, "-nkvo"]


class Row(NamedTuple):
    """One device in one case: what the engine takes, and what we say."""

    case: str
    device: str
    truth: Taken
    ours: Place

    @property
    def faults(self) -> list[str]:
        """What is outside the bars: weights and cache 1 MiB, compute 5 MiB or 2 %; a bound at most 15 % over."""
        found = []
        for name, figure, size in (
            ("weights", self.ours.model, self.truth.model),
            ("cache", self.ours.context, self.truth.context),
        ):
            # The engine rounds down to whole MiB.
            if figure.bytes is None or not size - 1 <= figure.bytes / MiB < size + 2:
                found.append(name)
        compute, size = self.ours.compute, self.truth.compute
        if compute.bytes is None:
            return [*found, "compute"]
        mine = compute.bytes / MiB
        near = abs(mine - size) <= max(5.0, size * 0.02)
        above = compute.source is Source.BOUND and size * 0.98 <= mine <= size * 1.15
        return found if near or above else [*found, "compute"]

    @property
    def unlike(self) -> list[str]:
        """What would not be printed as the engine prints it."""
        pairs = zip(Taken._fields, (self.ours.model, self.ours.context, self.ours.compute), self.truth, strict=True)
        return [name for name, figure, size in pairs if figure.bytes is None or figure.bytes // MiB != size]

    def __str__(self) -> str:
        ours = [
            figure.bytes and round(figure.bytes / MiB, 1) for figure in (self.ours.model, self.ours.context, self.ours.compute)
        ]
        return f"{self.case:32} {self.device:5} engine {tuple(self.truth)} ours {ours} {', '.join(self.faults)}"


def rows(running: Engine, path: Path, case: str, asked: Case) -> list[Row]:
    model = read(path)
    settings = settings_for(model, asked)
    taken = running.asked(path, asked.devices, *arguments(settings))
    return compared(Planner(model), case, asked, taken)


def settings_for(model: Model, asked: Case) -> Settings:
    if asked.settings.layers != HALF:
        return asked.settings
    count = model.metadata[f"{model.architecture}.block_count"]
    assert isinstance(count, int)
    return asked.settings._replace(layers=(count + 1) // 2)


def compared(planner: Planner, case: str, asked: Case, taken: Mapping[str, Taken]) -> list[Row]:
    devices = tuple(
        Device(selector=f"RPC{index}", total=MEMORY[index] * MiB, free=MEMORY[index] * MiB) for index in range(asked.devices)
    )
    placed = planner.place(devices, settings_for(planner.model, asked))
    return [
        Row(case, name, taken[name], place)
        for name, place in zip((*(device.selector for device in devices), "Host"), (*placed.devices, placed.host), strict=True)
    ]


def record(directory: Path, names: Sequence[str] = tuple(MODELS)) -> dict[str, dict[str, dict[str, Taken]]]:
    """What the engine says of every case that is recorded, by model and case; a case that it refuses is left out."""
    said: dict[str, dict[str, dict[str, Taken]]] = {}
    with tempfile.TemporaryDirectory() as folder, engine(directory, Path(folder), MEMORY) as running:
        for name in names:
            path = MODELS[name]().write(Path(folder) / f"{name}.gguf")
            model, said[name] = read(path), {}
            for case, asked in recorded_cases(name).items():
                try:
                    said[name][case] = running.asked(path, asked.devices, *arguments(settings_for(model, asked)))
                except Refused:
                    say(f"{name} {case}: the engine refused")
            path.unlink()
    return said


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main(*words: str) -> int:
    if words[0] == "--record":
        engine_rows.write(version(Path(words[1])), record(Path(words[1])))
        return 0
    directory, *names = words
    counted: Counter[str] = Counter()
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, engine(Path(directory), Path(folder), MEMORY) as running:
        for name in names or tuple(MODELS):
            path = MODELS[name]().write(Path(folder) / f"{name}.gguf") if name in MODELS else Path(name)
            off = []
            for case, asked in cases(name).items():
                try:
                    found = rows(running, path, case, asked)
                except Refused as refusal:
                    say(f"{name} {case}: the engine refused: {str(refusal)[-300:]}")
                    counted["refused"] += 1
                    continue
                counted["device rows"] += sum(row.device != "Host" for row in found)
                counted["host rows"] += sum(row.device == "Host" for row in found)
                counted["sources: " + found[0].ours.compute.source.value] += len(found)
                off += [row for row in found if row.faults]
            counted["off"] += len(off)
            say("\n  ".join([f"{name}: {len(off)} off", *map(str, off)]))
            if name in MODELS:
                path.unlink()
    say(f"{dict(counted)} {time.monotonic() - started:.0f} s")
    return 1 if counted["off"] or counted["refused"] else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
