"""Where Ollama keeps a model: from its name through the manifest to the file, its projector and its own options.

A manifest is another's text: it may only name digests, and nothing outside the store is followed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from gpuprobe.modelfile.gguf import Unreadable
from gpuprobe.survey.tree import Tree

HOST, NAMESPACE, TAG = "registry.ollama.ai", "library", "latest"
_OF_THE_SERVICE = "/usr/share/ollama/.ollama/models"  # the home of the account that Ollama's installer makes
_MOST_MANIFEST, _MOST_OPTIONS, _MOST_LAYERS = 1 << 20, 1 << 16, 4096
_MOST_PROPOSED = 6

_START = "[A-Za-z0-9_]"
_PARTS = {
    "host": re.compile(rf"{_START}[A-Za-z0-9_.:-]{{0,349}}"),
    "namespace": re.compile(rf"{_START}[A-Za-z0-9_-]{{0,79}}"),
    "model": re.compile(rf"{_START}[A-Za-z0-9_.-]{{0,79}}"),
    "tag": re.compile(rf"{_START}[A-Za-z0-9_.-]{{0,79}}"),
}
_DIGEST = re.compile(r"sha256[:-]([0-9a-fA-F]{64})")
_MODEL, _PROJECTOR = "application/vnd.ollama.image.model", "application/vnd.ollama.image.projector"
_DRAFT, _OPTIONS = "application/vnd.ollama.image.draft", "application/vnd.ollama.image.params"
_TENSOR = "application/vnd.ollama.image.tensor"


class Name(NamedTuple):
    """`registry.ollama.ai/library/llama3:latest`; parts that are not said have these values."""

    host: str
    namespace: str
    model: str
    tag: str

    @property
    def shortest(self) -> str:
        """As `ollama list` writes it."""
        if self.host.lower() != HOST:
            return f"{self.host}/{self.namespace}/{self.model}:{self.tag}"
        return f"{'' if self.namespace.lower() == NAMESPACE else f'{self.namespace}/'}{self.model}:{self.tag}"


class Stored(NamedTuple):
    """A model of the store: paths of its files, and the options of its Modelfile that change memory (`num_ctx`)."""

    name: Name
    store: str
    file: str
    projectors: tuple[str, ...] = ()
    draft: str | None = None
    options: Mapping[str, int] = {}


def parsed(text: str) -> Name | None:
    """`[[host/]namespace/]model[:tag]`; None: it cannot be a name of Ollama's."""
    rest, tag = text, TAG
    if rest.rfind(":") > rest.rfind("/"):
        rest, _, tag = rest.rpartition(":")
    parts = rest.split("://")[-1].split("/")
    if len(parts) > 3:
        return None
    host, namespace, model = (*(HOST, NAMESPACE)[: 3 - len(parts)], *parts)
    name = Name(host, namespace, model, tag)
    fits = all(_PARTS[kind].fullmatch(part) for kind, part in name._asdict().items())
    return name if fits else None


def stores(environ: Mapping[str, str]) -> tuple[str, ...]:
    """The directories that may hold models, in the order in which Ollama would take them for this account."""
    told = environ.get("OLLAMA_MODELS", "").strip().strip("\"'")
    home = environ.get("HOME") or environ.get("USERPROFILE") or ""
    own = f"{home.rstrip('/')}/.ollama/models" if home.startswith("/") or ":" in home[:2] else ""
    return tuple(dict.fromkeys(each for each in (told, own, _OF_THE_SERVICE) if each.startswith("/") or ":" in each[:2]))


def find(text: str, environ: Mapping[str, str], tree: Tree | None = None) -> Stored:
    """The model of that name. Raises Unreadable with the stores that were looked in, and with what is in them."""
    tree = Tree() if tree is None else tree
    name = parsed(text)
    if name is None:
        raise Unreadable(f"`{text}` is not a file or directory, nor a name that Ollama takes")
    searched = stores(environ)
    for store in searched:
        manifest = _manifest(tree, store, name)
        if manifest is not None:
            return _stored(tree, store, name, manifest)
    raise Unreadable(f"`{text}` is not a file or directory, and {_not_there(tree, name, searched)}")


def _not_there(tree: Tree, name: Name, searched: Sequence[str]) -> str:
    denied = next((store for store in searched if tree.why_unlisted(f"{store}/manifests") == "denied"), None)
    if denied is not None:
        return f"this account cannot read Ollama's store `{denied}`"
    there = sorted({each.shortest for store in searched for each in _names(tree, store)})
    if not there:
        return f"no model is stored in {' or '.join(f'`{store}`' for store in searched)}"
    more = f" and {len(there) - _MOST_PROPOSED} more" if len(there) > _MOST_PROPOSED else ""
    return f"Ollama's store has no `{name.shortest}`; it has {', '.join(there[:_MOST_PROPOSED])}{more}"


def _names(tree: Tree, store: str) -> Iterator[Name]:
    above = f"{store}/manifests"
    for host in tree.names(above)[:64]:
        for namespace in tree.names(f"{above}/{host}")[:256]:
            for model in tree.names(f"{above}/{host}/{namespace}")[:256]:
                for tag in tree.names(f"{above}/{host}/{namespace}/{model}")[:64]:
                    yield Name(host, namespace, model, tag)


def _manifest(tree: Tree, store: str, name: Name) -> dict[str, Any] | None:
    """Names of models differ in nothing by their case alone."""
    place = f"{store}/manifests"
    for part in name:
        names = tree.names(place)
        found = part if part in names else next((each for each in names if each.lower() == part.lower()), None)
        if found is None:
            return None
        place = f"{place}/{found}"
    content = _inside(tree, store, place, _MOST_MANIFEST)
    try:
        manifest = json.loads(content)
    except (ValueError, RecursionError) as problem:
        raise Unreadable(f"the manifest `{place}` is not JSON") from problem
    if not isinstance(manifest, dict) or not isinstance(manifest.get("layers"), list):
        raise Unreadable(f"the manifest `{place}` names no layers")
    return manifest


def _stored(tree: Tree, store: str, name: Name, manifest: Mapping[str, Any]) -> Stored:
    layers = [layer for layer in manifest["layers"][:_MOST_LAYERS] if isinstance(layer, dict)]
    paths: dict[str, list[str]] = {}
    for layer in layers:
        kind = layer.get("mediaType")
        if kind in (_MODEL, _PROJECTOR, _DRAFT, _OPTIONS):
            paths.setdefault(kind, []).append(_blob(tree, store, name, layer.get("digest")))
    if _MODEL not in paths:
        made_of_tensors = any(layer.get("mediaType") == _TENSOR for layer in layers)
        holds = "tensors of Ollama's own engine, which is not planned" if made_of_tensors else "no model file"
        raise Unreadable(f"the manifest of `{name.shortest}` names {holds}")
    return Stored(
        name=name,
        store=store,
        file=paths[_MODEL][-1],  # the last one counts, as in Ollama
        projectors=tuple(paths.get(_PROJECTOR, ())),
        draft=paths.get(_DRAFT, [None])[-1],
        options=_options(tree, store, paths[_OPTIONS][-1]) if _OPTIONS in paths else {},
    )


def _blob(tree: Tree, store: str, name: Name, digest: object) -> str:
    found = _DIGEST.fullmatch(digest) if isinstance(digest, str) else None
    if found is None:
        raise Unreadable(f"the manifest of `{name.shortest}` names a file by something that is not a SHA-256 digest")
    path = f"{store}/blobs/sha256-{found[1]}"
    if tree.status(path) is None:
        raise Unreadable(f"`{path}` of `{name.shortest}` is missing or cannot be read; `ollama pull` fetches it again")
    _refuse_outside(tree, store, path)
    return path


def _refuse_outside(tree: Tree, store: str, path: str) -> None:
    if not tree.real_path(path).startswith(f"{tree.real_path(store).rstrip('/')}/"):
        raise Unreadable(f"`{path}` leads out of the store; name that file itself to plan it")


def _inside(tree: Tree, store: str, path: str, most: int) -> bytes:
    _refuse_outside(tree, store, path)
    try:
        content = tree.content(path, most + 1)
    except (OSError, ValueError) as problem:
        raise Unreadable(f"`{path}` cannot be read: {getattr(problem, 'strerror', None) or problem}") from problem
    if len(content) > most:
        raise Unreadable(f"`{path}` is longer than {most} bytes, which is too long for a file of Ollama's")
    return content


def _options(tree: Tree, store: str, path: str) -> dict[str, int]:
    """The whole numbers among the options; what cannot be read changes nothing."""
    try:
        said = json.loads(_inside(tree, store, path, _MOST_OPTIONS))
    except (ValueError, RecursionError):
        return {}
    numbers = said.items() if isinstance(said, dict) else ()
    return {key: value for key, value in numbers if type(value) is int and abs(value) < 1 << 31}
