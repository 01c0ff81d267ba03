"""Taking people and machines out of a capture: account, home directory, host name, container ids.

The same secret always becomes the same pseudonym, on every machine, so that two captures can be compared; four hexadecimal
digits of a hash name it, too few to be turned back into one name. GPU UUIDs stay: selecting by them is what is judged.
"""

from __future__ import annotations

import getpass
import hashlib
import re
import socket
from collections.abc import Iterator, Mapping
from functools import lru_cache, reduce
from pathlib import PurePath
from typing import Any

from gpuprobe import environment
from gpuprobe.capture.private_names import finder, names_in_paths, value_of_variable
from gpuprobe.capture.secrets import ALWAYS, IN_FREE_TEXTS, Secret, by_pattern, replaced
from gpuprobe.facts import Host
from gpuprobe.facts.system_facts import Standing
from gpuprobe.survey.account_files import SERVICES

# Accounts that say nothing about a person.
_COMMON = frozenset({"root", "ollama", "nobody", "user", "ubuntu", "debian", "localhost", "runner", *SERVICES})

_SHORTEST_NAME = 3  # of an account that is looked for in the words of a library

# What a library or a system wrote for people; of what a diagnosis reads also settings and commands, which people wrote.
_FREE_TEXTS = frozenset({"stderr", "message"})
_FREE_IN_SYSTEM = _FREE_TEXTS | {"files", "environment_files", "arguments", "label"}
_FREE_BELOW = {"system": _FREE_IN_SYSTEM, "modules": _FREE_TEXTS}

_HOMES = ("/home/", "/Users/", "/root/", "/data/", "/mnt/", "/srv/", "/var/home/")
_SLICES = ("system.slice", "user.slice", "machine.slice", "init.scope", "kubepods.slice", "session.slice", "app.slice")


def redacted(value: Any, host: Host) -> Any:
    """The JSON value with every secret in its texts replaced; keys are paths and names of facts and stay."""
    kept = {*(build.name for build in host.builds), *(build.folder for build in host.builds), *_replaced_already(host)}
    kept |= {PurePath(manifest.path).name for manifest in host.manifests} | _units(host)
    environ = {f"{number} {name}": text for number, each in enumerate(_environs(host)) for name, text in each.items()}
    directories = finder(names_in_paths(value, environ, kept))
    secrets = list(_secrets(host))
    if directories is not None:
        secrets.append(Secret("dir", directories, free_only=False))
    return _walk(_variables(value, frozenset(kept | _uuids(value))), secrets, _FREE_TEXTS)


def _standings(host: Host) -> tuple[Standing, ...]:
    """The other processes, services and accounts that the evidence speaks of."""
    if host.system is None:
        return ()
    return (*(host.system.servers or ()), *((host.system.seen_as,) if host.system.seen_as else ()))


def _environs(host: Host) -> tuple[Mapping[str, str], ...]:
    return (host.environ, *(each.environ for each in _standings(host) if each.environ is not None))


def _units(host: Host) -> set[str]:
    """Names of units, which stand in the paths of control groups and are judged."""
    of_files = (unit.name for unit in (host.system.units if host.system else None) or ())
    return {*of_files, *(each.unit for each in _standings(host) if each.unit), *_SLICES}


def _accounts(host: Host) -> tuple[str, ...]:
    """Of the people among those whom the evidence names, our own first."""
    named = (_account(), host.system.account if host.system else None, *(each.account for each in _standings(host)))
    return tuple(dict.fromkeys(name for name in named if name and name not in _COMMON))


def _uuids(value: Any) -> set[str]:
    """What the libraries call their devices, however odd: a variable that names one must go on naming it."""
    outcomes = value.get("outcomes", ()) if isinstance(value, dict) else ()
    return {device["uuid"] for outcome in outcomes for device in outcome.get("devices", ()) if device.get("uuid")}


def _replaced_already(host: Host) -> set[str]:
    """Names that have a pseudonym of their own kind."""
    return {_account(), PurePath(host.environ.get("HOME", "")).name, socket.gethostname().split(".")[0]}


@lru_cache(maxsize=4096)
def pseudonym(kind: str, secret: str) -> str:
    return f"{kind}-{hashlib.sha256(secret.encode(errors='replace')).hexdigest()[:4]}"


def _secrets(host: Host) -> Iterator[Secret]:
    """What is looked for in every text, the longest first."""
    home = host.environ.get("HOME", "")
    if PurePath(home).name not in {*_COMMON, ""}:
        instead = str(PurePath(home).with_name(pseudonym("user", PurePath(home).name)))
        yield Secret("user", by_pattern(rf"{re.escape(home)}(?![\w.-])"), instead, free_only=False, signs=(home.lower(),))
    for user in _accounts(host):
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


def _account() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # an account without an entry, as in many containers
        return "user"


def _walk(value: Any, secrets: list[Secret], names: frozenset[str], free: bool = False) -> Any:
    """`free`: below a key (`names`) whose texts somebody wrote, where a name can stand anywhere. Other texts are names of
    libraries, drivers and files that are judged; a host called `linux` must not change them."""
    if isinstance(value, str):
        looked_for = [secret for secret in secrets if free or not secret.free_only]
        return reduce(lambda text, secret: replaced(text, secret, pseudonym), looked_for, value)
    if isinstance(value, list):
        return [_walk(item, secrets, names, free) for item in value]
    if isinstance(value, dict):
        people = ("account", "name") if value.get("kind") == "account" else ("account",)
        return {
            _key(key, secrets, names): _person(item)
            if key in people
            else _walk(item, secrets, _FREE_BELOW.get(key, names), free or key in names)
            for key, item in value.items()
        }
    return value


def _person(name: Any) -> Any:
    return pseudonym("user", name) if isinstance(name, str) and name not in _COMMON else name


def _key(key: str, secrets: list[Secret], names: frozenset[str]) -> str:
    """Most keys are the names of fields; of the files that a diagnosis reads some lie in a home."""
    if names is _FREE_TEXTS or not key.startswith(_HOMES):
        return key
    return reduce(lambda text, secret: replaced(text, secret, pseudonym), (each for each in secrets if not each.free_only), key)


def _variables(value: Any, kept: frozenset[str]) -> Any:
    """Marks of containers and sandboxes count by being there; their values name networks and people. Of others the words stay
    that gpuprobe or a library knows; directories are looked for everywhere."""
    if isinstance(value, list):
        return [_variables(item, kept) for item in value]
    if not isinstance(value, dict):
        return value
    return {key: _values(item, kept) if key == "environ" else _variables(item, kept) for key, item in value.items()}


def _values(environ: Any, kept: frozenset[str]) -> Any:
    return {name: _value(name, text, kept) for name, text in environ.items()} if isinstance(environ, dict) else environ


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
