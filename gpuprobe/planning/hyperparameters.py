"""A model's dimensions out of its metadata, with the defaults that llama.cpp takes where a file leaves one out."""

from __future__ import annotations

from gpuprobe.planning.records import Model, Unplannable

MOST_LAYERS = 4096
MOST_EXPERTS = 4096  # llama.cpp takes 512
LARGEST = 1 << 40  # no dimension of a model is larger; a damaged file's may be


class Hyperparameters:
    """Reads one model's metadata. Every number is at least 0 and bounded."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.architecture = model.architecture
        self.layers_in_all = self.required("block_count")
        if not 0 < self.layers_in_all <= MOST_LAYERS:
            raise Unplannable(f"the model claims {self.layers_in_all} layers")
        self.next_token_layers = min(self.number("nextn_predict_layers"), self.layers_in_all)
        self.layers = self.layers_in_all - self.next_token_layers
        self.width = self.required("embedding_length")
        self.trained_context = self.required("context_length")
        self.heads = self.per_layer("attention.head_count")
        self.cache_heads = self.per_layer("attention.head_count_kv", self.heads)
        self.feed_forward = self.per_layer("feed_forward_length")
        first = self.heads[0] or max(self.heads)
        head = self.width // first if first else 0
        self.key_length = self.number("attention.key_length", head)
        self.value_length = self.number("attention.value_length", head)
        self.rope_length = self.number("rope.dimension_count", self.key_length)
        self.experts = self.number("expert_count")
        self.experts_used = max(self.per_layer("expert_used_count"))
        if max(self.experts, self.experts_used) > MOST_EXPERTS:
            raise Unplannable(f"the model claims {self.experts} experts, of which {self.experts_used} are used")

    def value(self, key: str) -> object:
        return self.model.metadata.get(f"{self.architecture}.{key}")

    def number(self, key: str, default: int = 0) -> int:
        """A whole number; the default where the key is not there. Raises `Unplannable` where it cannot be one."""
        value = self.value(key)
        if isinstance(value, tuple):
            value = next((item for item in value if item), 0)
        if value is None:
            return default
        if not isinstance(value, int | float) or not 0 <= value < LARGEST:
            raise Unplannable(f"the model's {self.architecture}.{key} is {str(value)[:40]!r}")
        return int(value)

    def real(self, key: str) -> float:
        value = self.value(key)
        return float(value) if isinstance(value, int | float) and -LARGEST < value < LARGEST else 0.0

    def flag(self, key: str, default: bool) -> bool:
        value = self.value(key)
        return default if value is None else bool(value)

    def required(self, key: str) -> int:
        if self.value(key) is None:
            raise Unplannable(f"the model does not say {self.architecture}.{key}")
        return self.number(key)

    def per_layer(self, key: str, default: tuple[int, ...] | None = None) -> tuple[int, ...]:
        """One number for each layer, out of an array or of one number for all."""
        value = self.value(key)
        count = self.layers_in_all
        if value is None:
            return default if default is not None else (0,) * count
        if not isinstance(value, tuple):
            return (self.number(key),) * count
        # What is no number compares false with everything.
        if len(value) < count or not all(0 <= item < LARGEST for item in value):
            raise Unplannable(f"the model's {self.architecture}.{key} does not fit its {count} layers")
        return tuple(int(item) for item in value[:count])
