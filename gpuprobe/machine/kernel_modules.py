"""Kernel modules: whether one is loaded, lies on disk, was built, and what forbids or changes it. None: nobody could look."""

from __future__ import annotations

import re
from collections.abc import Iterator
from posixpath import basename, dirname

from gpuprobe.facts import Host
from gpuprobe.facts.system_facts import DkmsModule, KernelModules
from gpuprobe.machine.asked import ABSENT, names_in, reading, text
from gpuprobe.machine.boot_parameters import values_of
from gpuprobe.record_classes import NamedTuple

_SYS = "/sys/module"
_OF_MODPROBE = re.compile(r"/(?:etc|run|usr/local/lib|usr/lib|lib)/modprobe\.d/[^/]+\.conf")
_ORDER = ("/etc", "/run", "/usr/local/lib", "/usr/lib", "/lib")  # a file in the former hides one of its name in the latter
_NOTHING = re.compile(r"(?:/(?:usr/)?s?bin/)?(?:false|true|:|/bin/false)(?:\s|$)")
_ON_BOOT = ("module_blacklist", "modprobe.blacklist", "rd.driver.blacklist", "blacklist")


class Directive(NamedTuple):
    """A line of modprobe's configuration: `options nvidia NVreg_EnableGpuFirmware=0`."""

    path: str
    line: str
    verb: str  # "blacklist", "install", "options", "alias", "softdep", "remove"
    module: str  # with underscores
    rest: str = ""


class Forbidden(NamedTuple):
    """What keeps a module from being loaded: where it stands, and how."""

    path: str
    line: str
    is_hard: bool  # also `modprobe` by hand does not load it


def is_loaded(host: Host, module: str) -> bool | None:
    """Whether it is in memory, built-in ones too."""
    found = reading(host, f"{_SYS}/{module}/initstate")
    if found is not None and found.problem is None:
        return True
    listed = names_in(host, _SYS)
    if listed is not None:
        return module in listed
    return None if found is None or found.problem != ABSENT else False


def version_loaded(host: Host, module: str) -> str | None:
    """The version of the module in memory, which few have."""
    return text(host, f"{_SYS}/{module}/version") or None


def parameter(host: Host, module: str, name: str) -> str | None:
    """The value that a loaded module has: "N", "-1"; None: not asked or not readable."""
    return text(host, f"{_SYS}/{module}/parameters/{name}")


def _of_running_kernel(host: Host) -> KernelModules | None:
    modules = host.system.modules if host.system else None
    return next((each for each in modules or () if each.kernel == host.kernel), None)


def files_of(host: Host, module: str) -> tuple[str, ...] | None:
    """Its files for the running kernel, as paths: of several the one below `updates` or `extra` is taken."""
    mine = _of_running_kernel(host)
    if mine is None or mine.files is None:
        return None
    return tuple(f"/lib/modules/{mine.kernel}/{file}" for file in mine.files if _name(file) == module)


def is_on_disk(host: Host, module: str) -> bool | None:
    """Whether the running kernel could load it, or has it built in. None also where no kernel has modules here: in a container
    the host's are not seen."""
    mine = _of_running_kernel(host)
    if mine is None or mine.files is None or (mine.problem == ABSENT and not kernel_is_gone(host)):
        return None
    return any(_name(file) == module for file in (*mine.files, *(mine.built_in or ())))


def kernel_is_gone(host: Host) -> bool | None:
    """Whether other kernels have their modules here and the running one has none: an update took them, and only a restart
    helps."""
    modules = host.system.modules if host.system else None
    mine = _of_running_kernel(host)
    if modules is None or mine is None:
        return None
    return mine.problem == ABSENT and any(each.problem is None for each in modules)


def other_kernels_with(host: Host, module: str) -> tuple[str, ...]:
    """Kernels beside the running one for which it lies on disk."""
    modules = host.system.modules if host.system else None
    others = (each for each in modules or () if each.kernel != host.kernel)
    return tuple(each.kernel for each in others if any(_name(file) == module for file in each.files or ()))


def headers(host: Host) -> str | None:
    """Of the running kernel, which a module is built with: "there", "dangling", "absent"; None: not asked."""
    mine = _of_running_kernel(host)
    return mine.build if mine else None


def modules_for(host: Host, address: str) -> tuple[str, ...] | None:
    """The running kernel's modules that say that they are for the card at this address; (): none; None: nobody could look."""
    claims = host.system.claims if host.system else None
    return claims.get(address) if claims is not None else None


def dkms(host: Host, module: str) -> tuple[DkmsModule, ...] | None:
    """What DKMS has of it, by version; (): nothing; None: nobody could look."""
    known = host.system.dkms if host.system else None
    return None if known is None else tuple(each for each in known if each.name.replace("-", "_").startswith(module))


def dkms_lacks_this_kernel(host: Host, module: str) -> bool | None:
    """Whether DKMS has its source and no build for the running kernel; None: it has none of it, or nobody could look."""
    known = dkms(host, module)
    return None if not known else all(host.kernel not in each.built_for for each in known)


def directives(host: Host) -> tuple[Directive, ...]:
    """Of modprobe's configuration all that concerns GPU modules; a file that another hides is left out."""
    files = (host.system.files if host.system else None) or {}
    paths = sorted((path for path in files if _OF_MODPROBE.fullmatch(path)), key=_place)
    seen: dict[str, str] = {}
    for path in paths:
        seen.setdefault(basename(path), path)
    return tuple(each for _, path in sorted(seen.items()) for each in _directives(path, files[path].text or ""))


def _place(path: str) -> int:
    return _ORDER.index(dirname(dirname(path)))


def _directives(path: str, written: str) -> Iterator[Directive]:
    for line in written.splitlines():
        words = line.split(None, 2)
        if len(words) >= 2 and not words[0].startswith("#"):
            yield Directive(path, line.strip(), words[0], words[1].replace("-", "_"), "".join(words[2:]).strip())


def options(host: Host, module: str) -> dict[str, str]:
    """What the configuration and the kernel's command line set for it: parameter → value. Of two the later one counts."""
    words = [word for each in directives(host) if (each.verb, each.module) == ("options", module) for word in each.rest.split()]
    pairs = (word.partition("=") for word in words)
    return {name: value for name, _, value in pairs} | values_of(host, f"{module}.")


def forbidden(host: Host, module: str) -> Forbidden | None:
    """What forbids to load it, the hardest first; None: nothing that was seen."""
    found = sorted(_forbidding(host, module), key=lambda each: not each.is_hard)
    return next(iter(found), None)


def _forbidding(host: Host, module: str) -> Iterator[Forbidden]:
    for name in _ON_BOOT:
        for value in values_of(host, name).values():
            if module in value.replace("-", "_").split(","):
                yield Forbidden("/proc/cmdline", f"{name}={value}", is_hard=name == "module_blacklist")
    for each in directives(host):
        if each.module != module:
            continue
        if each.verb == "blacklist":
            yield Forbidden(each.path, each.line, is_hard=False)
        elif (each.verb == "install" and _NOTHING.match(each.rest)) or (each.verb, each.rest) == ("alias", "off"):
            yield Forbidden(each.path, each.line, is_hard=True)


def _name(file: str) -> str:
    """`updates/dkms/nvidia-uvm.ko.zst` → `nvidia_uvm`"""
    return basename(file).partition(".ko")[0].replace("-", "_")
