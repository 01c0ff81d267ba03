"""The device files of GPUs under /dev, whose they are, and whether this account may open them. None of them is opened."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator

from gpuprobe import vendors
from gpuprobe.facts import DeviceNode
from gpuprobe.machine.mode_bits import may_open
from gpuprobe.survey.tree import ABSENT, Tree

_NAMES = ("dxg", *(name for vendor in vendors.VENDORS for name in vendor.nodes))  # how GPU nodes directly under /dev begin
CARD_NODES = tuple(f"/dev/{name}" for name in _NAMES)
_FOLDERS = ("/dev/dri", *(folder for vendor in vendors.VENDORS for folder in vendor.node_folders))


def device_nodes(root: str = "/") -> tuple[DeviceNode, ...]:
    """The GPU nodes under /dev as they are now: asking a library as root can create some."""
    return tuple(nodes(Tree(root.rstrip("/") or "/")))


def nodes(tree: Tree) -> Iterator[DeviceNode]:
    paths = [f"/dev/{name}" for name in tree.names("/dev") if name.startswith(_NAMES)]
    paths += [f"{place}/{name}" for place in _FOLDERS for name in tree.names(place)]
    for path in paths:
        status, problem = tree.status_or_why(path)
        if problem is not None and problem != ABSENT:
            tree.unread_below("/dev/dri" if path.startswith("/dev/dri/") else "/dev", path, problem)
        if status is not None and not stat.S_ISDIR(status.st_mode):
            yield _node(tree, path, status)


def _node(tree: Tree, path: str, status: os.stat_result) -> DeviceNode:
    special = stat.S_ISCHR(status.st_mode)
    if tree.is_this_machine:
        accessible = os.access(path, os.R_OK | os.W_OK)  # knows of access control lists, which the mode does not show
    else:
        accessible = may_open(status.st_mode, status.st_uid, status.st_gid, os.geteuid(), groups_of_this_process())
    return DeviceNode(
        path=path,
        mode=stat.S_IMODE(status.st_mode),
        uid=status.st_uid,
        gid=status.st_gid,
        major=os.major(status.st_rdev) if special else None,
        minor=os.minor(status.st_rdev) if special else None,
        accessible=accessible,
        group=_group_name(status.st_gid) if tree.is_this_machine else None,
    )


def _group_name(gid: int) -> str | None:
    try:
        import grp

        return grp.getgrgid(gid).gr_name
    except (ImportError, KeyError, OSError):  # OSError: the directory of accounts does not answer
        return None


def groups_of_this_process() -> tuple[int, ...]:
    if not hasattr(os, "getgroups"):
        return ()
    try:
        return tuple(sorted({os.getegid(), *os.getgroups()}))
    except OSError:
        return (os.getegid(),)
