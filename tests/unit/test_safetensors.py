"""Reading safetensors: what is there, and a refusal for whatever lies about it."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gpuprobe.modelfile import safetensors
from gpuprobe.modelfile.gguf import Unreadable
from gpuprobe.planning.records import Tensor
from tests.models import CONFIG, a_directory_of_safetensors, write_safetensors

shared_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None)


def raw(folder: Path, header: bytes, data: int = 0, *, length: int | None = None) -> str:
    (folder / "config.json").write_text(json.dumps(CONFIG))
    path = folder / "model.safetensors"
    path.write_bytes(struct.pack("<Q", len(header) if length is None else length) + header + bytes(data))
    return str(path)


def test_every_tensor_of_every_file_is_read(tmp_path: Path) -> None:
    model = safetensors.read(a_directory_of_safetensors(tmp_path / "hub"))

    assert sum(tensor.size for tensor in model.tensors) == 8_030_261_248 * 2
    assert (model.architecture, model.format, len(model.paths)) == ("LlamaForCausalLM", "safetensors", 2)


def test_dimensions_begin_with_the_fastest_one_as_in_gguf(tmp_path: Path) -> None:
    model = safetensors.read(a_directory_of_safetensors(tmp_path / "hub", tensors=[("a", (3, 5))], files=1))

    assert model.tensors == (Tensor("a", (5, 3), "BF16", 30),)


def test_one_file_is_read_with_the_configuration_beside_it(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "odd", "text_config": {"hidden_size": 7}}))
    write_safetensors(tmp_path / "x.safetensors", [("a", (2,))])
    model = safetensors.read(str(tmp_path / "x.safetensors"))

    assert (model.architecture, model.metadata["text_config.hidden_size"]) == ("odd", 7)


def test_kinds_of_layers_are_counted(tmp_path: Path) -> None:
    config = {**CONFIG, "layer_types": ["sliding_attention", "sliding_attention", "full_attention"]}
    model = safetensors.read(a_directory_of_safetensors(tmp_path / "hub", config))

    assert model.metadata["layer_types.sliding_attention"] == 2
    assert model.lengths["layer_types"] == 3


def test_a_missing_file_of_several_is_named(tmp_path: Path) -> None:
    folder = Path(a_directory_of_safetensors(tmp_path / "hub"))
    (folder / "model-00002-of-00002.safetensors").unlink()

    with pytest.raises(Unreadable, match=r"model-00002-of-00002\.safetensors` is missing"):
        safetensors.read(str(folder))


def test_an_index_cannot_lead_out_of_its_directory(tmp_path: Path) -> None:
    folder = Path(a_directory_of_safetensors(tmp_path / "hub"))
    (folder / safetensors.INDEX).write_text(json.dumps({"weight_map": {"a": "../../secret.safetensors"}}))

    with pytest.raises(Unreadable, match="names no file"):
        safetensors.read(str(folder))


@pytest.mark.parametrize(
    ("header", "data"),
    [
        (b"{}x", 0),
        (b"[]", 0),
        (b'{"a":{"dtype":"BF16","shape":[2],"data_offsets":[0,4]}}', 3),
        (b'{"a":{"dtype":"BF16","shape":[2],"data_offsets":[0,4]}}', 5),
        (b'{"a":{"dtype":"BF16","shape":[2],"data_offsets":[0,8]}}', 8),
        (b'{"a":{"dtype":"BF16","shape":[-2],"data_offsets":[0,4]}}', 4),
        (b'{"a":{"dtype":"BF16","shape":[2],"data_offsets":[4,0]}}', 4),
        (b'{"a":{"dtype":"BF16","shape":[18446744073709551615,18446744073709551615],"data_offsets":[0,4]}}', 4),
        (b'{"a":{"dtype":"Q9","shape":[2],"data_offsets":[0,4]}}', 4),
        (b'{"a":{"dtype":["BF16"],"shape":[2],"data_offsets":[0,4]}}', 4),
        (b'{"a":{"dtype":"BF16","shape":2,"data_offsets":[0,4]}}', 4),
        (b'{"a":{"dtype":"BF16","shape":[2]}}', 0),
        (b'{"a":' + b"[" * 100_000 + b"}", 0),
        (b'{"a":' + b'{"b":' * 50_000 + b"}", 0),
        (b'{"' + b"a" * 5000 + b'":{"dtype":"BF16","shape":[2],"data_offsets":[0,4]}}', 4),
        (b"{\xff}", 0),
    ],
)
def test_a_header_that_lies_is_refused_in_one_line(tmp_path: Path, header: bytes, data: int) -> None:
    with pytest.raises(Unreadable) as refused:
        safetensors.read(raw(tmp_path, header, data))

    assert "\n" not in str(refused.value) and "model.safetensors" in str(refused.value)


@pytest.mark.parametrize("length", [0, 1, 100, 1 << 40, (1 << 64) - 1])
def test_a_length_that_the_file_does_not_have_is_refused_before_anything_is_read(tmp_path: Path, length: int) -> None:
    with pytest.raises(Unreadable, match="the length of a header"):
        safetensors.read(raw(tmp_path, b"{}", length=length))


def test_a_header_beyond_the_bound_is_not_read(tmp_path: Path) -> None:
    path = raw(tmp_path, b"{}", length=17 << 20)
    with Path(path).open("r+b") as file:
        file.truncate(20 << 20)

    with pytest.raises(Unreadable, match="more than 16 MiB is not read"):
        safetensors.read(path)


def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(tmp_path: Path) -> None:
    import os

    (tmp_path / "config.json").write_text("{}")
    os.mkfifo(tmp_path / "x.safetensors")

    with pytest.raises(Unreadable):
        safetensors.read(str(tmp_path / "x.safetensors"))


@shared_folder
@given(content=st.binary(max_size=300))
def test_any_bytes_are_a_model_or_refused(tmp_path: Path, content: bytes) -> None:
    for header in (content, b"{" + content + b"}", b'{"a":' + content + b"}"):
        try:
            safetensors.read(raw(tmp_path, header))
        except Unreadable as refused:
            assert "\n" not in str(refused)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 70), 1 << 70) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)
entries = st.fixed_dictionaries(
    {
        "dtype": st.sampled_from(["BF16", "F32", "F4"]) | json_values,
        "shape": st.lists(st.integers(-1, 9), max_size=4) | json_values,
        "data_offsets": st.lists(st.integers(-1, 50), min_size=2, max_size=2) | json_values,
    }
)


@shared_folder
@given(
    said=st.dictionaries(st.text(max_size=8), entries | json_values, max_size=4), config=json_values, data=st.integers(0, 60)
)
def test_any_header_and_any_configuration_are_a_model_or_refused(
    tmp_path: Path, said: dict[str, object], config: object, data: int
) -> None:
    path = raw(tmp_path, json.dumps(said).encode(), data)
    (tmp_path / "config.json").write_text(json.dumps(config))
    try:
        model = safetensors.read(path)
    except Unreadable:
        return
    assert sum(tensor.size for tensor in model.tensors) >= data or not model.tensors
