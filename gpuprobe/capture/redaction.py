"""Taking people and machines out of a capture: account, home directory, host name, container ids.

The same secret always becomes the same pseudonym, on every machine, so that two captures can be compared; four hexadecimal
digits of a hash name it, too few to be turned back into one name. GPU UUIDs stay: selecting by them is what is judged.
"""

from __future__ import annotations

import getpass
import hashlib
import re
import socket
from collections.abc import Iterator
from functools import reduce
from pathlib import PurePath
from typing import Any, NamedTuple

from gpuprobe import environment
from gpuprobe.facts import Host

# Accounts that say nothing about a person.
_COMMON = frozenset({"root", "ollama", "nobody", "user", "ubuntu", "debian", "localhost", "runner"})

_CONTAINER_ID = re.compile(r"\b[0-9a-f]{32,64}\b")
_BUILDER = re.compile(r"[\w.+-]+@[\w.-]+")  # who built the kernel: /proc/version

# What a library or a system wrote for people.
_FREE_TEXTS = frozenset({"stderr", "message"})


class Secret(NamedTuple):
    pattern: re.Pattern[str]
    instead: str | None  # None: a pseudonym of what was found
    free_only: bool = False


def redacted(value: Any, host: Host) -> Any:
    """The JSON value with every secret in its texts replaced; keys are paths and names of facts and stay."""
    return _walk(_places(value), list(_secrets(host)))


def pseudonym(kind: str, secret: str) -> str:
    return f"{kind}-{hashlib.sha256(secret.encode(errors='replace')).hexdigest()[:4]}"


def _secrets(host: Host) -> Iterator[Secret]:
    """What is looked for in every text, the longest first."""
    user, home = _account(), host.environ.get("HOME", "")
    if PurePath(home).name not in {*_COMMON, ""}:
        secret = PurePath(home).name
        yield Secret(re.compile(rf"{re.escape(home)}(?![\w.-])"), str(PurePath(home).with_name(pseudonym("user", secret))))
    if user not in _COMMON:
        # The bare account name may be a common word; below a directory of homes it can be nothing else.
        yield Secret(re.compile(rf"(?:(?<=/home/)|(?<=/Users/)){re.escape(user)}(?![\w.-])"), pseudonym("user", user))
    name = socket.gethostname().split(".")[0]
    if name not in {*_COMMON, ""}:
        yield Secret(re.compile(rf"(?<![\w-]){re.escape(name)}(?![\w-])"), pseudonym("host", name), True)
    yield Secret(_BUILDER, None)
    yield Secret(_CONTAINER_ID, None)


def _account() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # an account without an entry, as in many containers
        return "user"


def _without(secret: Secret, text: str) -> str:
    def name(found: re.Match[str]) -> str:
        return pseudonym("id", found.group()) if secret.instead is None else secret.instead

    return secret.pattern.sub(name, text)


def _walk(value: Any, secrets: list[Secret], free: bool = False) -> Any:
    """`free`: below a key whose texts somebody wrote, where a name can stand anywhere. Other texts are names of libraries,
    drivers and files that are judged; a host called `linux` must not change them."""
    if isinstance(value, str):
        return reduce(lambda text, secret: _without(secret, text), [s for s in secrets if free or not s.free_only], value)
    if isinstance(value, list):
        return [_walk(item, secrets, free) for item in value]
    if isinstance(value, dict):
        return {key: _walk(item, secrets, free or key in _FREE_TEXTS) for key, item in value.items()}
    return value


def _places(value: Any) -> Any:
    """Marks of containers and sandboxes count by being there; their values name networks and people."""
    environ = value.get("host", {}).get("environ") if isinstance(value, dict) else None
    if not isinstance(environ, dict):
        return value
    names = {row.name for row in environment.VARIABLES if row.kind == environment.PLACE}
    hidden = {name: pseudonym("value", text) if name in names and text else text for name, text in environ.items()}
    return {**value, "host": {**value["host"], "environ": hidden}}
