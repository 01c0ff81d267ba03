"""What is to be run on this distribution, or given to this kind of container, to the word."""

from __future__ import annotations

import pytest

from gpuprobe import vendors
from gpuprobe.doctor import container_advice, installing, system_changes
from gpuprobe.doctor.findings import Place, Step
from gpuprobe.facts import DeviceNode, Host, Reading
from gpuprobe.libraries import CUDA, LEVEL_ZERO, VULKAN
from gpuprobe.machine import Card
from tests.records import AMD, INTEL, NVIDIA, a_host

RENDER = DeviceNode("/dev/dri/renderD128", 0o660, 0, 992, 226, 128, False, "render")
MANAGERS = {
    "debian": "ID=debian\n",
    "ubuntu": "ID=ubuntu\nID_LIKE=debian\n",
    "fedora": "ID=fedora\nVERSION_ID=43\n",
    "arch": "ID=arch\n",
    "suse": 'ID="opensuse-tumbleweed"\nID_LIKE="opensuse suse"\n',
    "alpine": "ID=alpine\n",
    "image": 'ID=fedora\nVARIANT_ID=silverblue\nOSTREE_VERSION="43"\n',
    "plan9": "ID=plan9\n",
    "nix": "ID=nixos\n",
    "image of another": "ID=arch\n",
}


def on(name: str) -> Host:
    files = {"/etc/os-release": Reading(MANAGERS[name])}
    booted = {"/run/ostree-booted": Reading("")} if name.startswith("image") else {}
    return a_host(texts={**files, **booted})


def root(text: str, command: str) -> Step:
    return Step(f"{text} `{command}`", command, needs_root=True)


VULKANS = "install the card's Vulkan driver"


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("debian", "sudo apt install mesa-vulkan-drivers libvulkan1"),
        ("fedora", "sudo dnf install mesa-vulkan-drivers vulkan-loader"),
        ("arch", "sudo pacman -S vulkan-icd-loader vulkan-radeon"),
        ("image", "sudo rpm-ostree install mesa-vulkan-drivers vulkan-loader"),
    ],
)
def test_a_vulkan_driver_is_installed_by_the_systems_own_manager(name: str, command: str) -> None:
    assert installing.vulkan_driver(on(name), vendors.AMD) == root(f"{VULKANS}:", command)


def test_where_no_package_is_known_an_example_stands_in_its_place() -> None:
    example = "(Debian and Ubuntu: `sudo apt install mesa-vulkan-drivers libvulkan1`)"
    step = Step(f"{VULKANS} by your distribution's package manager {example}")

    assert installing.vulkan_driver(on("plan9"), vendors.AMD) == step
    assert installing.vulkan_driver(on("debian"), None) == step


def test_a_library_is_installed_with_what_it_needs_or_its_own_advice_is_given() -> None:
    assert installing.library(on("debian"), VULKAN) == root("install the Vulkan loader:", "sudo apt install libvulkan1")
    assert installing.library(on("plan9"), CUDA) == Step(str(CUDA.advice))
    found = installing.library(on("ubuntu"), LEVEL_ZERO)
    assert found == root("install the runtime of Level Zero:", "sudo apt install libze1 libze-intel-gpu1 intel-opencl-icd")
    assert installing.library(on("plan9"), LEVEL_ZERO._replace(advice="")) == Step(
        "install the runtime of Level Zero by your distribution's package manager"
    )


@pytest.mark.parametrize(
    ("name", "commands"),
    [
        (
            "debian",
            ("sudo apt install firmware-amd-graphics", "sudo update-initramfs -u", "sudo reboot"),
        ),
        ("fedora", ("sudo dnf install amd-gpu-firmware", "sudo dracut --force", "sudo reboot")),
        ("arch", ("sudo pacman -S linux-firmware-amdgpu", "sudo mkinitcpio -P", "sudo reboot")),
        ("image", ("sudo rpm-ostree install amd-gpu-firmware", "sudo reboot")),
        ("plan9", (None, "sudo reboot")),
    ],
)
def test_firmware_is_renewed_in_the_initial_file_system_too(name: str, commands: tuple[str | None, ...]) -> None:
    steps = installing.firmware(on(name), vendors.AMD)

    assert tuple(step.command for step in steps) == commands
    assert steps[-1] == Step(
        "reboot with `sudo reboot`",
        "sudo reboot",
        needs_root=True,
        needs_reboot="the kernel reads firmware when it starts the card",
    )


def test_the_initial_file_system_is_built_again_by_the_systems_own_tool() -> None:
    text = "build the initial file system again:"

    assert installing.rebuilt_initramfs(on("suse")) == root(text, "sudo dracut --force")
    assert installing.rebuilt_initramfs(on("alpine")) is None
    assert installing.rebuilt_initramfs(on("image")) is None
    assert installing.vulkan_driver(on("image of another"), vendors.AMD).command == (
        "sudo pacman -S vulkan-icd-loader vulkan-radeon"
    )


@pytest.mark.parametrize(
    ("node", "groups", "group"),
    [
        (RENDER, "render,video", "render"),
        (RENDER._replace(group="video"), "render,video", "video"),
        (RENDER._replace(group=None), "render,video", "render"),
        (RENDER._replace(group="gpu"), "gpu", "gpu"),
    ],
)
def test_an_account_joins_the_usual_groups_or_the_one_that_owns_the_node(node: DeviceNode, groups: str, group: str) -> None:
    service = f"sudo usermod -aG {groups} ollama && sudo systemctl restart ollama"

    assert system_changes.joined(node, "anna") == (
        root("run", f"sudo usermod -aG {groups} anna"),
        Step(f"log out and in again (until then: `newgrp {group}` in this shell)", f"newgrp {group}"),
        root("for a service add its account instead:", service),
    )
    assert system_changes.joined(node)[0].command == f'sudo usermod -aG {groups} "$USER"'


def test_roots_own_group_is_given_to_nobody() -> None:
    rule = (
        """echo 'KERNEL=="renderD128", MODE="0666"' | sudo tee /etc/udev/rules.d/70-gpu.rules && """
        "sudo udevadm control --reload && sudo udevadm trigger"
    )
    step = root("let every account open it:", rule)

    assert system_changes.joined(RENDER._replace(gid=0, group="root")) == (step,)
    assert system_changes.opened_to_all(RENDER, Place.HOST) == step._replace(where=Place.HOST)


@pytest.mark.parametrize(
    ("name", "add", "expected"),
    [
        (
            "debian",
            True,
            Step(
                "add `x=1` to `GRUB_CMDLINE_LINUX_DEFAULT` in `/etc/default/grub`, run `sudo update-grub` and reboot",
                "sudo update-grub",
                needs_root=True,
                needs_reboot="so",
            ),
        ),
        (
            "plan9",
            False,
            Step(
                "take `x=1` out of the kernel command line in the boot loader, and reboot",
                None,
                needs_root=True,
                needs_reboot="so",
            ),
        ),
        (
            "nix",
            True,
            Step(
                "add `x=1` to `boot.kernelParams` in the configuration, run `sudo nixos-rebuild boot` and reboot",
                "sudo nixos-rebuild boot",
                needs_root=True,
                needs_reboot="so",
            ),
        ),
        (
            "image of another",
            True,
            Step(
                "add `x=1` to `GRUB_CMDLINE_LINUX_DEFAULT` in `/etc/default/grub`, run `sudo grub-mkconfig -o "
                "/boot/grub/grub.cfg` and reboot",
                "sudo grub-mkconfig -o /boot/grub/grub.cfg",
                needs_root=True,
                needs_reboot="so",
            ),
        ),
        (
            "image",
            True,
            root("add `x=1` to the kernel's command line:", "sudo rpm-ostree kargs --append=x=1")._replace(needs_reboot="so"),
        ),
        (
            "image",
            False,
            root("take `x=1` out of the kernel's command line:", "sudo rpm-ostree kargs --delete=x=1")._replace(
                needs_reboot="so"
            ),
        ),
    ],
)
def test_a_word_of_the_kernels_is_changed_where_this_system_keeps_it(name: str, add: bool, expected: Step) -> None:
    assert system_changes.kernel_word(on(name), "x=1", add=add, why="so") == expected


def a_card(vendor: int | None, render_node: str | None = "/dev/dri/renderD129") -> Card:
    return Card(pci_id="0000:01:00.0", vendor_id=vendor, kind="pci", render_node=render_node)


START = "start the container with"


@pytest.mark.parametrize(
    ("kind", "vendor", "told"),
    [
        ("docker", INTEL, f"{START} `--device /dev/dri`"),
        ("podman", AMD, f"{START} `--device /dev/kfd --device /dev/dri`"),
        ("apptainer", AMD, f"{START} `--rocm`"),
        ("apptainer", INTEL, f"{START} `/dev/dri` passed through to it"),
        ("systemd-nspawn", AMD, f"{START} `/dev/kfd` and `/dev/dri` passed through to it"),
        ("docker", None, f"{START} `--device /dev/dri`"),
        (
            "lxc",
            AMD,
            "give it to the container in its configuration on the host (Proxmox: `dev0: /dev/kfd`, `dev1: "
            "/dev/dri/renderD129`), and restart the container",
        ),
        (
            "lxc",
            NVIDIA,
            "give it to the container in its configuration on the host (Proxmox: `dev0: /dev/nvidia0`, `dev1: "
            "/dev/nvidiactl`, `dev2: /dev/nvidia-uvm`), and restart the container",
        ),
        (
            "kubernetes",
            0x1ED5,
            "request it for the pod in `resources.limits`, by the name that its vendor's device plugin on the node gives it",
        ),
        (
            "snap",
            INTEL,
            "connect the snap to the card with `sudo snap connect NAME:opengl`, or install the program without snap",
        ),
        ("flatpak", INTEL, "let the program open devices: `flatpak override --user --device=all APP`"),
    ],
)
def test_a_container_is_given_the_cards_nodes_in_its_own_way(kind: str, vendor: int | None, told: str) -> None:
    assert container_advice.for_nodes(kind, a_card(vendor)) == told


def test_a_container_of_lxc_is_given_the_first_render_node_where_none_is_known() -> None:
    assert "`dev0: /dev/dri/renderD128`" in container_advice.for_nodes("lxc", a_card(INTEL, None))


@pytest.mark.parametrize(
    ("kind", "gid", "told"),
    [
        ("podman", 65534, f"{START} `--group-add keep-groups`, as a user of the host who is in that group"),
        ("podman", 992, f"{START} `--group-add 992`"),
        (
            "docker",
            65534,
            "the container has no number for that group: let everybody open the node, by a udev rule on the host: "
            '`KERNEL=="renderD128", MODE="0666"`',
        ),
        ("other", 992, f"{START} the group 992 among those of its user"),
    ],
)
def test_a_group_of_a_node_is_given_to_a_container_by_its_number(kind: str, gid: int, told: str) -> None:
    assert container_advice.for_group(kind, RENDER._replace(gid=gid)) == told
