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
from typing import Any

from gpuprobe import environment
from gpuprobe.capture.private_names import finder, names_in_paths, value_of_variable
from gpuprobe.capture.secrets import ALWAYS, IN_FREE_TEXTS, Secret, by_pattern, replaced
from gpuprobe.facts import Host

# Accounts that say nothing about a person.
_COMMON = frozenset({"root", "ollama", "nobody", "user", "ubuntu", "debian", "localhost", "runner"})

_SHORTEST_NAME = 3  # of an account that is looked for in the words of a library

# What a library or a system wrote for people.
_FREE_TEXTS = frozenset({"stderr", "message"})


def redacted(value: Any, host: Host) -> Any:
    """The JSON value with every secret in its texts replaced; keys are paths and names of facts and stay."""
    kept = {*(build.name for build in host.builds), *(build.folder for build in host.builds), *_replaced_already(host)}
    kept |= {PurePath(manifest.path).name for manifest in host.manifests}
    directories = finder(names_in_paths(value, host.environ, kept))
    secrets = list(_secrets(host))
    if directories is not None:
        secrets.append(Secret("dir", directories, free_only=False))
    return _walk(_variables(value, frozenset(kept | _uuids(value))), secrets)


def _uuids(value: Any) -> set[str]:
    """What the libraries call their devices, however odd: a variable that names one must go on naming it."""
    outcomes = value.get("outcomes", ()) if isinstance(value, dict) else ()
    return {device["uuid"] for outcome in outcomes for device in outcome.get("devices", ()) if device.get("uuid")}


def _replaced_already(host: Host) -> set[str]:
    """Names that have a pseudonym of their own kind."""
    return {_account(), PurePath(host.environ.get("HOME", "")).name, socket.gethostname().split(".")[0]}


def pseudonym(kind: str, secret: str) -> str:
    return f"{kind}-{hashlib.sha256(secret.encode(errors='replace')).hexdigest()[:4]}"


def _secrets(host: Host) -> Iterator[Secret]:
    """What is looked for in every text, the longest first."""
    user, home = _account(), host.environ.get("HOME", "")
    if PurePath(home).name not in {*_COMMON, ""}:
        instead = str(PurePath(home).with_name(pseudonym("user", PurePath(home).name)))
        yield Secret("user", by_pattern(rf"{re.escape(home)}(?![\w.-])"), instead, free_only=False, signs=(home.lower(),))
    if user not in _COMMON:
        # The bare account name may be a common word; below a directory of homes it can be nothing else.
        below = rf"(?:(?<=/home/)|(?<=/Users/)){re.escape(user)}(?![\w.-])"
        yield Secret("user", by_pattern(below), pseudonym("user", user), free_only=False, signs=(user.lower(),))
        if len(user) >= _SHORTEST_NAME:
            yield Secret(
                "user", by_pattern(rf"(?<![\w-]){re.escape(user)}(?![\w-])"), pseudonym("user", user), signs=(user.lower(),)
            )
    name = socket.gethostname().split(".")[0]
    if name not in {*_COMMON, ""}:
        yield Secret(
            "host", by_pattern(rf"(?<![\w-]){re.escape(name)}(?![\w-])"), pseudonym("host", name), signs=(name.lower(),)
        )
    yield from ALWAYS
    yield from IN_FREE_TEXTS


def _alone(name: str) -> str:
    return rf"(?<![\w-]){re.escape(name)}(?![\w-])"


def _account() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # an account without an entry, as in many containers
        return "user"


def _walk(value: Any, secrets: list[Secret], free: bool = False) -> Any:
    """`free`: below a key whose texts somebody wrote, where a name can stand anywhere. Other texts are names of libraries,
    drivers and files that are judged; a host called `linux` must not change them."""
    if isinstance(value, str):
        looked_for = [secret for secret in secrets if free or not secret.free_only]
        return reduce(lambda text, secret: replaced(text, secret, pseudonym), looked_for, value)
    if isinstance(value, list):
        return [_walk(item, secrets, free) for item in value]
    if isinstance(value, dict):
        return {key: _walk(item, secrets, free or key in _FREE_TEXTS) for key, item in value.items()}
    return value


def _variables(value: Any, kept: frozenset[str]) -> Any:
    """Marks of containers and sandboxes count by being there; their values name networks and people. Of others the words stay
    that gpuprobe or a library knows; directories are looked for everywhere."""
    environ = value.get("host", {}).get("environ") if isinstance(value, dict) else None
    if not isinstance(environ, dict):
        return value
    return {**value, "host": {**value["host"], "environ": {name: _value(name, text, kept) for name, text in environ.items()}}}


_PLACES = frozenset(row.name for row in environment.VARIABLES if row.kind == environment.PLACE)


_VISIBILITY = frozenset(row.name for row in environment.VARIABLES if row.kind == environment.VISIBILITY)


def _value(name: str, text: str, kept: frozenset[str]) -> str:
    if name in _PLACES:
        return pseudonym("value", text) if text else text
    if name not in _VISIBILITY and (
        "/" in text or "\\" in text
    ):  # directories and files: replaced as they are in every other text
        return text
    return value_of_variable(text, pseudonym, kept)
