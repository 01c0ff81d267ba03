"""What happened to a card that no library computes on, to the word: rung by rung, without a look at the cause."""

from __future__ import annotations

from typing import Any

import pytest

from gpuprobe.doctor.reasons import CardReason, Why
from gpuprobe.doctor.remedies import JOIN
from gpuprobe.doctor.symptoms import (
    device_node,
    dropped,
    hidden,
    kernel_driver,
    library_failed,
    listing,
    not_cut,
    not_given,
    number_of,
    unserved,
)
from gpuprobe.facts import DeviceNode, Host, Reading
from gpuprobe.judging.rules import judge
from gpuprobe.libraries import CUDA
from gpuprobe.machine import Card, cards
from gpuprobe.model import Call, Device, Drop, Inventory, Outcome, Partition, Probe, Purpose, Reason, Request, Status
from tests.records import AMD, INTEL, a_card, a_device, a_host, an_outcome, evidence_of

FIRST, SECOND = "0000:01:00.0", "0000:41:00.0"
CONTROL = DeviceNode("/dev/nvidiactl", 0o660, 0, 44, 195, 255, False, "video")
RENDER = DeviceNode("/dev/dri/renderD128", 0o660, 0, 992, 226, 128, False)
DOCKER = {"/.dockerenv": Reading("")}


def judged(host: Host, *outcomes: Outcome, devices: tuple[Device, ...] = (), **request: Any) -> Inventory:
    return judge(evidence_of(*devices, host=host, outcomes=outcomes), Request(**request))


def only(host: Host) -> Card:
    return cards(host)[0]


def with_card(**fields: Any) -> Host:
    return a_host(pci=(a_card(FIRST, **fields),))


def driver_of(**fields: Any) -> Why | None:
    host = with_card(**fields)
    return kernel_driver(only(host), host)


HELD = Why(
    CardReason.RESERVED_FOR_A_VM,
    "`vfio-pci` holds it for a virtual machine",
    "use it inside that virtual machine, or remove it from the vfio configuration and reboot",
    "held for a virtual machine",
)


def test_a_card_of_a_driver_that_serves_it_has_no_symptom_there() -> None:
    host = with_card(driver=None)

    assert driver_of() is None
    assert kernel_driver(only(host), host._replace(platform="win32")) is None
    assert kernel_driver(only(host)._replace(kind="listed"), host) is None


def test_a_card_that_is_held_or_has_a_lesser_driver_or_none_says_so() -> None:
    assert driver_of(driver="vfio-pci") == HELD
    assert driver_of(driver=None, driver_override="vfio-pci") == HELD
    lesser, none = driver_of(driver="nouveau"), driver_of(driver=None, vendor=AMD, device=0x744C)
    assert lesser is not None and none is not None
    assert lesser[:2] == (CardReason.OTHER_KERNEL_DRIVER, "it uses the kernel driver `nouveau`, which has no CUDA")
    assert (lesser.brief, bool(lesser.advice)) == ("`nouveau` has no CUDA", True)
    assert none[:2] == (CardReason.NO_KERNEL_DRIVER, "no kernel driver (`amdgpu`) is loaded for this card")
    assert (none.brief, bool(none.advice)) == ("no kernel driver", True)


def test_two_drivers_that_would_serve_it_are_both_named() -> None:
    found = driver_of(driver=None, vendor=INTEL, device=0xE20B)

    assert found is not None
    assert found.because == "no kernel driver (`xe` or `i915`) is loaded for this card"


def node_of(*nodes: DeviceNode, **fields: Any) -> Why | None:
    host = a_host(**{"pci": (a_card(FIRST),), "nodes": nodes, **fields})
    return device_node(only(host), host)


def test_a_node_that_is_not_there_is_named_with_what_makes_it() -> None:
    absent, inside = node_of(RENDER), node_of(texts=DOCKER)

    assert absent is not None and inside is not None
    assert absent[:2] == (CardReason.NO_DEVICE_NODE, "`/dev/nvidiactl` does not exist")
    assert (absent.brief, "nvidia-modprobe" in str(absent.advice)) == ("no device node", True)
    assert inside[:2] == (
        CardReason.NO_DEVICE_NODE,
        "this docker container was started without it (`/dev/nvidiactl` does not exist)",
    )
    assert (inside.brief, "--gpus all" in str(inside.advice)) == ("docker container started without it", True)


def test_a_node_that_may_not_be_opened_is_named_with_its_group() -> None:
    because = "your account has no access to `/dev/nvidiactl` (group {})"

    assert node_of(CONTROL) == Why(CardReason.NO_PERMISSION, because.format("video"), JOIN, "no permission")
    assert node_of(CONTROL._replace(group=None)) == Why(CardReason.NO_PERMISSION, because.format(44), JOIN, "no permission")
    inside = node_of(CONTROL, texts=DOCKER)
    assert inside == Why(
        CardReason.NO_PERMISSION, because.format("video"), "start the container with `--group-add 44`", "no permission"
    )


def test_a_node_is_asked_for_only_on_linux_where_the_card_has_one() -> None:
    assert node_of(CONTROL._replace(accessible=True)) is None
    assert node_of(platform="win32") is None
    assert node_of(pci=(a_card(FIRST, driver="nouveau"),)) is None
    render = node_of(RENDER, pci=(a_card(FIRST, vendor=AMD, driver="amdgpu", drm=("card0", "renderD128")),))
    assert render is not None and render.because == "your account has no access to `/dev/dri/renderD128` (group 992)"


def test_a_folder_that_may_not_be_listed_lacks_no_node() -> None:
    found = node_of(
        pci=(a_card(FIRST, vendor=AMD, driver="amdgpu", drm=("card0", "renderD128")),), facts={"dri_problem": "denied"}
    )

    assert found is not None
    assert (found.reason, found.advice, found.brief) == (CardReason.NO_PERMISSION, None, "")
    assert "/dev/dri" in found.because


def unfiltered(*devices: Device, variables: tuple[str, ...] = ("CUDA_VISIBLE_DEVICES",)) -> Outcome:
    probe = Probe("CUDA", Purpose.UNFILTERED, variables=tuple((name, None) for name in variables))
    return an_outcome(*devices, probe=probe, library="CUDA")


def test_what_a_variable_hides_is_told_with_all_of_them_and_how_to_unset_them() -> None:
    host = with_card()._replace(environ={"CUDA_VISIBLE_DEVICES": "7", "CUDA_DEVICE_ORDER": "PCI_BUS_ID"})
    both = unfiltered(a_device(pci_id=FIRST), variables=("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER"))

    assert hidden(only(host), judged(host, both)) == Why(
        Reason.HIDDEN_BY_VARIABLE,
        "`CUDA_VISIBLE_DEVICES=7`, `CUDA_DEVICE_ORDER=PCI_BUS_ID` hides it; without that, CUDA lists it",
        "unset it to use this card: `unset CUDA_VISIBLE_DEVICES CUDA_DEVICE_ORDER`",
        "hidden by `CUDA_VISIBLE_DEVICES`",
    )


def test_what_is_listed_all_the_same_or_by_no_child_without_variables_is_not_hidden() -> None:
    host = with_card()
    mine = a_device(pci_id=FIRST)

    assert hidden(only(host), judged(host, unfiltered(mine), devices=(mine,))) is None
    assert hidden(only(host), judged(host, unfiltered(a_device(pci_id=SECOND)))) is None
    assert hidden(only(host), judged(host, devices=(mine,))) is None
    assert hidden(only(host), judged(host, unfiltered(mine), devices=(a_device("Vulkan", pci_id=FIRST),))) is not None


def test_a_card_in_mig_mode_without_an_instance_is_told_how_to_make_one() -> None:
    host = with_card()
    on = a_device("NVML", pci_id=FIRST, capabilities={"mig_enabled": True})
    part = on._replace(partition=Partition("mig", "GPU-1"), number=1)

    def of(*views: Device) -> Why | None:
        return not_cut(only(host), judged(host, an_outcome(*views)))

    make, off = f"sudo nvidia-smi mig -i {FIRST} -cgi 0 -C", f"sudo nvidia-smi -i {FIRST} -mig 0"
    assert of(on) == Why(
        CardReason.MIG_WITHOUT_SLICES,
        "MIG is on and no instance exists, so there is nothing to compute on",
        f"make one instance of the whole card with `{make}`, or switch MIG off: `{off}`",
        "MIG is on without an instance",
    )
    assert of(on, part) is None
    assert of(on._replace(capabilities={"mig_enabled": False})) is None
    assert of(on._replace(pci_id=SECOND)) is None
    assert of(a_device("CUDA", pci_id=FIRST, capabilities={"mig_enabled": True})) is None


def test_a_container_that_shows_others_of_its_vendor_was_not_given_this_one() -> None:
    host = with_card()._replace(texts=DOCKER)
    other = an_outcome(a_device(pci_id=SECOND))

    def of(*outcomes: Outcome, host: Host = host, card: Card | None = None) -> Why | None:
        return not_given(card or only(host), judged(host, *outcomes))

    found = of(other)
    assert found is not None
    assert found[:2] == (CardReason.NOT_GIVEN, "not given to this docker container, which was started with others")
    assert (found.brief, "--gpus all" in str(found.advice)) == ("docker container started without it", True)
    assert of(other, host=host._replace(texts={"/proc/self/cgroup": Reading("0::/\n")})) is None
    assert of(an_outcome(a_device(pci_id=FIRST), a_device(pci_id=SECOND, number=1))) is None
    assert of(an_outcome(a_device())) is None
    assert of(an_outcome(a_device(pci_id=SECOND), status=Status.CRASHED)) is None
    assert of(an_outcome(a_device("Vulkan", pci_id=SECOND))) is None
    assert of(an_outcome(a_device("NVML", pci_id=SECOND))) is None
    assert of(an_outcome(a_device("ROCm", pci_id=SECOND))) is None
    assert of(unfiltered(a_device(pci_id=SECOND))) is None
    assert of(other, card=only(host)._replace(pci_id=None)) is None
    assert of(other, card=only(host)._replace(vendor_id=None)) is None


def test_a_view_that_was_dropped_says_why_and_what_its_number_calls_for() -> None:
    view = a_device(pci_id=FIRST)
    failed = Outcome(Probe("CUDA", Purpose.VALIDATE, device=view.key), Status.CALL_FAILED, code=36, message="no", seconds=0.1)
    host = with_card()

    def of(reason: Reason) -> Why | None:
        return dropped((Drop(view, reason, "no context"),), judged(host, failed, devices=(view,)))

    newer = "install a newer NVIDIA driver"
    assert of(Reason.FAILED_VALIDATION) == Why(Reason.FAILED_VALIDATION, "CUDA: no context", newer, "CUDA does not work on it")
    assert of(Reason.NOT_DECIDED) == Why(Reason.NOT_DECIDED, "CUDA: no context", newer, "CUDA could not be tested on it")
    assert of(Reason.NO_CODE) == Why(Reason.NO_CODE, "CUDA: no context", None, "CUDA has no code for it")
    assert of(Reason.SAME_CARD) == Why(Reason.SAME_CARD, "CUDA: no context", None, "")
    assert dropped((), judged(host)) is None


ENDED = {
    Status.NO_DEVICES: "found no card it can use",
    Status.ABSENT: "is not installed",
    Status.NOT_LOADABLE: "did not load",
    Status.INIT_FAILED: "did not start",
    Status.CALL_FAILED: "failed",
    Status.CRASHED: "crashed",
    Status.EXITED: "ended without an answer",
    Status.TIMED_OUT: "did not answer in time",
    Status.ABANDONED: "is stuck in the kernel",
    Status.UNREADABLE: "gave an answer that cannot be read",
    Status.NOT_STARTED: "could not be asked",
    Status.REFUSED: "was refused",
    Status.SKIPPED: "was not asked",
}


def failing(*outcomes: Outcome, drops: tuple[Drop, ...] = (), host: Host | None = None, **request: Any) -> Why | None:
    machine = host or with_card()
    return library_failed(only(machine), judged(machine, *outcomes, **request), drops)


def ended(status: Status, library: str = "CUDA", **fields: Any) -> Outcome:
    return an_outcome(library=library, status=status, message="in its own words", **fields)


@pytest.mark.parametrize("status", ENDED)
def test_how_a_library_ended_is_its_brief_and_its_words_are_the_reason(status: Status) -> None:
    found = failing(ended(status))

    assert found is not None
    assert (found.reason, found.because, found.brief) == (status, "CUDA: in its own words", f"CUDA {ENDED[status]}")


@pytest.mark.parametrize(
    ("status", "fields", "request_", "advice"),
    [
        (
            Status.TIMED_OUT,
            {},
            {},
            "give it longer (`--timeout 120`); if it hangs all the same, the end of `sudo dmesg` may say why",
        ),
        (
            Status.CRASHED,
            {},
            {},
            "reinstall the NVIDIA driver so that all its packages have one version; `gpuprobe list --all -v` shows its last "
            "output",
        ),
        (
            Status.CRASHED,
            {"library": "Vulkan"},
            {},
            "reinstall the Vulkan driver so that all its packages have one version; `gpuprobe list --all -v` shows its last "
            "output",
        ),
        (Status.SKIPPED, {}, {"wake": False}, "run it without `--no-wake`"),
        (Status.SKIPPED, {}, {"wake": True}, None),
        (Status.ABSENT, {}, {}, CUDA.advice),
        (Status.INIT_FAILED, {"code": 36}, {}, "install a newer NVIDIA driver"),
        (Status.INIT_FAILED, {}, {}, None),
    ],
)
def test_what_to_do_about_a_library_that_failed(
    status: Status, fields: dict[str, Any], request_: dict[str, Any], advice: str | None
) -> None:
    found = failing(ended(status, **fields), **request_)

    assert found is not None
    assert found.advice == advice


def test_a_library_that_does_not_load_for_want_of_another_names_that() -> None:
    words = "`libcuda.so.1` did not load: libfoo.so.2: cannot open shared object file: No such file or directory"

    found = failing(an_outcome(library="CUDA", status=Status.NOT_LOADABLE, message=words))

    assert found is not None
    assert found.advice == "install the package that brings `libfoo.so.2`"


def test_the_most_preferred_library_that_says_anything_is_the_reason() -> None:
    vulkan = ended(Status.INIT_FAILED, "Vulkan")

    def library(*outcomes: Outcome, **fields: Any) -> str | None:
        found = failing(*outcomes, **fields)
        return found.because.partition(":")[0] if found else None

    assert library(vulkan, ended(Status.CRASHED)) == "CUDA"
    assert library(vulkan, ended(Status.ABSENT)) == "Vulkan"
    assert library(vulkan, ended(Status.SKIPPED)) == "Vulkan"
    assert library(ended(Status.ABSENT), ended(Status.ABSENT, "Vulkan")) == "CUDA"
    assert library(ended(Status.ABSENT), ended(Status.SKIPPED, "Vulkan"), wake=False) == "Vulkan"
    assert library(ended(Status.ABSENT), ended(Status.SKIPPED, "Vulkan"), wake=True) == "CUDA"
    assert library(ended(Status.ABSENT), ended(Status.SKIPPED, "Vulkan"), wake=False, libraries=("CUDA",)) == "CUDA"
    assert library(ended(Status.ABSENT), ended(Status.SKIPPED, "Vulkan"), wake=False, libraries=("Vulkan",)) == "Vulkan"
    assert library(an_outcome(a_device(pci_id=SECOND)), ended(Status.ABSENT, "Vulkan")) is None
    assert library(an_outcome(a_device(pci_id=SECOND)), vulkan) == "Vulkan"
    assert library(an_outcome(a_device("Vulkan", pci_id=SECOND)), ended(Status.ABSENT)) == "CUDA"
    assert library(ended(Status.CRASHED, "NVML"), ended(Status.CRASHED, "ROCm")) is None


def test_a_library_behind_the_one_that_lists_the_card_is_no_reason_and_one_before_it_only_where_it_failed() -> None:
    def library(status: Status, view: Device, of: str) -> bool:
        drops = (Drop(view, Reason.FAILED_VALIDATION, "no"),)
        return failing(ended(status, of), drops=drops) is not None

    vulkan, cuda = a_device("Vulkan", pci_id=FIRST), a_device("CUDA", pci_id=FIRST)
    assert library(Status.CRASHED, vulkan, "CUDA")
    assert not library(Status.CRASHED, cuda, "Vulkan")
    assert not library(Status.CRASHED, cuda, "CUDA")
    assert not any(library(status, vulkan, "CUDA") for status in (Status.ABSENT, Status.SKIPPED, Status.NO_DEVICES))


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"code": 100}, "error 100"),
        ({"code": 100, "code_name": "CUDA_ERROR_NO_DEVICE"}, "CUDA_ERROR_NO_DEVICE, error 100"),
        ({"code": 100, "calls": (Call("cuInit", None),)}, "`cuInit`: error 100"),
        ({"code": 0x70000001}, "error 0x70000001"),
        ({"code": 0x70000000}, "error 0x70000000"),
        ({"code": 0x6FFFFFFF}, "error 1879048191"),
        ({}, "error 0"),
    ],
)
def test_a_number_is_told_as_people_search_for_it(fields: dict[str, Any], said: str) -> None:
    assert number_of(ended(Status.INIT_FAILED, **fields)) == said


def test_a_card_that_nothing_here_is_made_for_is_told_what_it_computes_through() -> None:
    def of(vendor: int) -> Why | None:
        return unserved(only(with_card())._replace(vendor_id=vendor))

    musa = of(0x1ED5)
    assert of(0x10DE) is None
    assert of(0x9999) is None
    assert of(0x1234) == Why(
        CardReason.NOT_SERVED, "gpuprobe knows no library for GPUs of Bochs", None, "no library for it is known"
    )
    assert musa == Why(
        CardReason.NOT_SERVED,
        "this GPU of Moore Threads computes through MUSA, which gpuprobe does not know",
        "use a program that was built for MUSA",
        "it needs MUSA",
    )


def test_the_systems_library_speaks_and_a_builds_only_in_its_absence() -> None:
    def build(seconds: float | None = 0.1) -> Outcome:
        probe = Probe("CUDA", Purpose.LIST, build="cuda_v12")
        return ended(Status.CRASHED, probe=probe, seconds=seconds)

    def chosen(*outcomes: Outcome) -> Outcome | None:
        return listing(CUDA, judged(with_card(), *outcomes))

    failed, absent = ended(Status.INIT_FAILED), ended(Status.ABSENT)
    assert chosen(build(), failed) == failed
    assert chosen(build(), absent) == build()
    assert chosen(build(None), absent) == absent
    assert chosen(build()) == build()
    assert chosen(build(None)) is None
    assert chosen(ended(Status.CRASHED, "Vulkan"), unfiltered(a_device())) is None
