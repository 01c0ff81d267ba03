"""What the processes that a driver names are called here, where its numbers are this process's own."""

from __future__ import annotations

from collections.abc import Iterable

from gpuprobe.survey.process_status import status_of
from gpuprobe.survey.tree import Tree

# PROC_PID_INIT_INO (include/linux/proc_ns.h): drivers count in the first namespace, a container in its own.
FIRST_NAMESPACE = "pid:[4026531836]"


def program_names(numbers: Iterable[int], root: str = "/") -> dict[int, str]:
    """By process number; empty in a container, where the same number is another process."""
    tree = Tree(root)
    if tree.target("/proc/self/ns/pid") != FIRST_NAMESPACE:
        return {}
    return {number: name for number in numbers if (name := tree.line(f"/proc/{number}/comm")) is not None}


def accounts(numbers: Iterable[int], root: str = "/") -> dict[int, str]:
    """Whose these processes are, by process number: the account's name, or its number where it has none here.

    Not the owner of /proc/PID: that is root where a process may not be dumped, whoever runs it (proc_pid(5)).
    """
    tree = Tree(root)
    found = ((number, status_of(tree, number).uid) for number in numbers)
    return {number: name_of(account) for number, account in found if account is not None}


def name_of(account: int) -> str:
    try:
        import pwd

        return pwd.getpwuid(account).pw_name
    except (ImportError, KeyError):
        return str(account)
