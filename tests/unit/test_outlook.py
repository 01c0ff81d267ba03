"""What is said of a placement, at the borders: what just fits, what is one byte too much, and what cannot be known."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gpuprobe.model import Device, DeviceType, GiB
from gpuprobe.planning.engines.engine_records import Answer, HostMemory, Machine, Outlook, Wish
from gpuprobe.planning.engines.outlook import Room, judged
from gpuprobe.planning.records import Figure, Override, Place, Placement, Settings, Source

NOTHING = Figure(0, Source.EXACT)
UNKNOWN = Figure(None, Source.UNKNOWN)


def exact(size: float) -> Figure:
    return Figure(int(size * GiB), Source.EXACT)


def bound(size: float) -> Figure:
    return Figure(int(size * GiB), Source.BOUND)


def on_a_card(
    model: Figure, context: Figure, compute: Figure, *, free: int | None = 8 * GiB, number: int = 0, layers: int = 11
) -> Place:
    return Place(f"CUDA:{number}", layers, model, context, compute, free=free)


def placed(*cards: Place, host: Figure = NOTHING, layers: int = 11) -> Placement:
    return Placement(cards, Place("host", 0, host, NOTHING, NOTHING), 4096, layers=layers, layers_of_model=11)


def said(
    placement: Placement,
    *,
    wish: Wish | None = None,
    margin: int = 0,
    available: int | None = None,
    settings: Settings | None = None,
    hoped: int | None = None,
    type_: DeviceType = DeviceType.DISCRETE,
) -> Answer:
    devices = tuple(
        Device("CUDA", number, ordinal=number, free_memory=place.free, type=type_)
        for number, place in enumerate(placement.devices)
    )
    machine = Machine(devices, HostMemory(available=available))
    room = Room(machine, devices, (margin,) * len(devices), hoped)
    return judged(Answer("engine", Outlook.UNKNOWN, "", placement, settings), room, wish or Wish())


@pytest.mark.parametrize("kind", [exact, bound])
def test_what_takes_all_that_is_free_fits(kind: Callable[[float], Figure]) -> None:
    answer = said(placed(on_a_card(exact(4), exact(2), kind(2))))

    assert answer.outlook is Outlook.FITS
    assert answer.because == "all 11 layers fit on CUDA:0 with 4096 tokens of context; 0 bytes stay free"


def test_what_is_sure_to_be_too_much_is_too_large_also_where_the_rest_is_unknown() -> None:
    answer = said(placed(on_a_card(exact(8.5), UNKNOWN, UNKNOWN)))

    assert answer.outlook is Outlook.TOO_LARGE
    assert answer.because == "does not fit: CUDA:0 has 8.0 GiB free, and 11 layers need 8.5 GiB on it"


def test_one_layer_that_is_too_large_is_one_layer() -> None:
    assert "1 layer need 9.0 GiB" in said(placed(on_a_card(exact(8), exact(0.5), exact(0.5), layers=1), layers=1)).because


def test_a_bound_above_what_is_free_decides_nothing() -> None:
    answer = said(placed(on_a_card(exact(4), exact(2), bound(3))))

    assert answer.outlook is Outlook.UNKNOWN
    assert answer.because == "cannot be decided: CUDA:0 has 8.0 GiB free, and at most 9.0 GiB are needed on it"


@pytest.mark.parametrize(
    ("place", "because"),
    [
        (
            on_a_card(exact(4), exact(1), exact(1), free=None),
            "how much memory is free on CUDA:0 is not known; `--what-if 'CUDA:0 free=20GiB'` says it",
        ),
        (
            on_a_card(exact(4), UNKNOWN, exact(1)),
            "the size of the cache is not known for this model; the weights take 4.0 GiB on devices and 2.0 GiB on the host",
        ),
        (
            on_a_card(exact(4), exact(1), UNKNOWN),
            "the size of the compute buffer is not known for this model; the weights take 4.0 GiB on devices"
            " and 2.0 GiB on the host",
        ),
    ],
)
def test_what_is_not_known_is_named(place: Place, because: str) -> None:
    assert said(placed(place, host=exact(2))).because == f"cannot be decided: {because}"


def test_of_several_cards_the_least_that_stays_free_is_said_of_those_that_are_used() -> None:
    cards = (
        on_a_card(exact(4), exact(1), exact(1)),
        on_a_card(exact(4), exact(1), exact(2), number=1),
        on_a_card(exact(0), exact(0), exact(7.5), number=2, layers=0),
    )

    assert said(placed(*cards)).because == (
        "all 11 layers fit on CUDA:0, CUDA:1 with 4096 tokens of context; 1.0 GiB or more stay free on each"
    )


@pytest.mark.parametrize(("margin", "notes"), [(GiB, ()), (GiB + 1, ("less stays free on CUDA:0 than is to be kept free",))])
def test_less_than_is_to_stay_free_is_a_note(margin: int, notes: tuple[str, ...]) -> None:
    assert said(placed(on_a_card(exact(4), exact(2), exact(1))), margin=margin).notes == notes


def test_what_does_not_fit_has_no_note_about_what_stays_free() -> None:
    assert said(placed(on_a_card(exact(9), exact(2), exact(1))), margin=GiB).notes == ()


PARTLY = placed(on_a_card(exact(4), exact(1), exact(1), layers=6), host=exact(3), layers=6)
ON_HOST = "6 of 11 layers on CUDA:0 with 4096 tokens of context"


@pytest.mark.parametrize(
    ("wish", "hoped", "because"),
    [
        (Wish(), None, f"{ON_HOST}, the rest stays on the host: 7.0 GiB of the 8.0 GiB that are free may be used"),
        (
            Wish(),
            9 * GiB,
            f"{ON_HOST}, the rest stays on the host: all need 9.0 GiB on devices,"
            " and 7.0 GiB of the 8.0 GiB that are free may be used",
        ),
        (Wish(layers=6), None, f"{ON_HOST}, as `--layers` says"),
        (Wish(layers=0), None, f"{ON_HOST}, as `--layers` says"),
        (Wish(cpu_moe=3), None, f"{ON_HOST}; the rest stays on the host, as `--cpu-moe` says"),
    ],
)
def test_layers_on_the_host_are_explained(wish: Wish, hoped: int | None, because: str) -> None:
    answer = said(PARTLY, wish=wish, hoped=hoped, margin=GiB)

    assert (answer.outlook, answer.because) == (Outlook.WITH_HOST, because)


def test_experts_on_the_host_are_not_layers_there() -> None:
    whole = placed(on_a_card(exact(4), exact(1), exact(1)), host=exact(3))
    by_name = said(whole, settings=Settings(overrides=(Override("_exps", None),)))
    by_count = said(whole, settings=Settings(cpu_moe_layers=1))
    elsewhere = said(whole, settings=Settings(overrides=(Override("_exps", "CUDA:1"),)))

    assert "11 of 11 layers on CUDA:0" in by_name.because and "some experts stay on the host" in by_name.because
    assert [answer.outlook for answer in (by_name, by_count, elsewhere)] == [
        *(Outlook.WITH_HOST, Outlook.WITH_HOST, Outlook.FITS)
    ]


def test_with_gpu_only_nothing_may_stay_on_the_host() -> None:
    answer = said(PARTLY, wish=Wish(gpu_only=True))

    assert answer.outlook is Outlook.TOO_LARGE
    assert answer.because.startswith(f"does not fit without the host's memory: {ON_HOST}")
    assert said(placed(on_a_card(exact(1), exact(1), exact(1))), wish=Wish(gpu_only=True)).outlook is Outlook.FITS


@pytest.mark.parametrize(("available", "outlook"), [(3 * GiB, Outlook.WITH_HOST), (3 * GiB - 1, Outlook.TOO_LARGE)])
def test_the_host_needs_memory_for_its_part(available: int, outlook: Outlook) -> None:
    assert said(PARTLY, available=available).outlook is outlook


def test_a_host_that_is_too_small_is_told_what_it_would_need() -> None:
    whole = said(placed(on_a_card(exact(4), exact(1), exact(1)), host=exact(3)), available=2 * GiB)
    short = "the host's part needs 3.0 GiB of the system's memory, and 2.0 GiB are available"

    assert whole.because == f"does not fit: {short}"
    assert said(PARTLY, available=2 * GiB).because.startswith(f"does not fit: {short}; {ON_HOST}")


@pytest.mark.parametrize(("available", "outlook"), [(9 * GiB, Outlook.FITS), (9 * GiB - 1, Outlook.TOO_LARGE)])
def test_a_device_that_shares_the_systems_memory_counts_there(available: int, outlook: Outlook) -> None:
    shared = placed(on_a_card(exact(4), exact(1), exact(1)), host=exact(3))
    answer = said(shared, available=available, type_=DeviceType.INTEGRATED)

    assert answer.outlook is outlook
    assert (outlook is Outlook.FITS) or "the host's part and CUDA:0 need 9.0 GiB" in answer.because


def test_an_answer_without_a_placement_stays_as_it_is() -> None:
    answer = Answer("engine", Outlook.NOT_PLANNED, "no")

    assert judged(answer, Room(Machine((), HostMemory()), (), ()), Wish()) is answer
