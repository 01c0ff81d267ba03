"""Whether another account could replace a library: loading it would then run that account's code."""

from __future__ import annotations

import os
import stat

from gpuprobe.survey.tree import Tree


def why_others(tree: Tree, path: str) -> str | None:
    """Which file or directory on the way to `path` another account than root and this one could change; None: none."""
    ours = {0, os.geteuid()} if hasattr(os, "geteuid") else {0}
    for place in dict.fromkeys((*_upwards(path), *_upwards(tree.real_path(path)))):
        found = tree.status(place)
        if found is None:
            continue
        if found.st_uid not in ours:
            return f"`{place}` belongs to another account (user id {found.st_uid})"
        sticky = stat.S_ISDIR(found.st_mode) and found.st_mode & stat.S_ISVTX
        others = found.st_mode & stat.S_IWOTH or (found.st_mode & stat.S_IWGRP and found.st_gid not in (0, *ours))
        if others and not sticky:
            return f"others may write to `{place}`"
    return None


def _upwards(path: str) -> list[str]:
    parts = path.rstrip("/").split("/")
    return ["/".join(parts[:count]) or "/" for count in range(len(parts), 0, -1)]
