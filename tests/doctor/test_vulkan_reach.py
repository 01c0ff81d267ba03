"""Why Vulkan does not show a card: by its manifests, by what their libraries need, by what the loader said."""

from __future__ import annotations

import shlex

import pytest

from gpuprobe.doctor.card_status import summary
from gpuprobe.doctor.findings import Severity
from gpuprobe.facts import DrmDevice, FoundLibrary, Host, Reading
from gpuprobe.facts.system_facts import DriverLibrary
from gpuprobe.model import Status
from tests.doctor.sick_machines import (
    ARCH,
    FEDORA,
    RENDER,
    UBUNTU,
    a_node,
    an_arc,
    causes,
    commands,
    findings,
    headline,
    inventory_of,
    knowing,
    not_installed,
    of_the_machine,
    passed,
    vulkan_fails,
    with_arc,
    with_radeon,
)
from tests.records import a_card, a_device, a_host, a_manifest, a_software_renderer, an_outcome

RADV = "/usr/share/vulkan/icd.d/radeon_icd.x86_64.json"
LAVAPIPE = a_manifest("/usr/share/vulkan/icd.d/lvp_icd.x86_64.json", '{"ICD": {"library_path": "libvulkan_lvp.so"}}')
WORDS = (
    "ERROR:            libGLdispatch.so.0: cannot open shared object file: No such file or directory\n"
    "ERROR:            loader_icd_scan: Failed loading library associated with ICD JSON libvulkan_radeon.so. "
    "Ignoring this JSON\n"
)
LOADER = FoundLibrary("libvulkan.so.1", "/usr/lib/libvulkan.so.1", "/usr/lib/libvulkan.so.1.3.239", "default directory")


def test_a_driver_that_lacks_a_library_is_told_with_it_and_not_another_vendors_library() -> None:
    host = with_radeon(manifests=(a_manifest(RADV),), libraries=(LOADER,))
    absent = an_outcome(library="ROCm", status=Status.NOT_LOADABLE, message="`libamdhip64.so.7` did not load")

    found = findings(host, absent, vulkan_fails(stderr=WORDS))

    assert causes(found) == ["vk-driver-does-not-load"]
    assert (
        headline(found).because
        == "Vulkan: the driver of `radeon_icd.x86_64.json` does not load: `libGLdispatch.so.0` is missing"
    )
    assert commands(headline(found)) == "sudo apt install libglvnd0 libgl1 libglx0 libegl1"
    assert "ROCm" not in summary(inventory_of(host, absent, vulkan_fails(stderr=WORDS))).text


def test_what_the_survey_found_missing_needs_no_words_of_the_loader() -> None:
    library = DriverLibrary(RADV, "libvulkan_radeon.so", "/usr/lib/libvulkan_radeon.so", ("libdrm.so.2",))
    host = knowing(with_radeon(manifests=(a_manifest(RADV),), texts=FEDORA), driver_libraries=(library,))

    found = headline(findings(host, vulkan_fails()))

    assert (found.id, commands(found)) == ("vk-driver-does-not-load", "sudo dnf install '*/libdrm.so.2'")


def test_the_name_of_a_library_stays_one_word_of_the_command() -> None:
    """It is read of a driver's file, which need not be a package's."""
    library = DriverLibrary(RADV, "libvulkan_radeon.so", "/usr/lib/libvulkan_radeon.so", ("lib'; touch x; '.so",))
    host = knowing(with_radeon(manifests=(a_manifest(RADV),), texts=FEDORA), driver_libraries=(library,))

    command = commands(headline(findings(host, vulkan_fails())))

    assert shlex.split(command) == ["sudo", "dnf", "install", "*/lib'; touch x; '.so"]


def test_a_library_that_is_nowhere_comes_with_the_drivers_package() -> None:
    library = DriverLibrary(RADV, "libvulkan_radeon.so", None)
    host = knowing(with_radeon(manifests=(a_manifest(RADV),), texts=ARCH), driver_libraries=(library,))

    assert commands(headline(findings(host, vulkan_fails()))) == "sudo pacman -S vulkan-icd-loader vulkan-radeon"


def test_a_complete_driver_is_not_said_to_lack_anything() -> None:
    library = DriverLibrary(RADV, "libvulkan_radeon.so", "/usr/lib/libvulkan_radeon.so", ())
    host = knowing(with_radeon(manifests=(a_manifest(RADV),)), driver_libraries=(library,))

    assert causes(findings(host, vulkan_fails())) == []


def test_words_about_another_vendors_driver_are_not_this_cards() -> None:
    words = WORDS.replace("libvulkan_radeon", "libvulkan_intel")
    host = with_radeon(manifests=(a_manifest(RADV),))

    assert causes(findings(host, vulkan_fails(stderr=words))) == []


@pytest.mark.parametrize(
    ("release", "command"),
    [
        (UBUNTU, "sudo apt install mesa-vulkan-drivers libvulkan1"),
        (FEDORA, "sudo dnf install mesa-vulkan-drivers vulkan-loader"),
        ({**FEDORA, "/run/ostree-booted": Reading("")}, "sudo rpm-ostree install mesa-vulkan-drivers vulkan-loader"),
        (ARCH, "sudo pacman -S vulkan-icd-loader vulkan-intel"),
        ({"/etc/os-release": Reading("ID=opensuse-tumbleweed")}, "sudo zypper install libvulkan1 libvulkan_intel"),
        ({"/etc/os-release": Reading("ID=alpine")}, "sudo apk add vulkan-loader mesa-vulkan-intel"),
    ],
)
def test_a_loader_without_a_driver_of_the_vendor_gets_it_by_the_distributions_own_command(
    release: dict[str, Reading], command: str
) -> None:
    host = with_arc(texts=release, libraries=(LOADER,))

    found = headline(findings(host, not_installed("Level Zero"), vulkan_fails()))

    assert (found.id, commands(found)) == ("vk-no-icd", command)


def test_a_software_renderer_alone_is_said_to_be_all_there_is() -> None:
    host = with_arc(manifests=(LAVAPIPE,), libraries=(LOADER,))

    found = headline(findings(host, not_installed("Level Zero"), devices=(a_software_renderer(),)))

    assert found.id == "vk-no-icd"
    assert "only a software renderer is there (`lvp_icd.x86_64.json`)" in found.because


def test_a_driver_that_starts_and_shows_no_card_is_too_old_for_it() -> None:
    host = with_radeon(manifests=(a_manifest(RADV), LAVAPIPE))

    found = headline(findings(host, not_installed("ROCm"), devices=(a_software_renderer(),)))

    assert found.id == "vk-software-only"
    assert "`radeon_icd.x86_64.json`" in found.because


def test_a_manifest_of_a_driver_that_nobody_knows_may_be_the_right_one() -> None:
    other = a_manifest("/usr/share/vulkan/icd.d/new_icd.json", '{"ICD": {"library_path": "libvulkan_new.so"}}')

    assert causes(findings(with_radeon(manifests=(other,)), vulkan_fails())) == []


def test_a_node_that_may_not_be_opened_is_the_cause_and_no_missing_driver() -> None:
    host = with_radeon(nodes=(a_node(accessible=False),), gids=(1000,), manifests=(LAVAPIPE,))

    assert causes(findings(host, devices=(a_software_renderer(),))) == ["dri-render-permission"]


def test_a_variable_that_names_the_drivers_forbids_to_judge_by_the_usual_places() -> None:
    host = with_radeon(manifests=(LAVAPIPE,), environ={"VK_DRIVER_FILES": "/opt/lvp.json"})

    assert causes(findings(host, vulkan_fails())) == []


def test_a_lost_vulkan_is_no_matter_where_the_vendors_library_works() -> None:
    view = a_device("ROCm", pci_id="0000:03:00.0")

    assert causes(findings(with_radeon(), vulkan_fails(), passed(view), devices=(view,))) == []


def test_with_nothing_installed_both_ways_are_offered() -> None:
    found = headline(findings(with_arc(), not_installed("Level Zero"), not_installed("Vulkan")))

    assert found.id == "vk-loader-missing"
    assert (
        found.because
        == "no library for it is installed: neither Level Zero's (`libze_loader.so.1`) nor Vulkan's (`libvulkan.so.1`)"
    )
    assert "sudo apt install mesa-vulkan-drivers libvulkan1; sudo apt install libze1" in commands(found)


def test_of_an_amd_card_rocm_is_named_first() -> None:
    found = findings(with_radeon(), not_installed("ROCm"), not_installed("Vulkan"))

    assert causes(found) == ["rocm-hsa-runtime-missing"]


def raspberry(*manifests: str) -> Host:
    device = DrmDevice("1002000000.v3d", "v3d", ("card0", "renderD128"), ("brcm,2712-v3d",))
    return a_host(
        machine="aarch64",
        off_the_bus=(device,),
        nodes=(a_node(),),
        gids=(992,),
        texts={"/etc/os-release": Reading("ID=debian\nVERSION_CODENAME=trixie\n")},
    )


def test_a_raspberry_pi_without_vulkan_is_told_that_it_has_a_gpu_and_what_to_install() -> None:
    found = findings(raspberry(), not_installed("Vulkan"))

    assert headline(found).id == "vk-loader-missing"
    assert commands(headline(found)) == "sudo apt install mesa-vulkan-drivers libvulkan1"


def test_a_render_node_of_no_card_is_a_gpu_all_the_same() -> None:
    """As an old capture has it: the survey did not look beside the bus."""
    host = a_host(nodes=(a_node(),), texts=UBUNTU)

    (found,) = of_the_machine(host, not_installed("Vulkan"))

    assert (found.id, found.severity) == ("gpu-off-the-bus-without-library", Severity.BLOCKER)
    assert f"`{RENDER}` belongs to a GPU that is no PCI card" in found.because
    assert found.settle == "cat /sys/class/drm/renderD128/device/uevent"


@pytest.mark.parametrize("fact", ["sys_problem", "pci_problem", "drm_problem"])
@pytest.mark.parametrize("problem", ["denied", "error: Too many open files"])
def test_a_render_node_is_not_said_to_be_no_card_s_where_the_bus_was_not_seen(fact: str, problem: str) -> None:
    host = a_host(nodes=(a_node(),), texts=UBUNTU, facts={fact: problem})

    assert of_the_machine(host, not_installed("Vulkan")) == ()


def test_a_render_node_of_a_virtual_display_is_no_gpu() -> None:
    virtio = a_card("0000:00:01.0", vendor=0x1AF4, device=0x1050, driver="virtio-pci", drm=("card0",))

    found = of_the_machine(a_host(pci=(virtio,), nodes=(a_node(),), texts=UBUNTU), not_installed("Vulkan"))

    assert causes(found) == ["hw-no-gpu-present"]
    assert "its slot and its power leads" in headline(found).fix[0].text


def test_the_discrete_card_is_the_headline() -> None:
    """A hybrid laptop: the processor's graphics have the lower address."""
    inside = an_arc("0000:00:02.0", device=0x46A6, driver="i915")
    discrete = a_card("0000:01:00.0", driver="nouveau")
    host = a_host(pci=(inside, discrete), nodes=(a_node(),), gids=(992,), texts=UBUNTU)

    text = summary(inventory_of(host, not_installed("Level Zero"), not_installed("Vulkan"))).text

    assert text.startswith("0 of 2 GPUs usable; 2 are not: `nouveau` has no CUDA, ")
