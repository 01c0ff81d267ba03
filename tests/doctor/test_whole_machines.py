"""What concerns no one card: none is there, a service may not open them, libraries of another system; and healthy machines."""

from __future__ import annotations

from typing import Any

import pytest

from gpuprobe.doctor.findings import Severity
from gpuprobe.doctor.notes import of_inventory
from gpuprobe.facts import Host, Reading
from gpuprobe.facts.system_facts import Standing, SystemGroup
from gpuprobe.model import DeviceType, Outcome, Probe, Purpose, Status
from tests.doctor.sick_machines import (
    KFD,
    RENDER,
    UBUNTU,
    a_node,
    a_radeon,
    an_arc,
    blockers,
    causes,
    commands,
    findings,
    headline,
    inventory_of,
    kfd_nodes,
    knowing,
    level_zero_finds_nothing,
    not_installed,
    of_the_machine,
    passed,
    rocm_finds_nothing,
    with_arc,
    with_radeon,
    without_kfd,
)
from tests.records import a_card, a_device, a_host, a_manifest, a_software_renderer, an_outcome

ADDRESS = "0000:03:00.0"
QEMU = {"/sys/class/dmi/id/sys_vendor": Reading("QEMU")}
NETWORK = a_card("0000:02:00.0", vendor=0x15B3, device=0x1017, class_code=0x020000, driver="mlx5_core")


@pytest.mark.parametrize(
    ("display", "texts", "slug"),
    [
        (a_card("0000:00:01.0", vendor=0x1AF4, device=0x1050, driver="virtio-pci"), QEMU, "vm-emulated-gpu"),
        (a_card("0000:05:00.0", vendor=0x1A03, device=0x2000, driver="ast"), {}, "bmc-vga-only"),
    ],
)
def test_a_display_that_is_no_gpu_is_called_what_it_is(display: Any, texts: dict[str, Reading], slug: str) -> None:
    (found,) = of_the_machine(a_host(pci=(display,), texts={**UBUNTU, **texts}))

    assert (found.id, found.severity) == (slug, Severity.INFO)


def test_an_empty_bus_in_a_container_proves_no_missing_gpu() -> None:
    assert of_the_machine(a_host(texts={**UBUNTU, "/.dockerenv": Reading("")})) == ()


def a_server(**fields: Any) -> Standing:
    usual: dict[str, Any] = {"process": 4711, "command": "ollama", "account": "ollama", "uid": 998, "groups": (998,)}
    return Standing(**{"kind": "process", "name": "4711", "unit": "ollama.service", **usual, **fields})


def serving(host: Host, *servers: Standing, **fields: Any) -> Host:
    return knowing(host, servers=servers, **fields)


VULKAN = a_device("Vulkan", pci_id=ADDRESS, vendor_id=0x1002)


def test_a_service_whose_account_may_not_open_the_card_is_told() -> None:
    (found,) = of_the_machine(serving(with_radeon(), a_server()), passed(VULKAN), devices=(VULKAN,))

    assert (found.id, found.severity) == ("service-user-not-in-groups", Severity.DEGRADED)
    assert commands(found) == "sudo usermod -aG render ollama; sudo systemctl restart ollama.service"
    assert found.evidence[0].what == "mode 0660, group render"


@pytest.mark.parametrize("server", [a_server(groups=(998, 992)), a_server(uid=0), a_server(groups=None)])
def test_a_service_that_may_or_of_which_nothing_is_known_is_left_alone(server: Standing) -> None:
    assert of_the_machine(serving(with_radeon(), server), passed(VULKAN), devices=(VULKAN,)) == ()


def test_a_service_that_runs_since_before_the_group_is_restarted_and_not_added_again() -> None:
    host = serving(with_radeon(), a_server(), groups=(SystemGroup("render", 992, services=("ollama",)),))

    (found,) = of_the_machine(host, passed(VULKAN), devices=(VULKAN,))

    assert (found.id, commands(found)) == ("group-membership-not-active", "sudo systemctl restart ollama.service")


def test_nodes_that_everybody_may_open_ask_for_no_group() -> None:
    host = serving(with_radeon(nodes=(a_node(mode=0o666), a_node(KFD, mode=0o666))), a_server())

    assert of_the_machine(host, passed(VULKAN), devices=(VULKAN,)) == ()


def test_a_server_on_the_integrated_gpu_beside_a_discrete_one_is_told() -> None:
    inside = an_arc("0000:00:02.0", device=0x46A6, driver="i915", drm=("card1", "renderD129"))
    nodes = (a_node(mode=0o666), a_node("/dev/dri/renderD129", mode=0o666), a_node(KFD, mode=0o666))
    host = with_radeon(pci=(inside, a_radeon()), nodes=nodes)
    lesser = a_device("Vulkan", pci_id="0000:00:02.0", vendor_id=0x8086, type=DeviceType.INTEGRATED, number=1, name="UHD")
    both = (lesser, VULKAN)
    checks = tuple(passed(each) for each in both)

    on_it = of_the_machine(serving(host, a_server(nodes=("/dev/dri/renderD129",))), *checks, devices=both)
    on_both = of_the_machine(serving(host, a_server(nodes=("/dev/dri/renderD129", RENDER))), *checks, devices=both)

    assert causes(on_it) == ["wrong-gpu-selected"]
    assert on_both == ()


def test_a_virtual_processor_without_avx_is_told() -> None:
    texts = {**UBUNTU, **QEMU, "/proc/cpuinfo": Reading("flags\t\t: fpu sse2 hypervisor\n")}
    with_it = {**texts, "/proc/cpuinfo": Reading("flags\t\t: fpu sse2 avx avx2 hypervisor\n")}

    assert "cpu-no-avx" in causes(of_the_machine(with_radeon(texts=texts), devices=(VULKAN,)))
    assert "cpu-no-avx" not in causes(of_the_machine(with_radeon(texts=with_it), devices=(VULKAN,)))


@pytest.mark.parametrize(
    ("words", "slug"),
    [
        ("`libvulkan.so.1` did not load: /usr/lib/libvulkan.so.1: wrong ELF class: ELFCLASS32", "process-arch-mismatch"),
        ("`libvulkan.so.1` did not load: version `GLIBC_2.38' not found (required by libvulkan.so.1)", "libc-mismatch"),
        (
            "`libvulkan.so.1` did not load: Error relocating /usr/lib/libvulkan.so.1: __strdup: symbol not found",
            "libc-mismatch",
        ),
    ],
)
def test_a_library_of_another_system_is_told_by_the_loaders_words(words: str, slug: str) -> None:
    outcome = an_outcome(library="Vulkan", status=Status.NOT_LOADABLE, message=words)

    assert slug in causes(findings(with_radeon(), not_installed("ROCm"), outcome))


def test_a_library_that_is_not_there_is_of_no_other_system() -> None:
    words = "`libvulkan.so.1` did not load: libvulkan.so.1: cannot open shared object file: No such file or directory"
    outcome = an_outcome(library="Vulkan", status=Status.NOT_LOADABLE, message=words)

    assert {"libc-mismatch", "process-arch-mismatch"}.isdisjoint(causes(findings(with_radeon(), outcome)))


HEALTHY: dict[str, tuple[Host, tuple[Any, ...]]] = {
    "ROCm": (with_radeon(), (a_device("ROCm", pci_id=ADDRESS),)),
    "ROCm and Vulkan": (with_radeon(manifests=(a_manifest(),)), (a_device("ROCm", pci_id=ADDRESS), VULKAN)),
    "Vulkan": (with_radeon(manifests=(a_manifest(),)), (VULKAN,)),
    "Level Zero": (with_arc(), (a_device("Level Zero", pci_id=ADDRESS),)),
}


@pytest.mark.parametrize("name", list(HEALTHY))
def test_a_healthy_machine_gets_no_finding_and_no_note(name: str) -> None:
    host, devices = HEALTHY[name]
    checks = tuple(passed(device) for device in devices)

    assert findings(host, *checks, devices=devices) == ()
    assert of_the_machine(host, *checks, devices=devices) == ()
    assert of_inventory(inventory_of(host, *checks, devices=devices)) == ()


@pytest.mark.parametrize("devices", [(), (a_software_renderer(),)])
def test_a_machine_with_a_processor_alone_has_no_blocker(devices: tuple[Any, ...]) -> None:
    assert blockers(of_the_machine(a_host(pci=(NETWORK,), texts=UBUNTU), devices=devices)) == []


def test_a_better_way_that_fell_away_is_a_note_with_its_cause() -> None:
    """The reporter came for ROCm, and reads that the card is usable."""
    inventory = inventory_of(without_kfd(), rocm_finds_nothing(), passed(VULKAN), devices=(VULKAN,))

    (note,) = of_inventory(inventory)

    assert note.startswith(
        "0000:03:00.0 works through Vulkan; ROCm is installed and does not list it: `/dev/kfd` does not exist although"
    )


def test_two_cards_with_one_cause_are_one_note() -> None:
    second = a_radeon("0000:09:00.0", drm=("card1", "renderD129"))
    nodes = (a_node(), a_node("/dev/dri/renderD129"))
    other = VULKAN._replace(pci_id="0000:09:00.0", number=1)
    host = without_kfd(pci=(a_radeon(), second), nodes=nodes)

    notes = of_inventory(inventory_of(host, rocm_finds_nothing(), passed(VULKAN), passed(other), devices=(VULKAN, other)))

    assert [note for note in notes if note.startswith("0000:03:00.0, 0000:09:00.0 work through Vulkan; ROCm is installed")]
    assert len(notes) == 1


def test_a_better_way_without_a_known_cause_is_told_with_the_librarys_words() -> None:
    view = a_device("Vulkan", pci_id=ADDRESS, vendor_id=0x8086)
    host = with_arc(environ={}, libraries=())
    crashed = Outcome(Probe("Level Zero", Purpose.LIST), Status.CRASHED, signal=11, seconds=0.1)

    (note,) = [
        each for each in of_inventory(inventory_of(host, crashed, passed(view), devices=(view,))) if "works through" in each
    ]

    assert note.endswith("Level Zero is installed and does not list it: crashed (signal 11)")


def test_a_library_that_is_not_installed_is_no_better_way() -> None:
    inventory = inventory_of(with_radeon(), not_installed("ROCm"), passed(VULKAN), devices=(VULKAN,))

    assert of_inventory(inventory) == ()


def test_some_partitions_that_a_container_was_not_given_are_named() -> None:
    base = kfd_nodes(90402)
    part = "gfx_target_version 90402\nlocation_id 769\ndomain 0\ndrm_render_minor 129\n"
    texts = {**base, "/sys/class/kfd/kfd/topology/nodes/2/properties": Reading(part), "/.dockerenv": Reading("")}
    view = a_device("ROCm", pci_id=ADDRESS, gfx_target="gfx942")

    found = headline(findings(with_radeon(texts=texts), passed(view), devices=(view,)))

    assert found.id == "amd-partition-not-given"
    assert found.because == "1 of its 2 partitions were given to this docker container"
    assert "--device /dev/dri/renderD129" in found.fix[0].text


def test_level_zero_that_lists_nothing_blocks_no_card_that_vulkan_serves() -> None:
    view = a_device("Vulkan", pci_id=ADDRESS, vendor_id=0x8086)

    assert blockers(findings(with_arc(), level_zero_finds_nothing(), passed(view), devices=(view,))) == []


def test_a_linux_container_on_a_mac_is_told_where_metal_is() -> None:
    (found,) = of_the_machine(
        a_host(machine="aarch64", kernel="6.10.14-linuxkit", texts={**UBUNTU, "/.dockerenv": Reading("")})
    )

    assert (found.id, found.severity) == ("ctr-macos", Severity.INFO)


def in_flatpak(runtime: str) -> Host:
    info = f"[Instance]\nruntime-extensions={runtime}\n"
    texts = {**UBUNTU, "/.flatpak-info": Reading(info), "/sys/module/nvidia/version": Reading("580.95.05")}
    return a_host(pci=(a_card(),), nodes=(a_node("/dev/nvidiactl", mode=0o666),), texts=texts)


def test_a_flatpak_without_the_hosts_driver_is_brought_up_to_date() -> None:
    older, same = "org.freedesktop.Platform.GL.nvidia-570-86-16=1a", "org.freedesktop.Platform.GL.nvidia-580-95-05=1a"

    assert "flatpak-missing-gl-extension" in causes(findings(in_flatpak(older)))
    assert "flatpak-missing-gl-extension" not in causes(findings(in_flatpak(same)))


def test_a_flatpak_that_may_not_open_devices_is_told_how_it_may() -> None:
    texts = {"/.flatpak-info": Reading("[Context]\ndevices=\n")}
    host = with_radeon(texts=texts, nodes=(a_node(accessible=False), a_node(KFD, accessible=False)), gids=(1000,))

    found = headline(findings(host, rocm_finds_nothing()))

    assert found.id == "flatpak-no-devices"
    assert "flatpak override --user --device=all" in found.fix[0].text


def test_a_snap_that_may_not_open_devices_is_told_to_connect() -> None:
    nodes = (a_node(accessible=False), a_node(KFD, accessible=False))
    host = with_radeon(environ={"SNAP_NAME": "ollama"}, nodes=nodes, gids=(1000,))

    assert headline(findings(host, rocm_finds_nothing())).id == "snap-confinement"


@pytest.mark.parametrize(
    ("texts", "environ", "slug", "words"),
    [
        ({"/.dockerenv": Reading("")}, {}, "ctr-amd-devices-missing", "--device /dev/kfd --device /dev/dri"),
        ({}, {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, "k8s-no-gpu-request", "amd.com/gpu: 1"),
        ({}, {"APPTAINER_CONTAINER": "/x.sif"}, "ctr-amd-devices-missing", "--rocm"),
    ],
)
def test_a_container_without_the_cards_nodes_is_given_them_in_its_own_way(
    texts: dict[str, Reading], environ: dict[str, str], slug: str, words: str
) -> None:
    found = headline(findings(with_radeon(texts=texts, environ=environ, nodes=()), not_installed("ROCm")))

    assert found.id == slug
    assert words in found.fix[0].text


def test_an_intel_card_needs_its_render_node_alone() -> None:
    found = headline(findings(with_arc(texts={"/.dockerenv": Reading("")}, nodes=()), level_zero_finds_nothing()))

    assert (found.id, "--device /dev/dri`" in found.fix[0].text) == ("ctr-render-node-missing", True)


def test_a_folder_of_nodes_that_could_not_be_listed_is_not_said_to_lack_one() -> None:
    host = with_arc(texts={"/.dockerenv": Reading("")}, nodes=(), facts={"dri_problem": "denied"})

    assert "ctr-render-node-missing" not in causes(findings(host, level_zero_finds_nothing()))


def test_a_service_on_an_nvidia_card_needs_no_group_of_render_nodes() -> None:
    """Nor one for the graphics inside the processor beside it."""
    card = a_card("0000:01:00.0", drm=("card0", "renderD128"))
    inside = an_arc("0000:00:02.0", device=0x46A6, driver="i915", drm=("card1", "renderD129"))
    nodes = (a_node(), a_node("/dev/dri/renderD129"), a_node("/dev/nvidiactl", mode=0o666))
    cuda = a_device("CUDA", pci_id="0000:01:00.0")
    drawn = a_device("Vulkan", pci_id="0000:00:02.0", vendor_id=0x8086, type=DeviceType.INTEGRATED)
    host = serving(a_host(pci=(inside, card), nodes=nodes, gids=(992,), texts=UBUNTU), a_server())

    found = of_the_machine(host, passed(cuda), passed(drawn), devices=(cuda, drawn))

    assert "service-user-not-in-groups" not in causes(found)
