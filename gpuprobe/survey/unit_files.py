"""The unit files of services that compute, or that drivers need, with their drop-ins, in systemd's order.

Kept are the settings that decide about GPUs: whole files would bring keys and addresses into captures. Of `Environment=` the
variables that gpuprobe knows are kept, of a command its program and the arguments about GPUs.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping

from gpuprobe import environment
from gpuprobe.facts import Reading
from gpuprobe.facts.system_facts import UnitFiles
from gpuprobe.survey.command_lines import about_gpus
from gpuprobe.survey.tree import ABSENT, Tree

_SYSTEM = ("/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system")
_LIB = "/lib/systemd/system"
_USER = ("/etc/systemd/user", "/run/systemd/user", "/usr/lib/systemd/user")
_OF_INTEREST = re.compile(
    r"(?:ollama|llama|vllm|local-?ai|text-generation|tgi|koboldcpp|lm-?studio|sglang|comfyui|stable-diffusion|whisper|ramalama|lemonade"
    r"|nvidia|supergfxd|docker|containerd|snap\.(?:ollama|docker)|switcheroo|tabby|jan|gpustack|dcgm)[\w.@:+-]{0,60}\.service"
)
_KEPT = re.compile(
    r"User|Group|SupplementaryGroups|DynamicUser|Environment|EnvironmentFile|PassEnvironment|UnsetEnvironment|ExecStart|ExecStartPre"
    r"|PrivateDevices|DeviceAllow|DevicePolicy|PrivateUsers|PrivateTmp|Protect[A-Za-z]{1,30}|Restrict[A-Za-z]{1,30}|NoNewPrivileges"
    r"|SystemCall[A-Za-z]{1,30}|CapabilityBoundingSet|AmbientCapabilities|Limit[A-Z]{1,20}|MemoryDenyWriteExecute|RootDirectory"
    r"|RootImage|BindPaths|BindReadOnlyPaths|InaccessiblePaths|TemporaryFileSystem|Slice|MemoryMax|MemoryHigh|Delegate|ProcSubset"
    r"|WorkingDirectory|SELinuxContext|AppArmorProfile|After|Requires|Wants|ConditionPathExists|WantedBy"
)
_MOST_UNITS, _MOST_DROP_INS, _MOST_LINES = 64, 32, 200


def unit_files(tree: Tree, home: str | None) -> tuple[UnitFiles, ...]:
    """The system's units by name, then those of the account with this home directory."""
    system = _with_link(tree)
    return (*_found(tree, system, "system"), *_found(tree, _of_account(home), "user"))


def unit_named(tree: Tree, name: str, home: str | None = None) -> UnitFiles | None:
    """The system's unit of this name, of whichever kind of service, or else that of the account with this home; None: there is
    none."""
    whole = name if "." in name else f"{name}.service"
    found = (_unit(tree, _with_link(tree), whole, "system"), _unit(tree, _of_account(home), whole, "user"))
    return next((each for each in found if each.files), None)


def _of_account(home: str | None) -> tuple[str, ...]:
    return (*((f"{home}/.config/systemd/user",) if home else ()), *_USER)


def _with_link(tree: Tree) -> tuple[str, ...]:
    """On most systems /lib is /usr/lib, and would be read twice."""
    return _SYSTEM if tree.target("/lib") is not None else (*_SYSTEM, _LIB)


def _found(tree: Tree, places: tuple[str, ...], scope: str) -> Iterator[UnitFiles]:
    names = {name.removesuffix(".d") for place in places for name in tree.names(place)}
    for name in sorted(name for name in names if _OF_INTEREST.fullmatch(name))[:_MOST_UNITS]:
        found = _unit(tree, places, name, scope)
        if found.files:
            yield found


def _unit(tree: Tree, places: tuple[str, ...], name: str, scope: str) -> UnitFiles:
    files: dict[str, Reading] = {}
    for place in places:  # the first one hides the others
        reading = tree.read(f"{place}/{name}")
        if reading.problem != ABSENT:
            files[f"{place}/{name}"] = _kept(reading)
            break
    drop_ins: dict[str, str] = {}
    for place in places:
        for file in tree.names(f"{place}/{name}.d")[:_MOST_DROP_INS]:
            if file.endswith(".conf"):
                drop_ins.setdefault(file, f"{place}/{name}.d/{file}")
    files |= {path: _kept(tree.read(path)) for _, path in sorted(drop_ins.items())}
    named = _environment_files(tree, files)
    return UnitFiles(name, scope, files, _is_enabled(tree, places, name) if files else None, named)


def _environment_files(tree: Tree, files: Mapping[str, Reading]) -> dict[str, Reading]:
    """Those without a `%` or a `*` in their name; a dash before it says that it may be missing."""
    lines = (line for reading in files.values() for line in (reading.text or "").splitlines())
    paths = [line.partition("=")[2].removeprefix("-") for line in lines if line.startswith("EnvironmentFile=")]
    plain = [path for path in paths if path.startswith("/") and not set(path) & set("%*?[")]
    return {path: _variables_in(tree.read(path)) for path in plain[:_MOST_DROP_INS]}


def _variables_in(reading: Reading) -> Reading:
    if reading.text is None:
        return reading
    lines = (line.strip() for line in reading.text.splitlines())
    pairs = dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith(("#", ";")))
    known = environment.known({name.strip(): value.strip().strip("\"'") for name, value in pairs.items()})
    return Reading("".join(f"{name}={value}\n" for name, value in known.items()))


def _is_enabled(tree: Tree, places: tuple[str, ...], name: str) -> bool:
    wanting = (f"{places[0]}/{folder}" for folder in tree.names(places[0]) if folder.endswith((".wants", ".requires")))
    return any(name in tree.names(folder) for folder in wanting)


def _kept(reading: Reading) -> Reading:
    if reading.text is None:
        return reading
    lines = map(str.strip, reading.text.replace("\\\n", " ").splitlines())
    kept = (_line(line[:4096]) for line in lines)
    return Reading("".join(f"{line}\n" for line in list(filter(None, kept))[:_MOST_LINES]))


def _line(line: str) -> str | None:
    if line.startswith("["):
        return line
    name, equals, value = (part.strip() for part in line.partition("="))
    if not equals or line.startswith(("#", ";")) or not _KEPT.fullmatch(name):
        return None
    kept = _known_variables(value) if name == "Environment" else _command(value) if name.startswith("Exec") else value
    return None if kept is None else f"{name}={kept}"


def _known_variables(value: str) -> str | None:
    """None: it sets variables, and none of them concerns GPUs. An empty value stays: it takes back what stands before it."""
    words = _words(value)
    pairs = dict(word.split("=", 1) for word in words if "=" in word)
    known = environment.known(pairs)
    kept = " ".join(shlex.quote(f"{name}={text}") for name, text in known.items())
    return kept if kept or not words else None


def _command(value: str) -> str:
    words = _words(value)
    return " ".join(shlex.quote(word) for word in (*words[:1], *about_gpus(words[1:])))


def _words(value: str) -> list[str]:
    try:
        return shlex.split(value)
    except ValueError:
        return value.split()
