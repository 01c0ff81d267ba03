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

from gpuprobe.model import Host

# Accounts that say nothing about a person.
_COMMON = frozenset({"root", "ollama", "nobody", "user", "ubuntu", "debian", "localhost", "runner"})

_CONTAINER_ID = re.compile(r"\b[0-9a-f]{64}\b")


class Secret(NamedTuple):
    pattern: re.Pattern[str]
    instead: str | None  # None: a pseudonym of what was found


def redacted(value: Any, host: Host) -> Any:
    """The JSON value with every secret in its texts replaced; keys are paths and names of facts and stay."""
    return _walk(value, list(_secrets(host)))


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
        yield Secret(re.compile(rf"(?<![\w-]){re.escape(name)}(?![\w-])"), pseudonym("host", name))
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


def _walk(value: Any, secrets: list[Secret]) -> Any:
    if isinstance(value, str):
        return reduce(lambda text, secret: _without(secret, text), secrets, value)
    if isinstance(value, list):
        return [_walk(item, secrets) for item in value]
    if isinstance(value, dict):
        return {key: _walk(item, secrets) for key, item in value.items()}
    return value
