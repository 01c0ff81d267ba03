"""What happened to a card that no library computes on, to the word: rung by rung, without a look at the cause."""

from __future__ import annotations

from typing import Any

from gpuprobe.doctor.reasons import CardReason, Why
from gpuprobe.doctor.remedies import JOIN
from gpuprobe.doctor.symptoms import (
    device_node,
    dropped,
    hidden,
    kernel_driver,
    not_cut,
    not_given,
    unknown_node,
    unserved,
)
from gpuprobe.facts import DeviceNode, Host, Reading
from gpuprobe.judging.rules import judge
from gpuprobe.machine import Card, cards
from gpuprobe.model import Device, Drop, Inventory, Outcome, Partition, Probe, Purpose, Reason, Request, Status
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


def test_a_card_of_a_vendor_whose_drivers_are_not_known_lacks_one_without_a_name() -> None:
    host = with_card(driver=None)

    for vendor in (0x1234, 0x0BAD):
        found = kernel_driver(only(host)._replace(vendor_id=vendor), host)
        assert found is not None
        assert found.because == "no kernel driver is loaded for this card"


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
    assert node_of(CONTROL, texts={"/proc/self/cgroup": Reading("0::/\n")}) == node_of(CONTROL)
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
    card, facts = a_card(FIRST, vendor=AMD, driver="amdgpu", drm=("card0", "renderD128")), {"dri_problem": "denied"}
    unlisted, seen = a_host(pci=(card,), facts=facts), a_host(pci=(card,), facts=facts, nodes=(RENDER,))

    assert device_node(only(unlisted), unlisted) is None
    assert unknown_node(only(unlisted), unlisted) == (
        "`/dev/dri` cannot be listed by this user, so it is not known whether `/dev/dri/renderD128` exists"
    )
    assert (unknown_node(only(seen), seen), unknown_node(only(a_host(pci=(card,))), a_host(pci=(card,)))) == (None, None)


def unfiltered(*devices: Device, variables: tuple[str, ...] = ("CUDA_VISIBLE_DEVICES",)) -> Outcome:
    probe = Probe("CUDA", Purpose.UNFILTERED, variables=tuple((name, None) for name in variables))
    return an_outcome(*devices, probe=probe, library="CUDA")


def test_what_a_variable_hides_is_told_with_all_of_them_and_how_to_unset_them() -> None:
    host = with_card()._replace(environ={"CUDA_VISIBLE_DEVICES": "7", "CUDA_DEVICE_ORDER": "PCI_BUS_ID"})
    both = unfiltered(a_device(pci_id=FIRST), variables=("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER"))

    assert hidden(only(host), judged(host, both)) == Why(
        Reason.HIDDEN_BY_VARIABLE,
        "`CUDA_VISIBLE_DEVICES=7`, `CUDA_DEVICE_ORDER=PCI_BUS_ID` hide it; without that, CUDA lists it",
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


def test_a_card_that_nothing_here_is_made_for_is_told_what_it_computes_through() -> None:
    def of(vendor: int) -> Why | None:
        return unserved(only(with_card())._replace(vendor_id=vendor))

    musa = of(0x1ED5)
    assert of(0x10DE) is None
    assert of(0x0BAD) is None
    assert of(0x1234) == Why(
        CardReason.NOT_SERVED, "gpuprobe knows no library for GPUs of Bochs", None, "no library for it is known"
    )
    assert musa == Why(
        CardReason.NOT_SERVED,
        "this GPU of Moore Threads computes through MUSA, which gpuprobe does not know",
        "use a program that was built for MUSA",
        "it needs MUSA",
    )
