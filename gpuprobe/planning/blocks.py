"""The parts that layers of transformers are built of, as llama.cpp builds its graphs (`llm_graph_context`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from gpuprobe.planning.graph import (
    F16,
    F32,
    I32,
    I64,
    Graph,
    Node,
    contiguous,
    each,
    flash_attention,
    gated,
    get_rows,
    given,
    halved,
    held,
    multiply_matrices,
    permute,
    reshape,
    set_rows,
    soft_max,
    strided,
    transpose,
    unary,
    view,
)
from gpuprobe.planning.hyperparameters import Hyperparameters
from gpuprobe.planning.kv_cache import Cells, LayerCache, head_lengths, is_compressed
from gpuprobe.planning.records import Tensor
from gpuprobe.planning.tensor_types import BY_NAME
from gpuprobe.planning.weights import EMBEDDING, OUTPUT, Homes, Weights
from gpuprobe.planning.windows import Windows

AXES = 4  # of a token's position where pictures have width, height and time
SEEING = frozenset(("qwen2vl",))
FEW = 32  # with fewer tokens norms are kept on their layer's device
ROTATION = 64  # the smallest matrix that a quantised cache is rotated with


class Work(NamedTuple):
    """The batch that buffers are reserved for."""

    tokens: int
    sequences: int
    outputs: int
    flash: bool
    values_transposed: bool  # in the cache, as attention without flash attention wants them
    delta_fused: bool  # a gated delta rule is one step
    key_quantized: bool
    value_quantized: bool
    cache_on_devices: bool
    attention_on_host: bool = False  # where flash attention is off, and the cache on the host


class Inputs(NamedTuple):
    """What attention gets for one kind of layer: those that see everything, or those with a window."""

    rows_k: Node
    rows_v: Node
    mask: Node
    rotation_k: Node | None
    rotation_v: Node | None


class Builder:
    """Builds one model's graph. Attributes are what every part needs."""

    def __init__(
        self,
        *,
        model_tensors: Mapping[str, Tensor],
        numbers: Hyperparameters,
        weights: Weights,
        homes: Homes,
        layers: list[int],
        windows: Windows,
        caches: list[LayerCache],
        room: Cells,
        work: Work,
    ) -> None:
        self.graph = Graph()
        self.numbers = numbers
        self.homes = homes
        self.windows = windows
        self.caches = caches
        self.room = room
        self.work = work
        self.layers = layers  # those that are built; the others are like them
        self._tensors = model_tensors
        self._homes_of = weights
        self._weights: dict[str, Node] = {}
        self._positions: Node | None = None
        self._inputs: dict[bool, Inputs] = {}
        self.layer = 0
        self.fused: list[tuple[int, Node]] = []  # operations that have to run on their layer's device, with the layer

    # Weights

    def weight(self, name: str) -> Node | None:
        """A weight by its full name, None where the file does not have it."""
        node = self._weights.get(name)
        if node is not None:
            return node
        tensor = self._tensors.get(name)
        if tensor is None:
            return None
        node = held(tensor.dimensions, tensor.size, self._homes_of.home(name, self.homes), weight=True)
        self._weights[name] = node
        return node

    def own(self, name: str, end: str = "weight") -> Node | None:
        """A weight of the layer that is being built."""
        return self.weight(f"blk.{self.layer}.{name}.{end}")

    def needed(self, name: str, end: str = "weight") -> Node:
        node = self.own(name, end)
        if node is None:
            raise Missing(f"blk.{self.layer}.{name}.{end}")
        return node

    def output_weight(self) -> Node:
        node = self.weight(OUTPUT)
        if node is not None:
            return node
        tensor = self._tensors.get(EMBEDDING)
        if tensor is None:
            raise Missing(OUTPUT)
        return held(tensor.dimensions, tensor.size, self.homes.layers[-1], weight=True)

    def cache_home(self) -> int:
        """Where the layer's cache or state is held."""
        return self.homes.layers[self.layer] if self.work.cache_on_devices else self.homes.host

    # Beginning and end

    def embedding(self) -> Node:
        """Tokens looked up and scaled; the way for embeddings that come from elsewhere takes its room, too."""
        table = self.weight(EMBEDDING)
        if table is None:
            raise Missing(EMBEDDING)
        tokens = given((self.work.tokens,), I32)
        node = self.graph.expand(get_rows(table, tokens))
        self.graph.expand(given((self.numbers.width, self.work.tokens)))
        return self.graph.expand(each("SCALE", node)) if self.numbers.real("embedding_scale") else node

    def positions(self) -> Node:
        if self._positions is None:
            axes = AXES if self.numbers.architecture in SEEING else 1
            self._positions = given((self.work.tokens * axes,), I32)
        return self._positions

    def last_rows(self, *nodes: Node) -> tuple[Node, ...]:
        """Of all tokens those whose result is wanted."""
        wanted = given((self.work.outputs,), I32)
        return tuple(get_rows(node, wanted) for node in nodes)

    # Norms and linear parts

    def linear(self, weight: Node, node: Node, bias: Node | None = None) -> Node:
        result = multiply_matrices(weight, node)
        return each("ADD", result, bias) if bias is not None else result

    def norm(self, node: Node, name: str, *, rms: bool = True, end: bool = False) -> Node:
        """A norm with what the file has of weight and bias; `end` is for those after the last layer."""
        prefix = "" if end else f"blk.{self.layer}."
        weight = self.weight(f"{prefix}{name}.weight") or self.weight(f"{prefix}{name}")
        bias = self.weight(f"{prefix}{name}.bias")
        result = each("RMS_NORM" if rms else "NORM", node)
        if self.work.tokens < FEW and not end and (weight is not None or bias is not None):
            result.forced = self.homes.layers[self.layer]
        if weight is not None:
            result = each("MUL", result, weight)
        return each("ADD", result, bias) if bias is not None else result

    # Attention

    def attention_inputs(self) -> Inputs:
        windowed = self.windows.windowed[self.layer]
        found = self._inputs.get(windowed)
        if found is None:
            found = self._inputs[windowed] = self._new_inputs(windowed)
        return found

    def _new_inputs(self, windowed: bool) -> Inputs:
        work, room = self.work, self.room
        seen = room.window if windowed else room.full
        widest = max(cache.value_row for cache in self.caches)
        lengths = {head_lengths(self.numbers, self.windows, layer) for layer in range(self.numbers.layers)}
        key, value = next(iter(lengths))
        turns = len(lengths) == 1 and not is_compressed(self.numbers)
        return Inputs(
            rows_k=given((work.tokens,), I64),
            rows_v=given((work.tokens * widest if work.values_transposed else work.tokens,), I64),
            mask=given((seen, work.tokens // room.streams, 1, room.streams), F16 if work.flash else F32),
            rotation_k=_rotation(key, grow=True) if work.key_quantized and turns else None,
            rotation_v=_rotation(value, grow=False) if work.value_quantized and turns else None,
        )

    def heads(self, node: Node, rms: bool = True, *, flat_norm: bool = False) -> tuple[Node, Node, Node]:
        """Query, key and value of a layer, each as heads; with the norms that come before the rotation."""
        numbers, tokens, layer = self.numbers, self.work.tokens, self.layer
        key, value = head_lengths(numbers, self.windows, layer)
        count, kept = numbers.heads[layer], numbers.cache_heads[layer]
        fused = self.own("attn_qkv")
        if fused is not None:
            whole = self.linear(fused, node, self.own("attn_qkv", "bias"))
            parts = (
                strided(whole, tokens, key, count, tokens),
                strided(whole, tokens, key, kept, tokens),
                strided(whole, tokens, value, kept, tokens),
            )
            return self._normed(parts, rms)
        flat = [self.linear(self.needed(f"attn_{part}"), node, self.own(f"attn_{part}", "bias")) for part in "qkv"]
        if flat_norm:
            flat[0] = self.norm(flat[0], "attn_q_norm", rms=rms)
            flat[1] = self.norm(flat[1], "attn_k_norm", rms=rms)
        shaped = (
            reshape(flat[0], key, count, tokens),
            reshape(flat[1], key, kept, tokens),
            reshape(flat[2], value, kept, tokens),
        )
        return shaped if flat_norm else self._normed(shaped, rms)

    def _normed(self, parts: tuple[Node, Node, Node], rms: bool) -> tuple[Node, Node, Node]:
        query, key, value = parts
        if self.own("attn_q_norm") is not None:
            query = self.norm(query, "attn_q_norm", rms=rms)
        if self.own("attn_k_norm") is not None:
            key = self.norm(key, "attn_k_norm", rms=rms)
        return query, key, value

    def rotated(self, node: Node) -> Node:
        factors = self.weight("rope_freqs.weight")
        return each("ROPE", node, self.positions(), *([factors] if factors is not None else []))

    def attention(
        self,
        query: Node,
        key: Node,
        value: Node,
        *,
        sinks: Node | None = None,
        soft_cap: bool = False,
        compressed: Node | None = None,
        output: str | None = "attn_output",
    ) -> Node:
        """Stores key and value, attends to all that is stored, and mixes the heads."""
        graph, inputs = self.graph, self.attention_inputs()
        if inputs.rotation_k is not None:
            query, key = _turned(query, inputs.rotation_k), _turned(key, inputs.rotation_k)
        if inputs.rotation_v is not None:
            value = _turned(value, inputs.rotation_v)
        graph.expand(query)
        for node in (value, key):
            graph.expand(node)
        keys, values = self._store(key, value, inputs, compressed is not None)
        node = self._attend(query, keys, values, mask=inputs.mask, sinks=sinks, soft_cap=soft_cap, compressed=compressed)
        if inputs.rotation_v is not None:
            node = _turned(node, inputs.rotation_v)
        if output is None:
            return node
        return self.linear(self.needed(output), node, self.own(output, "bias"))

    def _store(self, key: Node, value: Node, inputs: Inputs, compressed: bool) -> tuple[Node, Node]:
        """The layer's cache as keys and values, written first."""
        cache, streams, tokens = self.caches[self.layer], self.room.streams, self.work.tokens
        home = self.cache_home()
        key_head, value_head = key.shape[0], value.shape[0]
        kept = key.shape[1]
        memory = held((cache.key_row, cache.cells, streams), cache.keys, home, weight=False)
        flat = _flat(key, key_head * kept, tokens)
        self.graph.expand(set_rows(memory, flat, inputs.rows_k))
        keys = view(memory, key_head, kept, cache.cells, streams)
        if compressed:
            return keys, strided(keys, kept * cache.cells * streams, value_head, kept, cache.cells, streams)
        store = held((cache.value_row, cache.cells, streams), cache.values, home, weight=False)
        if not self.work.values_transposed:
            self.graph.expand(set_rows(store, _flat(value, value_head * kept, tokens), inputs.rows_v))
            return keys, view(store, value_head, kept, cache.cells, streams)
        elements = value_head * kept * tokens
        if value.op == "VIEW":
            value = contiguous(value, value_head * kept, tokens)
        single = reshape(store, 1, cache.value_row * cache.cells * streams)
        self.graph.expand(set_rows(single, reshape(value, 1, elements), inputs.rows_v))
        return keys, view(store, cache.cells, kept, value_head, streams)

    def _attend(
        self,
        query: Node,
        keys: Node,
        values: Node,
        *,
        mask: Node,
        sinks: Node | None,
        soft_cap: bool,
        compressed: Node | None,
    ) -> Node:
        streams = self.room.streams
        head, count, tokens, _ = query.shape
        query = permute(view(query, head, count, tokens // streams, streams, contiguous=query.contiguous))
        keys = permute(keys)
        extra = [sinks] if sinks is not None else []
        if self.work.flash:
            values = permute(values)
            result = flash_attention(query, keys, values, mask, *extra)
            self.fused.append((self.layer, result))
            if compressed is not None:
                result = multiply_matrices(compressed, permute(result))
                result = contiguous(permute(result))
            width = result.shape[0] * result.shape[1]
            return self.graph.expand(reshape(result, width, result.shape[2] * result.shape[3]))
        return self.graph.expand(
            self._attend_plainly(query, keys, values, [mask, *extra], soft_cap=soft_cap, compressed=compressed)
        )

    def _attend_plainly(
        self,
        query: Node,
        keys: Node,
        values: Node,
        extra: list[Node],
        *,
        soft_cap: bool,
        compressed: Node | None,
    ) -> Node:
        """Without flash attention: all scores at once."""
        scores = multiply_matrices(keys, query)
        if soft_cap:
            scores = each("SCALE", unary(each("SCALE", scores)))
        scores = soft_max(scores, *extra)
        values = permute(values)
        if compressed is not None or not self.work.values_transposed:
            values = contiguous(transpose(values))
        result = multiply_matrices(values, scores)
        if compressed is not None:
            result = multiply_matrices(compressed, result)
        result = permute(result)
        result = contiguous(result, result.shape[0] * result.shape[1], result.shape[2] * result.shape[3])
        if self.work.attention_on_host:
            result.forced = self.homes.host
        return result

    # Feed-forward parts

    def feed_forward(self, node: Node, suffix: str = "", *, fused: bool = False) -> Node:
        """Up, a gate beside it where the file has one, and down. `fused`: the gate is the first half of up."""
        up = self.linear(self.needed(f"ffn_up{suffix}"), node, self.own(f"ffn_up{suffix}", "bias"))
        gate = self.own(f"ffn_gate{suffix}")
        if gate is not None:
            result = gated(self.linear(gate, node, self.own(f"ffn_gate{suffix}", "bias")), up)
        elif fused:
            result = halved(up)
        else:
            result = unary(up)
        return self.linear(self.needed(f"ffn_down{suffix}"), result, self.own(f"ffn_down{suffix}", "bias"))


class Missing(Exception):
    """A tensor that the architecture needs is not in the file."""


def _rotation(length: int, *, grow: bool) -> Node | None:
    """The matrix that spreads a head's values before they are quantised; None for a length that it does not fit."""
    if length % ROTATION:
        return None
    size = ROTATION
    while grow and length % (2 * size) == 0:
        size *= 2
    return given((size, size))


def _flat(node: Node, width: int, tokens: int) -> Node:
    """Heads side by side, as the cache stores them."""
    result = view(node, width, tokens, contiguous=node.contiguous)
    result.size = node.size
    return result


def _turned(node: Node, rotation: Node) -> Node:
    size = rotation.shape[0]
    elements = node.shape[0] * node.shape[1] * node.shape[2] * node.shape[3]
    if not node.contiguous:
        node = contiguous(node)
    return reshape(multiply_matrices(rotation, reshape(node, size, elements // size)), *node.shape)


def is_quantized(name: str) -> bool:
    return BY_NAME[name.upper()].block > 1
