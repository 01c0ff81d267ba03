"""Which devices stay, and the sentence for each that does not."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpuprobe.judging.rules import judge
from gpuprobe.judging.views import numbered
from gpuprobe.model import (
    Call,
    Device,
    DeviceType,
    GiB,
    Inventory,
    MiB,
    Outcome,
    Partition,
    Probe,
    Purpose,
    Reason,
    Request,
    Status,
)
from tests.records import a_device, a_host, a_slice, a_software_renderer, an_outcome, evidence_of

FIRST, SECOND = "0000:01:00.0", "0000:02:00.0"


def kept_by(*devices: Device, request: Request = Request(), **evidence: object) -> Inventory:  # noqa: B008
    return judge(evidence_of(*devices, **evidence), request)  # type: ignore[arg-type]


def names(inventory: Inventory) -> list[str]:
    return [f"{device.library}:{device.ordinal}" for device in inventory.kept]


def reasons(inventory: Inventory) -> dict[str, Reason]:
    return {f"{drop.device.library}:{drop.device.number}": drop.reason for drop in inventory.drops}


def validated(device: Device, status: Status = Status.OK, failure: str | None = None, **fields: object) -> Outcome:
    probe = Probe(device.library, Purpose.VALIDATE, device.build, device.key, device.manifest)
    depth = "context" if status is Status.OK else None
    return an_outcome(library=device.library, probe=probe, status=status, failure=failure, depth=depth, **fields)


def test_a_card_seen_by_cuda_and_vulkan_is_kept_once_as_cuda() -> None:
    cuda, vulkan = a_device("CUDA", pci_id=FIRST), a_device("Vulkan", pci_id=FIRST)

    inventory = kept_by(vulkan, cuda)

    assert names(inventory) == ["CUDA:0"]
    (drop,) = inventory.drops
    assert (drop.reason, drop.instead and drop.instead.library) == (Reason.SAME_CARD, "CUDA")
    assert drop.because == "CUDA reports the same card (both are at 0000:01:00.0) and is preferred"


@pytest.mark.parametrize(
    ("libraries", "kept"),
    [
        (("Vulkan", "Level Zero", "Metal", "ROCm", "CUDA"), "CUDA"),
        (("Vulkan", "Level Zero", "Metal", "ROCm"), "ROCm"),
        (("Vulkan", "Level Zero", "Metal"), "Metal"),
        (("Vulkan", "Level Zero"), "Level Zero"),
    ],
)
def test_the_preference_is_cuda_rocm_metal_level_zero_vulkan(libraries: tuple[str, ...], kept: str) -> None:
    inventory = kept_by(*(a_device(library, pci_id=FIRST) for library in libraries))

    assert [device.library for device in inventory.kept] == [kept]


def test_the_order_of_listing_changes_nothing() -> None:
    """Neither the winner nor the order depends on who answered first."""
    devices = [
        a_device("CUDA", pci_id=SECOND, number=0),
        a_device("CUDA", pci_id=FIRST, number=1),
        a_device("Vulkan", pci_id=FIRST, number=2),
        a_device("ROCm", pci_id="0000:03:00.0"),
    ]
    orders = {tuple((d.id, d.ordinal) for d in kept_by(*some).kept) for some in itertools.permutations(devices)}

    assert orders == {(("0000:01:00.0", 0), ("0000:02:00.0", 1), ("0000:03:00.0", 0))}


def test_devices_without_an_address_are_not_taken_for_one() -> None:
    """An unknown address is no address that two devices could share."""
    inventory = kept_by(a_device("ROCm", number=0, pci_id=None), a_device("ROCm", number=1, pci_id=None))

    assert names(inventory) == ["ROCm:0", "ROCm:1"]


def test_slices_of_one_card_are_devices_of_their_own() -> None:
    """MIG slices share their card's address."""
    mig = Partition("mig", "GPU-00000000-0000-0000-0000-000000000001")
    slices = [
        a_slice(number=n, uuid=f"MIG-00000000-0000-0000-0000-00000000000{n}", partition=mig, pci_id=FIRST) for n in (1, 2)
    ]

    assert names(kept_by(*slices)) == ["CUDA:0", "CUDA:1"]


def test_a_software_renderer_does_not_count_unless_it_is_allowed() -> None:
    renderer = a_software_renderer()

    assert reasons(kept_by(renderer)) == {"Vulkan:0": Reason.SOFTWARE_RENDERER}
    assert names(kept_by(renderer, request=Request(allow_software=True))) == ["Vulkan:0"]


@pytest.mark.parametrize(
    ("library", "total", "stays"),
    [
        ("CUDA", 457 * MiB, True),
        ("CUDA", 457 * MiB - 1, False),
        ("Metal", 512 * MiB, True),
        ("Metal", 512 * MiB - 1, False),
        ("Vulkan", 0, False),
        ("Vulkan", None, True),
    ],
)
def test_the_minimum_is_457_mib_and_512_on_metal(library: str, total: int | None, stays: bool) -> None:
    inventory = kept_by(a_device(library, total_memory=total))

    assert bool(inventory.kept) is stays
    assert stays or reasons(inventory) == {f"{library}:0": Reason.TOO_LITTLE_MEMORY}


@pytest.mark.parametrize(
    ("total", "has"), [(0, "it has no memory, as its driver says,"), (256 * MiB, "it has 256 MiB of memory,")]
)
def test_a_card_with_too_little_memory_is_told_how_much_it_has(total: int, has: str) -> None:
    (drop,) = kept_by(a_device("CUDA", total_memory=total)).drops

    assert drop.because.startswith(f"{has} and CUDA needs 457 MiB")


def test_little_free_memory_is_no_reason_to_drop() -> None:
    assert names(kept_by(a_device(free_memory=0))) == ["CUDA:0"]


def test_what_a_variable_of_the_user_hides_from_programs_is_dropped() -> None:
    """The variable counts raw devices, software renderers included."""
    host = a_host(environ={"GGML_VK_VISIBLE_DEVICES": "1"})
    devices = [
        a_software_renderer(number=0),
        a_device("Vulkan", number=1, pci_id=FIRST),
        a_device("Vulkan", number=2, pci_id=SECOND),
    ]

    inventory = kept_by(*devices, host=host)

    assert [device.number for device in inventory.kept] == [1]
    assert reasons(inventory) == {"Vulkan:0": Reason.HIDDEN_BY_VARIABLE, "Vulkan:2": Reason.HIDDEN_BY_VARIABLE}


def test_a_view_that_failed_does_not_push_out_the_one_that_works() -> None:
    rocm, vulkan = a_device("ROCm", pci_id=FIRST), a_device("Vulkan", pci_id=FIRST)
    crash = validated(rocm, Status.CRASHED, signal=6, calls=(Call("rocblas_initialize", None),))

    inventory = kept_by(rocm, vulkan, outcomes=(crash, validated(vulkan)))

    assert names(inventory) == ["Vulkan:0"]
    (drop,) = inventory.drops
    assert drop.reason is Reason.FAILED_VALIDATION
    assert drop.because == "crashed in `rocblas_initialize` (signal 6)"


@pytest.mark.parametrize("status", [Status.TIMED_OUT, Status.NOT_STARTED, Status.UNREADABLE, Status.ABANDONED, Status.SKIPPED])
def test_no_answer_is_not_called_unsupported(status: Status) -> None:
    """A timeout, a child that could not start and an unreadable answer prove nothing."""
    cuda = a_device(pci_id=FIRST)

    inventory = kept_by(cuda, outcomes=(validated(cuda, status),))

    assert reasons(inventory) == {"CUDA:0": Reason.NOT_DECIDED}


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        ("unsupported", Reason.FAILED_VALIDATION),
        ("call_failed", Reason.NOT_DECIDED),
        ("busy", Reason.NOT_DECIDED),
        ("device_missing", Reason.NOT_DECIDED),
        ("init_failed", Reason.NOT_DECIDED),
    ],
)
def test_only_a_definite_refusal_is_unsupported(failure: str, reason: Reason) -> None:
    """A child that lists some other device has not validated this one."""
    cuda = a_device(pci_id=FIRST)

    inventory = kept_by(cuda, outcomes=(validated(cuda, Status.CALL_FAILED, failure),))

    assert reasons(inventory) == {"CUDA:0": reason}


@pytest.mark.parametrize("number", [9, 15, 2, 1])
def test_a_child_that_was_killed_from_outside_proves_nothing(number: int) -> None:
    """As by the kernel when memory runs out."""
    cuda = a_device(pci_id=FIRST)
    killed = validated(cuda, Status.CRASHED, signal=number, calls=(Call("cuInit", None),))

    assert reasons(kept_by(cuda, outcomes=(killed,))) == {"CUDA:0": Reason.NOT_DECIDED}


def test_an_error_of_our_own_in_the_child_proves_nothing() -> None:
    cuda = a_device(pci_id=FIRST)
    bug = "Traceback (most recent call last):\n  MemoryError\n"
    failed = validated(cuda, Status.EXITED, exit_code=1, stderr=bug, calls=(Call("cuInit", None),))

    assert reasons(kept_by(cuda, outcomes=(failed,))) == {"CUDA:0": Reason.NOT_DECIDED}


def test_success_without_a_context_is_no_success() -> None:
    cuda = a_device(pci_id=FIRST)
    empty = validated(cuda)._replace(depth=None)

    assert reasons(kept_by(cuda, outcomes=(empty,))) == {"CUDA:0": Reason.NOT_DECIDED}


def builds_of(*pairs: tuple[str, str]) -> list[Device]:
    return [a_device(build=build, pci_id=address, number=place) for place, (build, address) in enumerate(pairs)]


@pytest.mark.parametrize(
    ("listed", "kept"),
    [
        # All builds serve the same cards: the newest one.
        ([("cuda_v12", FIRST), ("cuda_v13", FIRST)], [("cuda_v13", FIRST)]),
        # By number and not by text.
        ([("cuda_v9", FIRST), ("cuda_v13", FIRST)], [("cuda_v13", FIRST)]),
        ([("rocm_v7_2", FIRST), ("rocm_v7_10", FIRST)], [("rocm_v7_10", FIRST)]),
        # The newest that covers all, though a newer one covers some.
        (
            [("cuda_v12", FIRST), ("cuda_v12", SECOND), ("cuda_v13", SECOND)],
            [("cuda_v12", FIRST), ("cuda_v12", SECOND)],
        ),
        # The newest covers more than the older one.
        (
            [("cuda_v12", FIRST), ("cuda_v13", FIRST), ("cuda_v13", SECOND)],
            [("cuda_v13", FIRST), ("cuda_v13", SECOND)],
        ),
        # No build covers both: each card once, in what serves it.
        ([("cuda_v12", FIRST), ("cuda_v13", SECOND)], [("cuda_v12", FIRST), ("cuda_v13", SECOND)]),
        # Three builds: the original fell through to the oldest and left duplicates.
        (
            [("cuda_v11", FIRST), ("cuda_v12", FIRST), ("cuda_v12", SECOND), ("cuda_v13", SECOND)],
            [("cuda_v12", FIRST), ("cuda_v12", SECOND)],
        ),
        # The system's own library ranks behind every build, and serves what no build serves.
        ([("system", FIRST), ("cuda_v12", FIRST)], [("cuda_v12", FIRST)]),
        (
            [("system", FIRST), ("system", SECOND), ("cuda_v12", SECOND)],
            [("system", FIRST), ("cuda_v12", SECOND)],
        ),
    ],
)
def test_overlapping_builds(listed: list[tuple[str, str]], kept: list[tuple[str, str]]) -> None:
    """The newest build that covers every card, else the fewest builds; each card exactly once."""
    inventory = kept_by(*builds_of(*listed))

    assert [(device.build, device.pci_id) for device in inventory.kept] == kept
    assert {drop.reason for drop in inventory.drops} <= {Reason.OTHER_BUILD}


def test_a_build_that_fails_on_one_card_gives_way_to_the_one_that_serves_both() -> None:
    devices = builds_of(("cuda_v12", FIRST), ("cuda_v12", SECOND), ("cuda_v13", FIRST), ("cuda_v13", SECOND))
    failing = validated(devices[2], Status.CALL_FAILED, "unsupported")

    inventory = kept_by(*devices, outcomes=(failing,))

    assert [(device.build, device.pci_id) for device in inventory.kept] == [("cuda_v12", FIRST), ("cuda_v12", SECOND)]


def test_a_witness_completes_what_the_library_does_not_know() -> None:
    cuda = a_device(
        "CUDA", uuid="GPU-11111111-0000-0000-0000-000000000000", pci_id=FIRST, free_memory=None, kernel_version=None
    )
    nvml = a_device("NVML", uuid=cuda.uuid, pci_id=FIRST, free_memory=5 * GiB, used_memory=19 * GiB)

    (device,) = kept_by(cuda, nvml).kept

    assert (device.free_memory, device.used_memory, device.kernel_version) == (5 * GiB, 19 * GiB, "580.95.05")
    assert dict(device.sources) == {"free_memory": "NVML", "kernel_version": "NVML", "used_memory": "NVML"}


@pytest.mark.parametrize("rubbish", ["much", [], -1, True, 1.5])
def test_a_validation_s_free_memory_that_is_no_size_is_not_known(rubbish: object) -> None:
    """Facts of a capture may be anything."""
    cuda = a_device("CUDA", free_memory=None)

    (device,) = kept_by(cuda, outcomes=(validated(cuda, facts={"free_memory": rubbish}),)).kept

    assert device.free_memory is None


def test_a_witness_alone_is_no_device() -> None:
    inventory = kept_by(a_device("NVML", pci_id=FIRST))

    assert (inventory.kept, inventory.drops) == ((), ())


def test_an_integrated_nvidia_gpu_has_the_memory_that_the_system_has() -> None:
    """The page cache is not used memory, and free is never more than total."""
    from gpuprobe.facts import Reading

    host = a_host(texts={"/proc/meminfo": Reading("MemTotal: 64000000 kB\nMemFree: 1 kB\nMemAvailable: 60000000 kB\n")})
    thor = a_device(type=DeviceType.INTEGRATED, total_memory=32 * GiB, free_memory=1 * GiB, pci_id=None)

    (device,) = kept_by(thor, host=host).kept

    assert (device.free_memory, device.used_memory) == (32 * GiB, None)
    assert dict(device.sources)["free_memory"] == "system"


def test_ordinals_count_per_library_in_the_fixed_order() -> None:
    """An ordinal is a display number; identity is the address or the UUID."""
    devices = [a_device("CUDA", number=n, pci_id=f"0000:0{9 - n}:00.0") for n in range(3)]

    kept = kept_by(*devices, a_device("ROCm", pci_id="0000:0a:00.0")).kept

    assert [(d.library, d.ordinal, d.number) for d in kept] == [("CUDA", 0, 2), ("CUDA", 1, 1), ("CUDA", 2, 0), ("ROCm", 0, 0)]


@pytest.mark.parametrize("status", [Status.CALL_FAILED, Status.TIMED_OUT])
def test_a_card_that_fails_keeps_its_number(status: Status) -> None:
    cards = [a_device("CUDA", number=number, pci_id=f"0000:0{number + 1}:00.0") for number in range(3)]

    inventory = kept_by(*cards, outcomes=(validated(cards[1], status, "unsupported"),))

    assert names(inventory) == ["CUDA:0", "CUDA:2"]
    assert [device.ordinal for device in numbered(inventory)] == [0, 1, 2]


def test_all_builds_call_a_card_by_one_number_and_a_replaced_view_has_one_too() -> None:
    builds = [a_device("CUDA", build=build, pci_id=place) for build in ("cuda_v12", "cuda_v13") for place in (FIRST, SECOND)]
    vulkan = a_device("Vulkan", pci_id=FIRST)

    inventory = kept_by(*builds, vulkan, a_device("Vulkan", number=1, pci_id="0000:03:00.0"))

    assert names(inventory) == ["CUDA:0", "CUDA:1", "Vulkan:1"]
    assert [(device.build, device.ordinal) for device in numbered(inventory) if device.library == "CUDA"] == [
        ("cuda_v12", 0),
        ("cuda_v13", 0),
        ("cuda_v12", 1),
        ("cuda_v13", 1),
    ]
    assert [(device.pci_id, device.ordinal) for device in numbered(inventory) if device.library == "Vulkan"] == [
        (FIRST, 0),
        ("0000:03:00.0", 1),
    ]


def test_one_manifest_alone_is_preferred_to_a_listing_that_crashed() -> None:
    together = a_device("Vulkan", pci_id=FIRST, number=1)
    alone = together._replace(number=0, manifest="/etc/vulkan/icd.d/good.json")
    probes = [Probe("Vulkan", Purpose.LIST), Probe("Vulkan", Purpose.ALONE, manifest=alone.manifest)]
    outcomes = (
        an_outcome(together, probe=probes[0], status=Status.CRASHED, signal=11),
        an_outcome(alone, probe=probes[1]),
    )

    inventory = kept_by(outcomes=outcomes)

    assert [device.manifest for device in inventory.kept] == [alone.manifest]
    assert [drop.reason for drop in inventory.drops] == [Reason.LISTED_TWICE]


@pytest.mark.parametrize("value", ["0,0", "0,0,0"])
def test_a_renderer_that_the_variable_names_again_is_one_renderer(value: str) -> None:
    """A build lists it as often as it is named; the loader lists it once, and neither gives it an address."""
    own = a_software_renderer(uuid=None)
    named = [a_software_renderer(uuid=None, build="vulkan", number=place) for place in range(value.count("0"))]
    host = a_host(environ={"GGML_VK_VISIBLE_DEVICES": value})

    inventory = kept_by(own, *named, host=host, request=Request(allow_software=True))

    assert names(inventory) == ["Vulkan:0"]
    twice = [drop.because for drop in inventory.drops if drop.reason is Reason.LISTED_TWICE]
    assert len(inventory.drops) == len(named)
    assert twice == [twice[0]] * (len(named) - 1)
    assert twice[0] == f"Vulkan lists this card twice (`GGML_VK_VISIBLE_DEVICES={value}` names it twice)"


def test_a_variable_that_names_two_cards_names_none_twice() -> None:
    build = [a_device("Vulkan", build="vulkan", number=place, name=f"card {place}") for place in (0, 1)]
    own = [a_device("Vulkan", number=1 - place, name=f"card {place}") for place in (0, 1)]

    inventory = kept_by(*own, *build, host=a_host(environ={"GGML_VK_VISIBLE_DEVICES": "1,0"}))

    assert [device.number for device in inventory.kept] == [0, 1]


def test_what_is_kept_instead_of_a_view_is_followed_to_the_end() -> None:
    """An ordinary machine with Ollama: its Vulkan build wins over the system's Vulkan, and CUDA over that build."""
    cuda, system = a_device("CUDA", pci_id=FIRST), a_device("Vulkan", pci_id=FIRST)

    inventory = kept_by(cuda, system, a_device("Vulkan", pci_id=FIRST, build="vulkan"))

    (kept,) = inventory.kept
    assert {drop.reason: drop.instead for drop in inventory.drops} == {Reason.OTHER_BUILD: kept, Reason.SAME_CARD: kept}


def test_nothing_is_kept_instead_where_the_view_that_won_failed() -> None:
    manifests = [a_device("Vulkan", pci_id=FIRST, number=number, manifest=f"/{number}.json") for number in (0, 1)]

    inventory = kept_by(*manifests, outcomes=(validated(manifests[0], Status.CALL_FAILED, failure="unsupported"),))

    assert [(drop.reason, drop.instead) for drop in inventory.drops] == [
        (Reason.FAILED_VALIDATION, None),
        (Reason.LISTED_TWICE, None),
    ]


VIEWS = st.builds(
    a_device,
    st.sampled_from(["CUDA", "ROCm", "Vulkan", "Level Zero"]),
    number=st.integers(0, 3),
    build=st.sampled_from(["system", "vulkan", "cuda_v12", "cuda_v13"]),
    pci_id=st.sampled_from([None, FIRST, SECOND]),
    uuid=st.sampled_from([None, "GPU-8932f937-d72c-4106-c12f-20bd9faed9f6", "GPU-11111111-d72c-4106-c12f-20bd9faed9f6"]),
    manifest=st.sampled_from([None, "/usr/share/vulkan/icd.d/nvidia_icd.json"]),
    name=st.sampled_from(["NVIDIA GeForce RTX 4090", "AMD Radeon RX 7900 XTX (RADV NAVI31)"]),
    type=st.sampled_from([DeviceType.DISCRETE, DeviceType.SOFTWARE]),
    total_memory=st.sampled_from([None, 64 * MiB, 24 * GiB]),
)


@given(st.lists(VIEWS, max_size=7), st.data())
def test_whatever_is_listed_what_stands_in_the_place_of_a_view_is_kept(views: list[Device], data: st.DataObject) -> None:
    failing = [view for view in views if data.draw(st.booleans())]
    failures = tuple({one.probe: one for one in (validated(view, Status.CALL_FAILED) for view in failing)}.values())

    inventory = kept_by(*views, outcomes=failures)

    assert all(drop.instead in inventory.kept for drop in inventory.drops if drop.instead is not None)
    assert len(inventory.kept) + len(inventory.drops) == len(views)


@pytest.mark.parametrize("count", [1, 3])
def test_a_build_without_addresses_invents_no_further_card(count: int) -> None:
    """It lists one of two cards, or three of two: nobody can say which of them each is."""
    own = [a_device("CUDA", number=number, pci_id=address) for number, address in enumerate((FIRST, SECOND))]
    build = [a_device("CUDA", number=number, build="cuda_v12") for number in range(count)]

    inventory = kept_by(*own, *build)

    assert [device.pci_id for device in inventory.kept] == [FIRST, SECOND]
    assert {drop.reason for drop in inventory.drops} == {Reason.LISTED_TWICE}
    assert inventory.drops[0].because == (
        "the build cuda_v12 gives no address: CUDA has 2 such devices, and nothing says which this is"
    )


@pytest.mark.parametrize("address", [FIRST, None])
def test_views_whose_uuids_differ_in_one_namespace_are_two_cards(address: str | None) -> None:
    cuda = a_device("CUDA", pci_id=address, uuid="GPU-8932f937-d72c-4106-c12f-20bd9faed9f6")
    vulkan = a_device("Vulkan", pci_id=address, uuid="11111111-d72c-4106-c12f-20bd9faed9f6", uuid_space="nvidia")

    assert len(kept_by(cuda, vulkan).kept) == 2
    assert len(kept_by(cuda, vulkan._replace(build="cuda_v13", library="CUDA", name=cuda.name)).kept) == 2


VIRTUAL = "NVIDIA GeForce RTX 4090 (dev p0/v{})"


@pytest.mark.parametrize(
    ("environ", "why"),
    [
        ({}, "ggml made several of one card"),
        ({"GGML_CUDA_DEVICES": ""}, "ggml made several of one card"),
        ({"GGML_CUDA_DEVICES": "2"}, "`GGML_CUDA_DEVICES=2` makes several of one card"),
    ],
)
def test_virtual_devices_of_one_card_say_who_made_them(environ: dict[str, str], why: str) -> None:
    views = [a_device("CUDA", number=n, pci_id=FIRST, build="cuda_v13", name=VIRTUAL.format(n)) for n in (0, 1)]

    (drop,) = kept_by(*views, host=a_host(environ=environ)).drops

    assert (drop.reason, drop.because) == (
        Reason.VIRTUAL_DEVICE,
        f"it is a virtual device: {why}, which share its memory",
    )


def test_a_card_that_is_listed_twice_says_how_that_is_known() -> None:
    (drop,) = kept_by(a_device("CUDA", pci_id=FIRST), a_device("CUDA", number=1, pci_id=FIRST, uuid="GPU-1")).drops

    assert drop.because == f"CUDA lists this card twice (both are at {FIRST})"
    assert drop.instead is not None and drop.instead.number == 1


@pytest.mark.parametrize(
    ("own", "such", "has_twin"),
    [
        (({"number": 0}, {"number": 1}), "2 such devices", False),
        (({"number": 1},), "such a device", True),
        (({"number": 0, "name": "another"}, {"number": 1, "name": "another"}), None, False),
    ],
)
def test_what_a_build_lists_without_an_address_is_one_of_those_that_its_library_knows(
    own: tuple[dict[str, object], ...], such: str | None, has_twin: bool
) -> None:
    arcs = [a_device("Vulkan", **{"name": "Intel(R) Arc(tm) A770", **each}) for each in own]
    views = [a_device("Vulkan", number=n, name="Intel(R) Arc(tm) A770 (x)", build="vulkan") for n in range(3)]

    dropped = [drop for drop in kept_by(*arcs, *views).drops if drop.device.build == "vulkan" and "address" in drop.because]

    said = f"the build vulkan gives no address: Vulkan has {such}, and nothing says which this is"
    assert {(drop.because, drop.instead is not None) for drop in dropped} == (set() if such is None else {(said, has_twin)})


def test_a_view_that_nothing_but_name_and_memory_tells_says_so() -> None:
    inventory = kept_by(a_device("CUDA"), a_device("Vulkan"))

    assert [drop.because for drop in inventory.drops] == [
        "CUDA reports the same card (equal names and memory, and no address to tell them apart) and is preferred"
    ]


def test_a_build_without_code_says_which_row_or_words_speak_against_it() -> None:
    view = a_device("CUDA", pci_id=FIRST, build="cuda_v13", capabilities={"architectures": ["90-real"]})

    (drop,) = kept_by(view).drops

    assert drop.because == "the build cuda_v13 cannot compute on it: it has code for 9.0, none of which runs on 8.9"
