"""What the processes that a driver names are called here, where its numbers are this process's own."""

from __future__ import annotations

from collections.abc import Iterable

from gpuprobe.survey.tree import Tree

# PROC_PID_INIT_INO (include/linux/proc_ns.h): drivers count in the first namespace, a container in its own.
_FIRST_NAMESPACE = "pid:[4026531836]"


def program_names(numbers: Iterable[int], root: str = "/") -> dict[int, str]:
    """By process number; empty in a container, where the same number is another process."""
    tree = Tree(root)
    if tree.target("/proc/self/ns/pid") != _FIRST_NAMESPACE:
        return {}
    return {number: name for number in numbers if (name := tree.line(f"/proc/{number}/comm")) is not None}
