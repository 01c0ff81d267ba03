"""Headers of GGUF files: true ones are read whole, damaged and foreign ones are named, and none costs more than it is worth."""

from __future__ import annotations

import os
import struct
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from gpuprobe.modelfile.gguf import Unreadable, read
from gpuprobe.planning.placement import Planner
from gpuprobe.planning.records import Device, Settings, Unplannable
from tests.made_up_models import MODELS, MadeUp, dense, header, text

MiB = 1 << 20
SMALL = ("token_embd.weight", (64, 100), "F16")
NAMED = {"general.architecture": "llama"}


def written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def pairs(*entries: bytes, tensors: int = 0, version: int = 3, count: int | None = None) -> bytes:
    """A header of these entries; `count` is what it claims to have."""
    return b"GGUF" + struct.pack("<IQQ", version, tensors, len(entries) if count is None else count) + b"".join(entries)


def entry(key: str, kind: int, value: bytes) -> bytes:
    return text(key) + struct.pack("<I", kind) + value


ARCHITECTURE = entry("general.architecture", 8, text("llama"))


def test_a_model_is_read_with_its_tensors(tmp_path: Path) -> None:
    model = read(MODELS["llama-8b"]().write(tmp_path / "m.gguf"))

    assert (model.format, model.architecture, len(model.tensors), model.missing) == ("GGUF v3", "llama", 291, 0)
    assert model.metadata["llama.block_count"] == 32
    assert sum(tensor.size for tensor in model.tensors) <= model.file_size
    (query,) = [tensor for tensor in model.tensors if tensor.name == "blk.0.attn_q.weight"]
    assert (query.dimensions, query.type, query.size) == ((4096, 4096), "Q4_K", 4096 * 4096 // 256 * 144)


def test_version_two_is_read_as_well(tmp_path: Path) -> None:
    model = read(written(tmp_path / "m.gguf", header(NAMED, [SMALL], version=2) + bytes(64 * 100 * 2)))

    assert (model.format, model.missing) == ("GGUF v2", 0)


def test_a_vocabulary_is_passed_over_and_its_length_kept(tmp_path: Path) -> None:
    words = struct.pack("<IQ", 8, 5000) + text("word") * 5000
    scores = struct.pack("<IQ", 6, 5000) + bytes(4 * 5000)
    numbers = struct.pack("<IQ3i", 5, 3, 8, 0, 8)
    entries = [ARCHITECTURE, entry("words", 9, words), entry("scores", 9, scores), entry("heads", 9, numbers)]

    model = read(written(tmp_path / "m.gguf", pairs(*entries)))

    assert model.lengths == {"words": 5000, "scores": 5000}
    assert model.metadata["heads"] == (8, 0, 8)


def test_every_kind_of_value_is_read(tmp_path: Path) -> None:
    values = {0: ("B", 200), 1: ("b", -5), 2: ("H", 60000), 3: ("h", -300), 4: ("I", 1 << 31), 5: ("i", -7), 6: ("f", 0.5)}
    values |= {10: ("Q", 1 << 40), 11: ("q", -(1 << 40)), 12: ("d", 0.25)}
    entries = [entry(str(kind), kind, struct.pack(f"<{code}", value)) for kind, (code, value) in values.items()]

    model = read(written(tmp_path / "m.gguf", pairs(ARCHITECTURE, entry("yes", 7, b"\1"), *entries)))

    assert {key: model.metadata[str(key)] for key in values} == {key: value for key, (_, value) in values.items()}
    assert model.metadata["yes"] is True


def test_an_incomplete_download_is_read_and_says_what_is_missing(tmp_path: Path) -> None:
    path = MODELS["llama-1b-tied"]().write(tmp_path / "m.gguf")
    os.truncate(path, path.stat().st_size - 1000)

    assert read(path).missing == 1000


def test_split_files_are_one_model(tmp_path: Path) -> None:
    first = header(NAMED, [SMALL]) + bytes(64 * 100 * 2)
    second = header({"split.no": 1}, [("output.weight", (64, 100), "F16")]) + bytes(64 * 100 * 2)
    written(tmp_path / "m-00001-of-00002.gguf", first)
    written(tmp_path / "m-00002-of-00002.gguf", second)

    model = read(tmp_path / "m-00001-of-00002.gguf")

    assert [tensor.name for tensor in model.tensors] == ["token_embd.weight", "output.weight"]
    assert model.file_size == len(first) + len(second)


def test_a_part_that_is_missing_or_not_the_first_is_named(tmp_path: Path) -> None:
    written(tmp_path / "m-00001-of-00002.gguf", header(NAMED, [SMALL]))

    with pytest.raises(Unreadable, match=r"part 2 of 2 is missing \(m-00002-of-00002.gguf\)"):
        read(tmp_path / "m-00001-of-00002.gguf")
    with pytest.raises(Unreadable, match=r"is part 2 of 2; name the first one, m-00001-of-00002.gguf"):
        read(tmp_path / "m-00002-of-00002.gguf")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is empty"),
        (b"GG", "is too short for a model"),
        (b"GGUF" + struct.pack("<IQQ", 1, 0, 0), "is GGUF version 1; versions 2 and 3 can be read; it has to be converted"),
        (b"GGUF" + struct.pack("<IQQ", 9, 0, 0), "is GGUF version 9; versions 2 and 3 can be read"),
        (b"GGUF" + struct.pack(">IQQ", 3, 0, 0), "is a GGUF file for big-endian machines"),
        (b"tjgg" + bytes(20), "is a GGJT file from before GGUF (2023); it has to be converted"),
        (b"PK\3\4" + bytes(20), "is a ZIP archive, perhaps a PyTorch model, not GGUF"),
        (b"version https://git-lfs.github.com/spec/v1\n", "is a Git LFS pointer: the model itself was not downloaded"),
        (b"<!DOCTYPE html>", "is a web page, not a model"),
        (b"plain text, no model", "is not a GGUF model"),
        (pairs(), "names no architecture: it is a GGUF file, but not a model"),
        (pairs(ARCHITECTURE, count=2), "is damaged or incomplete: it ends within its own header"),
        (pairs(ARCHITECTURE, count=1 << 60), "is damaged: it claims 1152921504606846976 metadata entries"),
        (pairs(ARCHITECTURE, tensors=1 << 60), "is damaged: it claims 1152921504606846976 tensors"),
        (pairs(ARCHITECTURE, ARCHITECTURE), "is damaged: it holds a key twice"),
        (pairs(entry("x", 99, b"")), "is damaged: it holds a value of the unknown type 99"),
        (pairs(entry("x", 9, struct.pack("<IQ", 9, 1))), "is damaged: it holds an array of the unknown type 9"),
        (pairs(entry("x", 9, struct.pack("<IQ", 8, 1 << 61))), "is damaged or incomplete: it ends within its own header"),
        (pairs(entry("x", 9, struct.pack("<IQ", 4, 1 << 62))), "is damaged or incomplete: it ends within its own header"),
        (pairs(entry("x", 8, struct.pack("<Q", 1 << 63))), "is damaged or incomplete: it ends within its own header"),
        (pairs(entry("general.alignment", 4, struct.pack("<I", 3)), ARCHITECTURE), "is damaged: its alignment is 3"),
    ],
)
def test_what_is_no_model_is_named_in_one_sentence(tmp_path: Path, data: bytes, said: str) -> None:
    path = written(tmp_path / "m.gguf", data)

    with pytest.raises(Unreadable) as failure:
        read(path)

    assert str(failure.value) == f"m.gguf {said}"


def tensor(name: str, dimensions: tuple[int, ...], kind: int, offset: int = 0) -> bytes:
    return text(name) + struct.pack(f"<I{len(dimensions)}QIQ", len(dimensions), *dimensions, kind, offset)


@pytest.mark.parametrize(
    ("info", "said"),
    [
        (tensor("t", (1,) * 5, 0), "is damaged: it claims 5 dimensions of tensor t"),
        (tensor("t", (1 << 40, 1 << 40), 0), f"is damaged: it claims {1 << 80} elements in tensor t"),
        (tensor("t", (100,), 12), "is damaged: rows of tensor t are no whole number of Q4_K blocks"),
        (tensor("t", (32,), 99), ": tensor t is stored as the unknown type 99"),
        (tensor("t", (32,), 31), ": tensor t is stored as Q4_0_4_4, a type that engines no longer read"),
        (tensor("t", (32,), 0, 1 << 63), f"is damaged: it claims {1 << 63} bytes before tensor t"),
    ],
)
def test_a_tensor_that_cannot_be_is_named(tmp_path: Path, info: bytes, said: str) -> None:
    path = written(tmp_path / "m.gguf", pairs(ARCHITECTURE, tensors=1) + info)

    with pytest.raises(Unreadable) as failure:
        read(path)

    assert str(failure.value).replace("gguf: ", "gguf : ") == f"m.gguf {said}"


def test_what_cannot_be_opened_is_named(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.gguf")

    with pytest.raises(Unreadable, match=r"pipe\.gguf is not a file"):
        read(tmp_path / "pipe.gguf")
    with pytest.raises(Unreadable, match=r"gone\.gguf cannot be read: No such file"):
        read(tmp_path / "gone.gguf")
    with pytest.raises(Unreadable, match=r"cannot be read|is not a file"):
        read(tmp_path)


def test_a_long_header_costs_no_more_than_a_piece_of_it(tmp_path: Path) -> None:
    words = struct.pack("<IQ", 8, 1_000_000) + text("a word or two that is long") * 1_000_000
    path = written(tmp_path / "m.gguf", pairs(ARCHITECTURE, entry("words", 9, words)))
    tracemalloc.start()
    try:
        read(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert path.stat().st_size > 30 * MiB
    assert peak < 5 * MiB


TRUE = header(
    {
        "general.architecture": "llama",
        "llama.block_count": 2,
        "llama.context_length": 512,
        "llama.embedding_length": 64,
        "llama.attention.head_count": 4,
        "llama.attention.head_count_kv": [2, 2],
        "llama.feed_forward_length": 128,
    },
    [SMALL, ("blk.0.attn_q.weight", (64, 64), "Q8_0"), ("blk.1.ffn_up.weight", (64, 128), "F16")],
)


def attempt(path: Path) -> None:
    """Reads and plans; our own two errors are the only ones."""
    try:
        model = read(path)
        Planner(model).place(
            (Device(selector="CUDA:0", free=1 << 30), Device(selector="CUDA:1", free=1 << 30)), Settings(layers=2)
        )
    except (Unreadable, Unplannable):
        pass


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, len(TRUE) - 1), st.integers(0, 255)), max_size=12), st.integers(0, len(TRUE)))
@example([], len(TRUE))
def test_a_damaged_header_never_ends_in_a_traceback(tmp_path: Path, changes: list[tuple[int, int]], end: int) -> None:
    data = bytearray(TRUE)
    for at, value in changes:
        data[at] = value
    path = written(tmp_path / "m.gguf", bytes(data[:end]))
    tracemalloc.start()
    try:
        attempt(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak < 8 * MiB


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=400))
def test_noise_behind_a_true_beginning_never_ends_in_a_traceback(tmp_path: Path, noise: bytes) -> None:
    attempt(written(tmp_path / "m.gguf", b"GGUF" + struct.pack("<IQQ", 3, 2, 3) + noise))


NUMBERS = st.one_of(
    st.integers(0, 1 << 32),
    st.sampled_from([0, 1, 2, 3, 255, 256, 1 << 16, (1 << 31) - 1]),
    st.lists(st.integers(0, 64), max_size=5),
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(sorted(MODELS)),
    st.lists(
        st.tuples(st.integers(0, 40), st.one_of(NUMBERS, st.text(max_size=5), st.floats(width=32), st.booleans())), max_size=4
    ),
)
def test_metadata_that_lies_never_ends_in_a_traceback(
    tmp_path: Path, name: str, lies: list[tuple[int, int | list[int] | str | float | bool]]
) -> None:
    model = shortened(name)
    keys = [key for key in model.metadata if key != "general.architecture"]
    for at, lie in lies:
        if not isinstance(lie, list) or lie:
            model.metadata[keys[at % len(keys)]] = lie if not isinstance(lie, int) or lie < 1 << 32 else 0
    attempt(model.write(tmp_path / "m.gguf"))


def shortened(name: str) -> MadeUp:
    """A model with the tensors of its first layers alone: lies are what is tried here, not size."""
    model = MODELS[name]()
    first = tuple(f"blk.{layer}." for layer in range(6))
    model.tensors = [entry for entry in model.tensors if not entry[0].startswith("blk.") or entry[0].startswith(first)]
    model.set(block_count=min(6, model.layers))
    return model


def test_a_model_with_rows_of_another_size_is_not_a_traceback(tmp_path: Path) -> None:
    model = dense("llama", 2, 256, 1000, 4, 4, 64, 512)
    model.tensors = [
        (name, (1,), "F32") if name.startswith("blk.0") else (name, shape, kind) for name, shape, kind in model.tensors
    ]

    attempt(model.write(tmp_path / "m.gguf"))
