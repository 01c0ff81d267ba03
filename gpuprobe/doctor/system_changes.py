"""What a person changes in the system itself: groups, rules for device nodes, words on the kernel's command line."""

from __future__ import annotations

from gpuprobe.doctor.findings import Place, Step, run
from gpuprobe.facts import DeviceNode, Host
from gpuprobe.machine.distribution import distribution

# Distributions give the nodes of GPUs to one of these two, and what is opened beside a render node may belong to the other.
_USUAL = ("render", "video")
_LOGIN = "log out and in again (until then: `newgrp {group}` in this shell)"
_RULES = "/etc/udev/rules.d/70-gpu.rules"
_REBUILD = "sudo nixos-rebuild boot"  # what is built counts from the next start on
_GRUB = {
    "apt": "sudo update-grub",
    "dnf": "sudo grub2-mkconfig -o /boot/grub2/grub.cfg",
    "zypper": "sudo grub2-mkconfig -o /boot/grub2/grub.cfg",
    "pacman": "sudo grub-mkconfig -o /boot/grub/grub.cfg",
}


def joined(node: DeviceNode, account: str = '"$USER"') -> tuple[Step, ...]:
    """How an account gets the group that owns the node; where root's own group does, everybody gets it."""
    if node.gid == 0:
        return (opened_to_all(node),)
    groups = ",".join(_USUAL) if node.group in (None, *_USUAL) else node.group
    service = f"sudo usermod -aG {groups} ollama && sudo systemctl restart ollama"
    return (
        run("run", f"sudo usermod -aG {groups} {account}"),
        logged_in_anew(node.group or _USUAL[0]),
        run("for a service add its account instead:", service),
    )


def logged_in_anew(group: str) -> Step:
    return Step(_LOGIN.format(group=group), f"newgrp {group}", needs_root=False)


def opened_to_all(node: DeviceNode, where: Place = Place.HERE) -> Step:
    """A rule of udev's: for systems where a group helps nobody."""
    rule = f'KERNEL=="{node.path.rpartition("/")[2]}", MODE="0666"'
    command = f"echo '{rule}' | sudo tee {_RULES} && sudo udevadm control --reload && sudo udevadm trigger"
    return run("let every account open it:", command, root=True, where=where)


def kernel_word(host: Host, word: str, *, add: bool, why: str) -> Step:
    """Words of the kernel's command line, put in or taken out where this distribution keeps it."""
    here = distribution(host)
    does = f"add `{word}` to" if add else f"take `{word}` out of"
    if here.is_image and here.manager == "dnf":
        option = "--append" if add else "--delete"
        command = f"sudo rpm-ostree kargs {' '.join(f'{option}={each}' for each in word.split())}"
        return run(f"{does} the kernel's command line:", command, reboot=why)
    if here.manager == "nix":  # `/etc/default/grub` is nobody's there
        text = f"{does} `boot.kernelParams` in the configuration, run `{_REBUILD}` and reboot"
        return Step(text, _REBUILD, needs_root=True, needs_reboot=why)
    update = _GRUB.get(here.manager or "")
    grub = f"`GRUB_CMDLINE_LINUX_DEFAULT` in `/etc/default/grub`, run `{update}` and reboot"
    text = f"{does} {grub if update else 'the kernel command line in the boot loader, and reboot'}"
    return Step(text, update, needs_root=True, needs_reboot=why)
