"""Which distribution this is and how it installs packages, by its `os-release`."""

from __future__ import annotations

from gpuprobe.facts import Host
from gpuprobe.machine.surroundings import exists, text_of
from gpuprobe.record_classes import NamedTuple

# id of the distribution, or of one that it says it is like → its package manager
_MANAGERS = {
    "debian": "apt",
    "ubuntu": "apt",
    "fedora": "dnf",
    "rhel": "dnf",
    "centos": "dnf",
    "amzn": "dnf",
    "mariner": "tdnf",
    "azurelinux": "tdnf",
    "photon": "tdnf",
    "arch": "pacman",
    "suse": "zypper",
    "opensuse": "zypper",
    "opensuse-tumbleweed": "zypper",
    "opensuse-leap": "zypper",
    "sles": "zypper",
    "alpine": "apk",
    "wolfi": "apk",
    "chimera": "apk",
    "void": "xbps",
    "gentoo": "emerge",
    "nixos": "nix",
    "guix": "guix",
    "solus": "eopkg",
    "slackware": "slackpkg",
    "clear-linux-os": "swupd",
    "openmandriva": "dnf",
    "mageia": "dnf",
    "ubuntu-core": "snap",
}
_IMMUTABLE = ("/run/ostree-booted",)


class Distribution(NamedTuple):
    """What decides which command installs something here. Unknown is None."""

    id: str | None  # "ubuntu", "fedora", "linuxmint"
    like: tuple[str, ...] = ()  # ids that it is derived from, the nearest first
    version: str | None = None  # "24.04"
    codename: str | None = None  # "noble"
    variant: str | None = None  # "silverblue", "server"
    manager: str | None = None  # "apt", "dnf", "pacman", "zypper", "apk", "nix", …
    is_image: bool = False  # the system is an image: packages are layered (rpm-ostree) or come with the next image

    def is_or_like(self, *ids: str) -> bool:
        return self.id in ids or any(each in ids for each in self.like)


def distribution(host: Host) -> Distribution:
    """Of this machine, or of the container that this is."""
    named = _fields(text_of(host, "/etc/os-release") or text_of(host, "/usr/lib/os-release"))
    identity, like = named.get("ID", "").casefold() or None, tuple(named.get("ID_LIKE", "").casefold().split())
    manager = next((_MANAGERS[each] for each in (identity, *like) if each in _MANAGERS), None)
    return Distribution(
        id=identity,
        like=like,
        version=named.get("VERSION_ID") or None,
        codename=named.get("VERSION_CODENAME") or None,
        variant=named.get("VARIANT_ID") or None,
        manager=manager,
        is_image=any(exists(host, path) for path in _IMMUTABLE),
    )


def _fields(release: str) -> dict[str, str]:
    pairs = (line.partition("=") for line in release.splitlines() if "=" in line)
    return {name.strip(): value.strip().strip("\"'") for name, _, value in pairs}
