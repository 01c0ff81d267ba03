"""What engines read from a GGUF header, by its names without the architecture in front."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from gpuprobe.planning.records import Metadata, Model


class ModelFacts(NamedTuple):
    """Of an array of one number per layer, both ends; None: the file does not say."""

    blocks: int | None
    trained_context: int | None
    embedding: int | None
    heads_most: int | None
    key_value_heads_least: int | None
    experts: int
    is_embedding: bool  # it makes vectors, and no text


def facts_of(model: Model) -> ModelFacts:
    found = _Keys(model.metadata, model.architecture)
    heads, key_value_heads = found.numbers("attention.head_count"), found.numbers("attention.head_count_kv")
    return ModelFacts(
        blocks=found.number("block_count"),
        trained_context=found.number("context_length"),
        embedding=found.number("embedding_length"),
        heads_most=max(heads, default=None),
        key_value_heads_least=min(key_value_heads, default=None),
        experts=found.number("expert_count") or 0,
        is_embedding=found.number("pooling_type") is not None,
    )


class _Keys:
    def __init__(self, metadata: Metadata, architecture: str) -> None:
        self._metadata: Mapping[str, object] = metadata
        self._architecture = architecture

    def numbers(self, key: str) -> tuple[int, ...]:
        value = self._metadata.get(f"{self._architecture}.{key}")
        values = value if isinstance(value, tuple) else (value,)
        return tuple(each for each in values if type(each) is int)

    def number(self, key: str) -> int | None:
        return next(iter(self.numbers(key)), None)
