"""What the real llama.cpp's fit chose, recorded: `tests/engine_fits.tsv`, one line per machine, model and what the user set.

A line has the devices' MiB, the model, llama-server's options, the context and, for each device, layers/partial ones/what the
first of these keeps; a dash where fit changed nothing. `tests/test_real_fit.py` holds it to the engine.
"""

from __future__ import annotations

from pathlib import Path

from gpuprobe.model import Device, DeviceType, MiB
from gpuprobe.modelfile import gguf
from gpuprobe.planning.engine_log import Choice
from gpuprobe.planning.engines import llama_cpp
from gpuprobe.planning.engines.engine_records import Answer, HostMemory, Machine, Subject, Wish
from gpuprobe.planning.engines.fit import Part, Share
from tests.models import a_dense_model, a_larger_dense_model, a_mixture_of_experts

FILE = Path(__file__).with_name("engine_fits.tsv")
MODELS = {"8B": a_dense_model, "70B": a_larger_dense_model, "30B of experts": a_mixture_of_experts}
WISHES = {
    "": Wish(),
    "-c 8192": Wish(context=8192),
    "-c 32768 -ctk q8_0 -ctv q8_0": Wish(context=32768, cache_type_k="Q8_0", cache_type_v="Q8_0"),
    "-c 4096 -ub 2048 -b 2048": Wish(context=4096, ubatch=2048),
    "--fit-target 3072": Wish(reserve=3072 * MiB - 457 * MiB),
}


def read() -> dict[tuple[tuple[int, ...], str, str], Choice]:
    """By the devices' MiB, the model and the options."""
    found = {}
    for line in FILE.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            sizes, model, options, context, shares = line.split("\t")
            places = None if shares == "-" else tuple((f"RPC{at}", _share(each)) for at, each in enumerate(shares.split()))
            key = tuple(map(int, sizes.split())), model, options
            found[key] = Choice(None if context == "-" else int(context), places)
    return found


def _share(text: str) -> Share:
    layers, partial, first = text.split("/")
    return Share(int(layers), int(partial), Part[first])


def ours(model: str, sizes: tuple[int, ...], wish: Wish) -> Answer:
    devices = tuple(
        Device("CUDA", number, ordinal=number, total_memory=size * MiB, free_memory=size * MiB, type=DeviceType.DISCRETE)
        for number, size in enumerate(sizes)
    )
    return llama_cpp.plan(Subject(gguf.read(model), model, model), Machine(devices, HostMemory()), wish)


def assert_the_same(answer: Answer, choice: Choice, trained: int) -> None:
    assert answer.placement is not None and answer.settings is not None
    assert choice.failed is None
    assert answer.placement.context_length == (choice.context or trained)
    if choice.shares is None:
        assert answer.placement.layers == answer.placement.layers_of_model
        return
    assert [place.layers for place in answer.placement.devices] == [share.layers for _, share in choice.shares]
    partial = sum(share.partial for _, share in choice.shares)
    assert len(answer.settings.overrides) == partial
