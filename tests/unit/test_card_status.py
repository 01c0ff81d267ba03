"""How each card stands, and the reason a person is told first."""

from __future__ import annotations

import pytest

from gpuprobe.doctor.card_status import card_statuses, scheduling_order, summary, undecided
from gpuprobe.doctor.diagnosis import why
from gpuprobe.doctor.notes import of_inventory as notes_of
from gpuprobe.doctor.reasons import CardReason, Why
from gpuprobe.facts import DeviceNode, FoundLibrary, Host, Reading
from gpuprobe.judging.rules import judge
from gpuprobe.machine import cards
from gpuprobe.model import (
    Call,
    Depth,
    Device,
    DeviceType,
    Evidence,
    GiB,
    Inventory,
    Outcome,
    Partition,
    Probe,
    Purpose,
    Request,
    Status,
)
from tests.records import AMD, INTEL, NVIDIA, a_card, a_device, a_host, a_slice, a_software_renderer, an_outcome

FIRST, SECOND = "0000:01:00.0", "0000:02:00.0"
CONTROL = DeviceNode("/dev/nvidiactl", 0o666, 0, 0, 195, 255, True)


def judged(host: Host, *outcomes: Outcome) -> Inventory:
    return judge(Evidence(host, outcomes, "2026-11-21T09:00:00Z"), Request())


def reason_of(host: Host, *outcomes: Outcome) -> tuple[str, str]:
    inventory = judged(host, *outcomes)
    found = why(cards(host)[0], inventory)
    return found.reason, found.because


def with_node(*cards: object, **fields: object) -> Host:
    return a_host(pci=cards or (a_card(),), nodes=(CONTROL,), **fields)


@pytest.mark.parametrize(
    ("card", "slug", "because"),
    [
        (a_card(driver=None), "no_kernel_driver", "most likely NVIDIA's driver is not installed"),
        (a_card(driver="nouveau"), "other_kernel_driver", "the kernel driver `nouveau` has the card, and it has no CUDA"),
        (a_card(driver="vfio-pci"), "reserved_for_a_vm", "`vfio-pci` holds it for a virtual machine"),
        (
            a_card(driver=None, vendor=AMD, device=0x744C),
            "no_kernel_driver",
            "no kernel driver (`amdgpu`) is loaded for this card",
        ),
    ],
)
def test_the_lowest_rung_is_the_reason(card: object, slug: str, because: str) -> None:
    absent = Outcome(Probe("CUDA", Purpose.LIST), Status.NOT_LOADABLE, message="libcuda.so.1 is nowhere")

    assert reason_of(with_node(card), absent) == (slug, because)


def test_every_reason_below_the_library_comes_with_something_to_do() -> None:
    for vendor in (NVIDIA, AMD, INTEL):
        host = a_host(pci=(a_card(vendor=vendor, driver=None),))

        assert why(cards(host)[0], judged(host)).advice


def test_a_missing_node_in_a_container_names_the_flag_that_brings_it() -> None:
    host = a_host(pci=(a_card(),), texts={"/.dockerenv": Reading("")})

    found = why(cards(host)[0], judged(host))

    assert found.because == "this docker container was started without it (`/dev/nvidiactl` does not exist)"
    assert "--gpus all" in str(found.advice)


def test_a_node_that_may_not_be_opened() -> None:
    node = DeviceNode("/dev/dri/renderD128", 0o660, 0, 106, 226, 128, False)
    host = a_host(pci=(a_card(vendor=AMD, driver="amdgpu", drm=("card0", "renderD128")),), nodes=(node,))

    assert reason_of(host) == (
        "no_permission",
        "your account has no access to `/dev/dri/renderD128` (group 106)",
    )


def test_the_librarys_own_words_where_everything_below_is_in_order() -> None:
    failed = Outcome(
        Probe("CUDA", Purpose.LIST),
        Status.INIT_FAILED,
        code=999,
        code_name="CUDA_ERROR_UNKNOWN",
        message="the driver did not start",
        calls=(Call("cuInit", None),),
    )

    assert reason_of(with_node(), failed) == (
        "init_failed",
        "CUDA: the driver did not start (CUDA_ERROR_UNKNOWN in `cuInit`)",
    )


def test_a_crash_names_its_step_and_signal() -> None:
    crashed = Outcome(Probe("CUDA", Purpose.LIST), Status.CRASHED, signal=11, calls=(Call("cuInit", None),))

    assert reason_of(with_node(), crashed) == ("crashed", "CUDA: crashed in `cuInit` (signal 11)")


def test_a_card_that_its_own_library_does_not_list_is_not_explained_by_another_that_is_not_installed() -> None:
    absent = an_outcome(library="Vulkan", status=Status.ABSENT, message="`libvulkan.so.1` was not found")
    inventory = judged(with_node(a_card(), a_card(SECOND)), an_outcome(a_device(pci_id=FIRST)), absent)

    unlisted = card_statuses(inventory)[1]

    assert unlisted.why == Why(CardReason.NOT_LISTED, "no library lists it", None)


def test_where_only_some_libraries_were_asked_the_reason_speaks_of_these() -> None:
    evidence = Evidence(with_node(), (an_outcome(library="Vulkan"),), "2026-11-21T09:00:00Z")
    inventory = judge(evidence, Request(libraries=("Vulkan",)))

    assert why(cards(evidence.host)[0], inventory).because == "none of the libraries that were asked lists it"


def test_what_the_users_variable_hides_is_said_with_the_way_out() -> None:
    host = with_node(a_card(), a_card(SECOND), environ={"CUDA_VISIBLE_DEVICES": "1"})
    both = [a_device(pci_id=FIRST, number=0), a_device(pci_id=SECOND, number=1)]
    unfiltered = Probe("CUDA", Purpose.UNFILTERED, variables=(("CUDA_VISIBLE_DEVICES", None),))
    inventory = judged(host, an_outcome(both[1]._replace(number=0)), an_outcome(*both, probe=unfiltered))

    hidden, shown = card_statuses(inventory)

    assert shown.why is None
    assert hidden.why is not None
    assert hidden.why.because == "`CUDA_VISIBLE_DEVICES=1` hides it; without that, CUDA lists it"
    assert hidden.why.advice == "unset it to use this card: `unset CUDA_VISIBLE_DEVICES`"
    assert summary(inventory).text == f"1 of 2 GPUs usable; {FIRST} is not: hidden by `CUDA_VISIBLE_DEVICES`"


def test_a_better_librarys_failure_counts_before_the_lesser_view_that_failed_too() -> None:
    vulkan = a_device("Vulkan", pci_id=FIRST)
    no = Outcome(
        Probe("Vulkan", Purpose.VALIDATE, device=vulkan.key), Status.CALL_FAILED, failure="unsupported", message="no queue"
    )
    crashed = Outcome(Probe("CUDA", Purpose.LIST), Status.CRASHED, signal=6, calls=(Call("cuInit", None),))

    assert reason_of(with_node(), crashed, an_outcome(vulkan), no)[0] == "crashed"


def test_a_failed_validation_is_the_reason_of_its_card() -> None:
    cuda = a_device(pci_id=FIRST)
    no = Outcome(
        Probe("CUDA", Purpose.VALIDATE, device=cuda.key), Status.CALL_FAILED, failure="unsupported", message="no kernels"
    )

    assert reason_of(with_node(), an_outcome(cuda), no) == ("failed_validation", "CUDA: no kernels")


def test_a_card_that_is_selected_and_fails_is_not_called_hidden() -> None:
    """The child without the user's variable lists every card, the visible ones too."""
    host = with_node(environ={"CUDA_VISIBLE_DEVICES": "0"})
    cuda = a_device(pci_id=FIRST)
    no = Outcome(
        Probe("CUDA", Purpose.VALIDATE, device=cuda.key), Status.CALL_FAILED, failure="unsupported", message="no kernels"
    )
    unfiltered = an_outcome(cuda, probe=Probe("CUDA", Purpose.UNFILTERED, variables=(("CUDA_VISIBLE_DEVICES", None),)))

    assert reason_of(host, an_outcome(cuda), no, unfiltered)[0] == "failed_validation"


@pytest.mark.parametrize("status", [Status.NO_DEVICES, Status.INIT_FAILED, Status.CRASHED])
def test_a_driver_for_linux_inside_wsl_is_to_be_removed(status: Status) -> None:
    path = "/usr/lib/x86_64-linux-gnu/libcuda.so.1"
    host = a_host(
        kernel="5.15.167.4-microsoft-standard-WSL2",
        nodes=(DeviceNode("/dev/dxg", 0o666, 0, 0, 10, 125, True),),
        facts={"wsl_drivers": "nv_dispi.inf_amd64_0"},
        libraries=(FoundLibrary("libcuda.so.1", path, path, "linker cache"),),
    )

    found = why(cards(host)[0], judged(host, Outcome(Probe("CUDA", Purpose.LIST), status, message="`cuInit` failed with 100")))

    assert found.reason is status
    assert found.because.startswith(f"`{path}` is a driver for Linux, which never works in WSL")
    assert "sudo apt purge" in str(found.advice)


def test_advice_to_install_is_given_only_where_something_is_missing() -> None:
    crashed = Outcome(Probe("CUDA", Purpose.LIST), Status.CRASHED, signal=11, calls=(Call("cuInit", None),))
    absent = Outcome(Probe("CUDA", Purpose.LIST), Status.ABSENT, message="`libcuda.so.1` is not installed")
    host = with_node()

    assert "install the driver" not in str(why(cards(host)[0], judged(host, crashed)).advice)
    assert "install the driver's part for CUDA" in str(why(cards(host)[0], judged(host, absent)).advice)


def test_a_software_renderer_is_never_taken_for_the_boards_own_gpu() -> None:
    files = {"/proc/device-tree/compatible": Reading("nvidia,p3737-0000\0nvidia,tegra234\0")}
    host = a_host(machine="aarch64", texts=files)

    inventory = judge(
        Evidence(host, (an_outcome(a_software_renderer()),), "2026-11-21T09:00:00Z"), Request(allow_software=True)
    )

    board = [status for status in card_statuses(inventory) if status.card.kind == "board"]
    assert [status.devices for status in board] == [()]


def test_two_cards_of_one_name_without_addresses_are_two() -> None:
    matches = [a_device("Vulkan", name="Apple M1", uuid=f"0000000{n}-0000-0000-0000-000000000000", number=n) for n in (1, 2)]

    assert summary(judged(a_host(), an_outcome(*matches)))[:2] == (2, 2)


def test_a_library_that_is_installed_and_does_not_work_is_named_where_no_card_is_known() -> None:
    failed = Outcome(Probe("CUDA", Purpose.LIST), Status.INIT_FAILED, message="`cuInit` failed with 999")

    assert summary(judged(a_host(), failed)).text == (
        "No GPU is usable: CUDA is installed but does not work: `cuInit` failed with 999"
    )


def test_a_card_that_only_the_witness_knows_counts_with_the_librarys_reason() -> None:
    failed = Outcome(Probe("CUDA", Purpose.LIST), Status.INIT_FAILED, message="`cuInit` failed with 999")
    inventory = judged(a_host(), failed, an_outcome(a_device("NVML", pci_id=FIRST)))

    assert summary(inventory).text == f"0 of 1 GPU usable; {FIRST} is not: CUDA did not start"


def test_a_card_left_asleep_leaves_the_answer_open() -> None:
    host = with_node(a_card(runtime_status="suspended"))
    skipped = Outcome(Probe("CUDA", Purpose.LIST), Status.SKIPPED, message="asking would wake it")
    evidence = Evidence(host, (skipped,), "2026-11-21T09:00:00Z")

    inventory = judge(evidence, Request(wake=False))

    assert undecided(inventory)
    assert why(cards(host)[0], inventory).advice == "run it without `--no-wake`"


def test_the_other_slices_of_a_card_are_not_silently_left_out() -> None:
    one, other = (f"MIG-0000000{n}-0000-0000-0000-000000000000" for n in (1, 2))
    part = Partition("mig", "GPU-1")
    seen = a_slice(uuid=one, partition=part, pci_id=FIRST)
    known = [a_device("NVML", uuid=uuid, partition=part, pci_id=FIRST, number=n) for n, uuid in enumerate((one, other))]

    notes = notes_of(judged(with_node(), an_outcome(seen), an_outcome(*known)))

    only = "CUDA shows a process one slice of a cut card"
    assert notes == (f"{only}; the others are {other}: choose one by its id",)


def test_a_card_that_works_by_its_second_best_library_is_told_why() -> None:
    cuda, vulkan = a_device("CUDA", pci_id=FIRST), a_device("Vulkan", pci_id=FIRST)
    no = Outcome(
        Probe("CUDA", Purpose.VALIDATE, device=cuda.key), Status.CALL_FAILED, failure="unsupported", message="no kernels"
    )

    assert notes_of(judged(with_node(), an_outcome(cuda), an_outcome(vulkan), no)) == (
        "Vulkan:0 is used because CUDA does not work on it: no kernels",
    )


def test_a_card_that_nobody_lists_is_not_silently_left_out() -> None:
    inventory = judged(with_node(), an_outcome(library="CUDA", status=Status.NO_DEVICES))

    assert (summary(inventory).cards, summary(inventory).usable) == (1, 0)


def test_cards_that_only_a_library_knows_count() -> None:
    """In a sandbox without /sys the bus shows nothing."""
    inventory = judged(a_host(), an_outcome(a_device(pci_id=FIRST), a_device(pci_id=SECOND, number=1)))

    assert summary(inventory)[:2] == (2, 2)


def test_a_machine_without_a_gpu_is_told_so_plainly() -> None:
    assert summary(judged(a_host())).text == "No GPU found on this machine: models will run on the CPU"


def test_a_software_renderer_without_a_name_is_told_by_its_library() -> None:
    assert "the software renderer `Vulkan`" in summary(judged(a_host(), an_outcome(a_software_renderer(name=None)))).text


def test_a_software_renderer_is_named_and_does_not_count() -> None:
    found = summary(judged(a_host(), an_outcome(a_software_renderer())))

    assert (found.cards, found.usable) == (0, 0)
    assert "llvmpipe" in found.text
    assert "--allow-software" in found.text


def test_the_scheduler_takes_discrete_cards_first_and_the_freest_of_them() -> None:
    """Free memory orders nothing else; ties fall to the fixed order."""

    def device(free: int | None, pci: str, kind: DeviceType = DeviceType.DISCRETE) -> Device:
        return a_device(free_memory=free, pci_id=pci, type=kind)

    big_integrated = device(90 * GiB, "0000:04:00.0", DeviceType.INTEGRATED)
    full, unknown = device(0, "0000:01:00.0"), device(None, "0000:02:00.0")
    free, twin = device(20 * GiB, "0000:03:00.0"), device(20 * GiB, "0000:05:00.0")

    assert scheduling_order([big_integrated, unknown, twin, full, free]) == (free, twin, full, unknown, big_integrated)


@pytest.mark.parametrize("status", [Status.CRASHED, Status.TIMED_OUT, Status.UNREADABLE, Status.NOT_STARTED])
def test_a_lost_library_leaves_the_answer_open_only_where_a_card_is_not_covered(status: Status) -> None:
    lost = an_outcome(library="Vulkan", status=status)
    cuda = a_device(pci_id=FIRST)
    works = Outcome(Probe("CUDA", Purpose.VALIDATE, device=cuda.key), Status.OK, depth=Depth.CONTEXT)

    assert undecided(judged(with_node(), lost))
    assert not undecided(judged(with_node(), lost, an_outcome(cuda), works))


def test_a_timeout_of_the_only_view_leaves_the_answer_open() -> None:
    cuda = a_device(pci_id=FIRST)
    lost = Outcome(Probe("CUDA", Purpose.VALIDATE, device=cuda.key), Status.TIMED_OUT, message="no answer within 30 s")

    assert undecided(judged(with_node(), an_outcome(cuda), lost))


def test_a_definite_no_leaves_nothing_open() -> None:
    assert not undecided(judged(with_node(), an_outcome(library="CUDA", status=Status.INIT_FAILED, code=100)))


def test_a_woken_card_is_told() -> None:
    host = with_node(a_card(runtime_status="suspended"))

    assert notes_of(judged(host, an_outcome(a_device(pci_id=FIRST)))) == (
        "0000:01:00.0 was asleep; asking CUDA woke it (`--no-wake` lets it sleep)",
    )


def test_device_nodes_that_the_driver_made_are_told() -> None:
    inventory = judged(a_host())
    evidence = inventory.evidence._replace(appeared=("/dev/nvidiactl",))

    assert notes_of(inventory._replace(evidence=evidence)) == ("asking as root let the driver create `/dev/nvidiactl`",)


def test_a_full_card_is_kept_and_said_to_be_full() -> None:
    inventory = judged(with_node(), an_outcome(a_device(pci_id=FIRST, free_memory=100 << 20)))

    assert len(inventory.kept) == 1
    assert notes_of(inventory) == ("CUDA:0 has only 100 MiB free; CUDA needs 457 MiB for itself",)


def test_a_process_that_cannot_be_ended_is_named() -> None:
    stuck = an_outcome(library="CUDA", status=Status.ABANDONED, survivors=(4711,), message="it is stuck in the kernel")

    assert any("process 4711 could not be ended" in line for line in notes_of(judged(with_node(), stuck)))


def test_under_no_wake_what_was_not_asked_is_not_counted_as_not_usable() -> None:
    """It is said to be not asked, in the headline of every command and under the card."""
    from pathlib import Path

    from gpuprobe import capture
    from gpuprobe.discovery import replay

    asleep = capture.load(Path(__file__).parents[1] / "scenarios" / "laptop-asleep" / "capture.json")
    request = Request(wake=False)

    inventory = judge(replay(asleep, request), request)

    assert summary(inventory).text == "0 of 2 GPUs usable; 2 were not asked, because that would wake a sleeping card"
    assert [status.asked for status in card_statuses(inventory)] == [False, False]
    assert undecided(inventory)
