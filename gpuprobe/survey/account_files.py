"""Accounts and groups as the system's files have them: who gets which groups at the next login."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from gpuprobe.facts.system_facts import SystemGroup
from gpuprobe.survey.tree import Tree

_LARGEST = 4 * 1024 * 1024  # bytes
_COMMON = ("render", "video", "nvidia", "kvm", "docker", "systemd-journal", "adm")
SERVICES = ("ollama", "llama", "llama-server", "llamacpp", "vllm", "localai", "comfyui", "docker", "jupyter", "sglang", "tgi")


class Account(NamedTuple):
    name: str
    uid: int
    gid: int
    home: str = ""


class _Group(NamedTuple):
    name: str
    gid: int
    members: tuple[str, ...]


def account_named(tree: Tree, wanted: str | int) -> Account | None:
    """By name or number; None: the system's files have none (a directory of accounts may)."""
    return next((each for each in _accounts(tree) if wanted in (each.name, each.uid)), None)


def login_groups(tree: Tree, account: Account) -> tuple[int, ...]:
    """Numbers of the groups that the files give it."""
    return tuple(sorted({account.gid, *(group.gid for group in _groups(tree) if account.name in group.members)}))


def group_named(tree: Tree, name: str) -> int | None:
    return next((group.gid for group in _groups(tree) if group.name == name), None)


def groups_of_nodes(tree: Tree, gids: Iterable[int], account: Account | None) -> tuple[SystemGroup, ...]:
    """The groups of these numbers, and those that commonly own nodes; of their members only this account and services."""
    wanted = set(gids)
    kept = (group for group in _groups(tree) if group.gid in wanted or group.name in _COMMON)
    return tuple(
        SystemGroup(
            name=group.name,
            gid=group.gid,
            has_account=account is not None and (account.name in group.members or account.gid == group.gid),
            services=tuple(name for name in SERVICES if name in group.members),
        )
        for group in kept
    )


def _accounts(tree: Tree) -> Iterator[Account]:
    for fields in _rows(tree, "/etc/passwd", 7):
        if _is_number(fields[2]) and _is_number(fields[3]):
            yield Account(fields[0], int(fields[2]), int(fields[3]), fields[5])


def _groups(tree: Tree) -> Iterator[_Group]:
    for fields in _rows(tree, "/etc/group", 4):
        if _is_number(fields[2]):
            yield _Group(fields[0], int(fields[2]), tuple(name for name in fields[3].strip().split(",") if name))


def _rows(tree: Tree, path: str, count: int) -> Iterator[list[str]]:
    for line in (tree.read(path, _LARGEST).text or "").splitlines():
        fields = line.split(":")
        if len(fields) == count and 0 < len(fields[0]) <= 64 and not fields[0].startswith("#"):
            yield fields


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 10
