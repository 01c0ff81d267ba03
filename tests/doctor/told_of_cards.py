"""Device files of cards that may not be opened, and what differs in another process: all that is said of them."""

from __future__ import annotations

from typing import Any

from gpuprobe.doctor.differences import differences
from gpuprobe.doctor.findings import Finding
from gpuprobe.facts import DeviceNode, Host, Reading
from gpuprobe.facts.system_facts import Standing, SystemFacts
from tests.doctor.sick_machines import (
    KFD,
    RENDER,
    a_node,
    findings,
    level_zero_finds_nothing,
    opened,
    with_arc,
)
from tests.records import a_host

Told = tuple[Finding, ...]
DOCKER = {"/.dockerenv": Reading("")}
LXC = {"/run/systemd/container": Reading("lxc\n")}
SNAP, FLATPAK = {"SNAP_NAME": "ollama"}, {"/.flatpak-info": Reading("[Context]\ndevices=\n")}
PODMAN = {"/run/.containerenv": Reading("")}


def closed(**fields: Any) -> DeviceNode:
    return a_node(accessible=False, **fields)


def with_closed_nodes() -> dict[str, Told]:
    """Of an Intel card, which needs its render node alone."""

    def of(node: DeviceNode, **fields: Any) -> Told:
        system = fields.pop("system", None)
        host = with_arc(**{"nodes": (node,), "gids": (1000,), **fields})
        host = host._replace(system=system) if system is not None else host
        return tuple(each for each in findings(host, level_zero_finds_nothing()) if not each.generic)

    def refused(name: str, number: int) -> SystemFacts:
        return SystemFacts(opened=opened(RENDER, name, number))

    enforced = SystemFacts(
        opened=opened(RENDER, "EACCES", 13),
        texts={"/sys/fs/selinux/enforce": Reading("1\n"), "/proc/self/attr/current": Reading("container_t\n")},
    )
    unlabelled = enforced._replace(texts={"/sys/fs/selinux/enforce": Reading("1\n")})
    permissive = enforced._replace(texts={"/sys/fs/selinux/enforce": Reading("0\n")})
    eperm = refused("EPERM", 1)
    pending = SystemFacts(login_groups=(992, 1000))
    return {
        "on-the-host": of(closed()),
        "on-the-host-without-any-group": of(closed(), gids=()),
        "on-the-host-of-a-group-without-a-name": of(closed(group=None)),
        "on-the-host-of-roots-group": of(closed(gid=0, group="root")),
        "on-the-host-refused-as-expected": of(closed(), system=refused("EACCES", 13)),
        "on-the-host-refused-by-what-is-behind-it": of(closed(), system=refused("EIO", 5)),
        "on-the-host-before-the-login": of(closed(), system=pending),
        "in-docker": of(closed(), texts=DOCKER),
        "in-docker-of-a-group-without-a-name": of(closed(group=None), texts=DOCKER),
        "in-docker-of-nobodys-group": of(closed(gid=65534, group="nogroup"), texts=DOCKER),
        "in-podman-of-nobody": of(closed(uid=65534), texts=PODMAN),
        "in-lxc": of(closed(), texts=LXC),
        "in-a-snap": of(closed(), environ=SNAP),
        "in-a-flatpak": of(closed(), texts=FLATPAK),
        "open-by-its-bits-and-forbidden-on-the-host": of(a_node(), gids=(992,), system=eperm),
        "open-by-its-bits-and-forbidden-in-docker": of(a_node(), gids=(992,), texts=DOCKER, system=eperm),
        "open-by-its-bits-and-forbidden-in-lxc": of(a_node(), gids=(992,), texts=LXC, system=eperm),
        "open-by-its-bits-and-forbidden-in-a-snap": of(a_node(), gids=(992,), environ=SNAP, system=eperm),
        "open-by-its-bits-and-denied-by-selinux": of(a_node(), gids=(992,), system=enforced),
        "open-by-its-bits-and-denied-by-selinux-without-a-label": of(a_node(), gids=(992,), system=unlabelled),
        "open-by-its-bits-and-denied-by-nobody-knows-what": of(a_node(), gids=(992,), system=permissive),
        "open": of(a_node(), gids=(992,), system=SystemFacts(opened=opened(RENDER, "", 0))),
    }


SERVICE = Standing("unit", "ollama.service", process=812, account="ollama", uid=991, groups=(991,), unit="ollama.service")
MAY = SERVICE._replace(groups=(992,))
NODES = tuple(a_node(f"/dev/dri/renderD{number}") for number in range(128, 132))
SHELL = {"CUDA_VISIBLE_DEVICES": "0", "LD_LIBRARY_PATH": "/x", "HSA_ENABLE_SDMA": "0"}


def with_another_process() -> dict[str, Told]:
    """Each beside this shell, on a machine with one or four render nodes that this shell may open."""

    def of(standing: Standing, nodes: tuple[DeviceNode, ...] | None = None, **fields: Any) -> Told:
        host: Host = fields.pop("host", a_host(nodes=NODES[:1]))
        return differences(standing, fields.pop("shell", {}), host, nodes=nodes, **fields)

    four = a_host(nodes=NODES)
    inside = MAY._replace(kind="process", name="812", root="/var/lib/x", unit=None)
    mixed = a_host(nodes=(a_node(), a_node(KFD, group="video", gid=44), a_node("/dev/x", group=None, gid=7)))
    theirs = {"CUDA_VISIBLE_DEVICES": "", "HSA_ENABLE_SDMA": "0"}
    return {
        "one-file-is-not-below-its-root": of(inside, ()),
        "four-files-are-not-below-its-root": of(inside._replace(root=None), (), host=four),
        "three-files-are-not-below-the-root-of-a-unit": of(MAY, NODES[:1], host=four),
        "every-file-is-below-its-root": of(MAY, NODES, host=four),
        "a-file-that-this-shell-may-not-open-is-no-matter": of(MAY, (), host=a_host(nodes=(closed(),))),
        "an-account-in-no-group": of(SERVICE, host=mixed),
        "a-process-of-a-number-in-no-group": of(SERVICE._replace(kind="process", name="812", account=None, unit=None)),
        "an-account-of-which-nothing-is-known": of(SERVICE._replace(groups=None)),
        "an-account-without-a-number": of(SERVICE._replace(uid=None)),
        "other-variables": of(MAY._replace(environ=theirs), shell=SHELL),
        "other-variables-and-one-was-withheld": of(
            MAY._replace(environ=theirs), shell=SHELL, withheld=("LD_LIBRARY_PATH", "HSA_ENABLE_SDMA")
        ),
        "other-variables-of-a-unit-by-name": of(MAY._replace(environ={}, unit=None), shell=SHELL),
        "other-variables-of-a-process": of(inside._replace(environ={}), shell=SHELL),
        "the-same-variables": of(MAY._replace(environ=SHELL), shell=SHELL),
        "variables-that-may-not-be-read": of(
            MAY._replace(problems={"root": "denied", "environ": "denied", "label": "absent"}), shell=SHELL
        ),
    }


KINDS = (with_closed_nodes, with_another_process)
