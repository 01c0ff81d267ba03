"""Whom `--as` names: a process, the service of a unit, or an account, and how it stands."""

from __future__ import annotations

import os
from collections.abc import Iterable
from posixpath import basename

from gpuprobe.facts.system_facts import Standing, UnitFiles
from gpuprobe.machine.services import environment_in, shares_files, value_in, values_in
from gpuprobe.survey.account_files import Account, account_named, group_named, login_groups
from gpuprobe.survey.process_status import numbers
from gpuprobe.survey.standing import namespaces, process
from gpuprobe.survey.tree import Tree
from gpuprobe.survey.unit_files import unit_named

_GROUPS = ("/sys/fs/cgroup", "/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified")
_SLICES = ("system.slice", "machine.slice", "user.slice")
_LATER = "absent"  # of what only a process that runs has


def seen_as(wanted: str, root: str = "/") -> Standing | None:
    """By process number, else by unit, else by account, which may also be a number behind `uid:`; None: there is no such thing.

    What runs is taken as it runs; a unit that does not run, and an account, as the files say that it would.
    """
    tree = Tree(root.rstrip("/") or "/")
    if wanted.isascii() and wanted.isdigit() and len(wanted) <= 9:
        found = process(tree, int(wanted))
        return found if found.process is not None else None
    mine = account_named(tree, os.geteuid()) if hasattr(os, "geteuid") else None
    unit = unit_named(tree, wanted, mine.home if mine else None) if "/" not in wanted and 0 < len(wanted) <= 200 else None
    if unit is not None:
        return _of_unit(tree, unit, mine.name if mine and unit.scope == "user" else "root")
    number = wanted.removeprefix("uid:")
    account = account_named(tree, _name_or_number(number) if number != wanted and number.isdigit() else wanted)
    return None if account is None else _of_account(tree, account, "account", account.name)


def root_of(standing: Standing, root: str = "/") -> str | None:
    """Below which directory the files lie that this process sees, for `read_host(root)`: its own where it is in a container.
    None: they are others than ours, and we may not look."""
    tree = Tree(root.rstrip("/") or "/")
    if standing.process is None or shares_files(namespaces(tree, "/proc/self"), standing):
        return root
    place = f"/proc/{standing.process}/root"
    return tree.at(place) if tree.why_unlisted(f"{place}/") is None else None


def _of_unit(tree: Tree, unit: UnitFiles, otherwise: str) -> Standing:
    """`otherwise`: whose it is where it names no account."""
    running = _processes_of(tree, unit.name)
    if running:
        found = process(tree, running[0])
        return found._replace(kind="unit", name=unit.name, unit=unit.name, children=tuple(running[1:32]))
    user, group = value_in(unit, "User"), value_in(unit, "Group")
    account = account_named(tree, _name_or_number(user.value) if user else otherwise)
    if account is None:
        found = Standing("unit", unit.name, account=user.value if user else None, problems={"uid": _LATER})
    else:
        found = _of_account(tree, account, "unit", unit.name)
    named = [word for line in values_in(unit, "SupplementaryGroups") for word in line.value.split()]
    gids = _gids(tree, [*([group.value] if group else []), *named])
    command = value_in(unit, "ExecStart")
    program = command.value.split(" ")[0].lstrip("-@:+!|") if command else None
    return found._replace(
        gid=gids[0] if group and gids else found.gid,
        groups=tuple(sorted({*(found.groups or ()), *gids})),
        environ=environment_in(unit),
        program=program,
        command=basename(program) if program else None,
        unit=unit.name,
    )


def _name_or_number(text: str) -> str | int:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 10 else text


def _gids(tree: Tree, names: Iterable[str]) -> list[int]:
    found = (_name_or_number(name) for name in names)
    known = (each if isinstance(each, int) else group_named(tree, each) for each in found)
    return [each for each in known if each is not None]


def _processes_of(tree: Tree, unit: str) -> list[int]:
    """In the unit's control group; where that is not to be seen, those that say they are in it. The first one leads."""
    for place in (f"{root}/{part}/{unit}/cgroup.procs" for root in _GROUPS for part in _SLICES):
        text = tree.read(place).text
        if text and text.strip():
            return sorted(int(word) for word in text.split()[:1024] if word.isascii() and word.isdigit() and len(word) <= 9)
    return [each for each in numbers(tree) if f"/{unit}" in (tree.read(f"/proc/{each}/cgroup", most=4096).text or "")]


def _of_account(tree: Tree, account: Account, kind: str, name: str) -> Standing:
    """As it would stand after a login; what only a running process has is absent."""
    missing = ("environ", "cgroup", "root", "capabilities", "libraries", "nodes", "limits", "label")
    return Standing(
        kind=kind,
        name=name,
        account=account.name,
        uid=account.uid,
        gid=account.gid,
        groups=login_groups(tree, account),
        problems=dict.fromkeys(missing, _LATER),
    )
