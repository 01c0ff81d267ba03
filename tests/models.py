"""Models for tests of `plan`: GGUF files as they lie on a disk, directories of safetensors, and models in Ollama's store."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests import made_up_models

Shape = tuple[str, tuple[int, ...]]


def a_dense_model(folder: Path, *, architecture: str = "llama", name: str = "dense.gguf", context: int = 131072) -> str:
    """One of 8 billion weights: 32 layers of 4096, 8 heads of keys and values of 128, 128256 words."""
    shape = (32, 4096, 128256, 32, 8, 128, 14336)
    return str(made_up_models.dense(architecture, *shape, context=context).write(folder / name))


def a_larger_dense_model(folder: Path, *, name: str = "larger.gguf") -> str:
    """One of 70 billion weights: 80 layers of 8192."""
    shape = (80, 8192, 128256, 64, 8, 128, 28672)
    return str(made_up_models.dense("llama", *shape, context=131072).write(folder / name))


def a_mixture_of_experts(folder: Path, *, name: str = "experts.gguf") -> str:
    """One of 30 billion weights, of which each token uses 3: 48 layers with 128 experts each."""
    return str(made_up_models.mixture("qwen3moe", 48, 2048, 151936, 32, 4, 128, 128, 8, 768, norms=128).write(folder / name))


CONFIG = {
    "architectures": ["LlamaForCausalLM"],
    "hidden_size": 4096,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "max_position_embeddings": 131072,
    "torch_dtype": "bfloat16",
}


def a_directory_of_safetensors(
    folder: Path, config: Mapping[str, object] = CONFIG, tensors: Sequence[Shape] | None = None, files: int = 2
) -> str:
    """As a model hub leaves it: `files` files of BF16 with holes in the place of weights, their index, a `config.json`."""
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config))
    tensors = _llama_of_8_billion() if tensors is None else tensors
    names = [f"model-{number:05}-of-{files:05}.safetensors" for number in range(1, files + 1)]
    weights: dict[str, str] = {}
    for number, name in enumerate(names):
        mine = tensors[number::files]
        write_safetensors(folder / name, mine)
        weights |= {tensor: name for tensor, _ in mine}
    if files > 1:
        (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": weights}))
    return str(folder)


def _llama_of_8_billion() -> list[Shape]:
    layers = [
        (f"model.layers.{layer}.{name}.weight", shape)
        for layer in range(32)
        for name, shape in (
            ("self_attn.q_proj", (4096, 4096)),
            ("self_attn.k_proj", (1024, 4096)),
            ("self_attn.v_proj", (1024, 4096)),
            ("self_attn.o_proj", (4096, 4096)),
            ("mlp.gate_proj", (14336, 4096)),
            ("mlp.up_proj", (14336, 4096)),
            ("mlp.down_proj", (4096, 14336)),
            ("input_layernorm", (4096,)),
            ("post_attention_layernorm", (4096,)),
        )
    ]
    ends = [("model.embed_tokens.weight", (128256, 4096)), ("lm_head.weight", (128256, 4096)), ("model.norm.weight", (4096,))]
    return [*ends, *layers]


def write_safetensors(path: Path, tensors: Sequence[Shape], dtype: str = "BF16", element: int = 2) -> None:
    header: dict[str, object] = {"__metadata__": {"format": "pt", "made up": '{ "in": [braces] }'}}
    end = 0
    for name, shape in tensors:
        size = element
        for each in shape:
            size *= each
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [end, end + size]}
        end += size
    said = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(said)) + said)
    with path.open("r+b") as file:
        file.truncate(8 + len(said) + end)


def stored_in_ollama(
    folder: Path, name: str, model: str, *, options: Mapping[str, object] | None = None, projector: str | None = None
) -> str:
    """A store as `ollama pull` leaves it, the files being links in `blobs`; its directory."""
    store = folder / "models"
    (store / "blobs").mkdir(parents=True, exist_ok=True)
    layers = [_layer(store, "model", Path(model))]
    if projector is not None:
        layers.append(_layer(store, "projector", Path(projector)))
    if options is not None:
        layers.append(_layer(store, "params", _written(folder / "params.json", json.dumps(options))))
    model_name, _, tag = name.partition(":")
    manifest = store / "manifests" / "registry.ollama.ai" / "library" / model_name / (tag or "latest")
    manifest.parent.mkdir(parents=True, exist_ok=True)
    manifest.write_text(json.dumps({"schemaVersion": 2, "layers": layers}))
    return str(store)


def _written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def _layer(store: Path, kind: str, file: Path) -> dict[str, object]:
    digest = hashlib.sha256(str(file).encode()).hexdigest()
    file.rename(store / "blobs" / f"sha256-{digest}")
    return {"mediaType": f"application/vnd.ollama.image.{kind}", "digest": f"sha256:{digest}", "size": 1}
