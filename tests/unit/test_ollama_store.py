"""Ollama's store: which file a name means, and nothing outside of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpuprobe.modelfile import ollama_store
from gpuprobe.modelfile.gguf import Unreadable
from gpuprobe.modelfile.ollama_store import Name, parsed
from tests.models import stored_in_ollama


def a_file(folder: Path, name: str = "model.gguf") -> str:
    (folder / name).write_bytes(b"GGUF")
    return str(folder / name)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("llama3", Name("registry.ollama.ai", "library", "llama3", "latest")),
        ("llama3:8b", Name("registry.ollama.ai", "library", "llama3", "8b")),
        ("me/llama3:8b", Name("registry.ollama.ai", "me", "llama3", "8b")),
        ("hf.co/me/llama-3.1_GGUF:Q4_K_M", Name("hf.co", "me", "llama-3.1_GGUF", "Q4_K_M")),
        ("localhost:5000/me/x", Name("localhost:5000", "me", "x", "latest")),
        ("https://hf.co/me/x", Name("hf.co", "me", "x", "latest")),
    ],
)
def test_a_name_has_four_parts_of_which_three_have_defaults(text: str, name: Name) -> None:
    assert parsed(text) == name


@pytest.mark.parametrize(
    "text",
    ["", ":", "a:", "/a", "a/", "..", "../a", "a/../b", "a b", "a:b:c", "a\0b", ".hidden", "me.too/x", "a" * 81, "w/x/y/z"],
)
def test_what_cannot_be_a_name_is_none(text: str) -> None:
    assert parsed(text) is None


@given(st.text(max_size=40))
def test_no_name_can_leave_a_directory(text: str) -> None:
    name = parsed(text)
    if name is not None:
        assert all(part not in ("", ".", "..") and "/" not in part and "\0" not in part for part in name)


def test_the_file_of_a_name_is_found_with_its_options_and_projector(tmp_path: Path) -> None:
    projector = a_file(tmp_path, "projector.gguf")
    store = stored_in_ollama(
        tmp_path, "pic:1b", a_file(tmp_path), options={"num_ctx": 8192, "stop": ["x"]}, projector=projector
    )
    found = ollama_store.find("pic:1b", {"OLLAMA_MODELS": store})

    assert Path(found.file).read_bytes() == b"GGUF"
    assert (len(found.projectors), found.options, found.name.shortest) == (1, {"num_ctx": 8192}, "pic:1b")


def test_names_differ_in_nothing_by_their_case_alone(tmp_path: Path) -> None:
    store = stored_in_ollama(tmp_path, "Llama3:8B", a_file(tmp_path))

    assert ollama_store.find("llama3:8b", {"OLLAMA_MODELS": store}).store == store


def test_the_stores_are_the_variables_the_users_and_the_services() -> None:
    told = {"OLLAMA_MODELS": ' "/srv/models" ', "HOME": "/home/me"}

    assert ollama_store.stores(told) == ("/srv/models", "/home/me/.ollama/models", "/usr/share/ollama/.ollama/models")
    assert ollama_store.stores({"OLLAMA_MODELS": "relative"}) == ("/usr/share/ollama/.ollama/models",)


def test_a_name_that_is_not_there_is_told_with_what_is(tmp_path: Path) -> None:
    store = stored_in_ollama(tmp_path, "llama3:8b", a_file(tmp_path))

    with pytest.raises(Unreadable, match="it has llama3:8b"):
        ollama_store.find("llama4", {"OLLAMA_MODELS": store})


def manifest_of(store: str) -> Path:
    (path,) = (path for path in Path(store, "manifests").rglob("*") if path.is_file())
    return path


@pytest.mark.parametrize(
    "digest",
    ["sha256:../../etc/passwd", "sha256:" + "g" * 64, "", "/etc/passwd", 7, None, "sha256:" + "a" * 63, "md5:" + "a" * 64],
)
def test_a_manifest_names_files_by_digests_alone(tmp_path: Path, digest: object) -> None:
    store = stored_in_ollama(tmp_path, "x:1", a_file(tmp_path))
    layer = {"mediaType": "application/vnd.ollama.image.model", "digest": digest}
    manifest_of(store).write_text(json.dumps({"layers": [layer]}))

    with pytest.raises(Unreadable, match="not a SHA-256 digest"):
        ollama_store.find("x:1", {"OLLAMA_MODELS": store})


def test_a_link_out_of_the_store_is_not_followed(tmp_path: Path) -> None:
    store = stored_in_ollama(tmp_path, "x:1", a_file(tmp_path))
    (blob,) = Path(store, "blobs").iterdir()
    outside = a_file(tmp_path, "outside.gguf")
    blob.unlink()
    blob.symlink_to(outside)

    with pytest.raises(Unreadable, match="leads out of the store; name that file itself"):
        ollama_store.find("x:1", {"OLLAMA_MODELS": store})


def test_a_whole_store_may_be_a_link(tmp_path: Path) -> None:
    store = stored_in_ollama(tmp_path, "x:1", a_file(tmp_path))
    (tmp_path / "link").symlink_to(store)

    assert ollama_store.find("x:1", {"OLLAMA_MODELS": str(tmp_path / "link")}).name.model == "x"


def test_a_file_that_is_missing_is_told(tmp_path: Path) -> None:
    store = stored_in_ollama(tmp_path, "x:1", a_file(tmp_path))
    next(Path(store, "blobs").iterdir()).unlink()

    with pytest.raises(Unreadable, match="`ollama pull` fetches it again"):
        ollama_store.find("x:1", {"OLLAMA_MODELS": store})


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"layers": 3}', '{"layers": [1]}', '{"layers": []}', "[" * 100_000])
def test_a_manifest_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    store = stored_in_ollama(tmp_path, "x:1", a_file(tmp_path))
    manifest_of(store).write_text(text)

    with pytest.raises(Unreadable):
        ollama_store.find("x:1", {"OLLAMA_MODELS": store})


def test_a_manifest_without_end_is_not_read_whole(tmp_path: Path) -> None:
    store = stored_in_ollama(tmp_path, "x:1", a_file(tmp_path))
    manifest_of(store).write_text(" " * (1 << 20) + "{}")

    with pytest.raises(Unreadable, match="is longer than"):
        ollama_store.find("x:1", {"OLLAMA_MODELS": store})
