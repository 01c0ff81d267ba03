"""All that only a diagnosis reads: the kernel's log, openings of nodes, modules, packages, units and how servers stand.

Takes a tenth of a second and more, so that no listing of a healthy machine asks for it. Wakes no card, changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping

from gpuprobe.facts import Host
from gpuprobe.facts.system_facts import SystemFacts
from gpuprobe.survey.account_files import account_named, groups_of_nodes, login_groups
from gpuprobe.survey.driver_libraries import driver_libraries
from gpuprobe.survey.kernel_files import kernel_listings, kernel_texts
from gpuprobe.survey.kernel_messages import kernel_log
from gpuprobe.survey.modules_on_disk import claims, dkms_modules, modules_on_disk
from gpuprobe.survey.openings import openings
from gpuprobe.survey.package_lists import package_lists
from gpuprobe.survey.programs import programs
from gpuprobe.survey.seen_as import seen_as
from gpuprobe.survey.settings_files import settings_files
from gpuprobe.survey.standing import daemons, namespaces, servers
from gpuprobe.survey.tree import Tree
from gpuprobe.survey.unit_files import unit_files


def with_system(host: Host, environ: Mapping[str, str], root: str = "/", *, wanted: str | None = None) -> Host:
    """The host with what `read` finds."""
    return host._replace(system=read(host, environ, root, wanted=wanted))


def read(host: Host, environ: Mapping[str, str], root: str = "/", *, wanted: str | None = None) -> SystemFacts:
    """Of this machine, or of one whose files lie below `root`. Never raises for what it finds there.

    `wanted`: whom `--as` names. On other systems than Linux nothing is asked yet.
    """
    if host.platform != "linux":
        return SystemFacts()
    tree = Tree(root.rstrip("/") or "/")
    account = account_named(tree, host.uid) if host.uid is not None else None
    packages, lists = package_lists(tree)
    return SystemFacts(
        texts=kernel_texts(tree, host),
        files=dict(settings_files(tree)),
        listings=kernel_listings(tree, host),
        opened=openings(tree, host),
        log=kernel_log(tree, tuple(function.address for function in host.pci)),
        modules=modules_on_disk(tree, host.kernel),
        claims=claims(tree, host.kernel, host.pci),
        dkms=dkms_modules(tree),
        packages=packages,
        package_lists=lists,
        programs=programs(tree),
        account=account.name if account else None,
        login_groups=login_groups(tree, account) if account else None,
        groups=groups_of_nodes(tree, (node.gid for node in host.nodes), account),
        units=unit_files(tree, account.home if account else None),
        servers=servers(tree),
        daemons=daemons(tree),
        namespaces=namespaces(tree, "/proc/self"),
        driver_libraries=driver_libraries(tree, host, environ),
        seen_as=seen_as(wanted, root) if wanted else None,
    )
