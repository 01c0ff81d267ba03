"""llama.cpp's own fit on machines that can be checked by hand: 10 layers and an output layer of 100 each, 1 per 256 tokens."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpuprobe.planning.engines.fit import Given, Layout, Machine, Part, Share, Subject, Used, fit

LAYERS = 10
MODEL = Subject(layers=LAYERS, trained_context=16384, experts=False)
EXPERTS = MODEL._replace(experts=True)


def measured(devices: int, experts: bool = False) -> Callable[[Layout], list[Used]]:
    """100 for each layer, of which 80 are experts where there are some, and 1 for each layer and 256 tokens."""

    def measure(layout: Layout) -> list[Used]:
        shares = layout.shares or split_evenly(devices)
        rows = []
        for share in shares:
            kept = {Part.ATTENTION: 20, Part.UP: 46, Part.GATE: 73, Part.DENSE: 20}
            partial = sum(kept[share.first if place == 0 else Part.DENSE] for place in range(max(0, share.partial)))
            all_dense = experts and layout.experts_on_host
            model = 20 * share.layers if all_dense else 100 * share.whole + partial
            rows.append(Used(model, model + share.layers * (layout.context // 256)))
        return rows

    return measure


def split_evenly(devices: int) -> tuple[Share, ...]:
    all_layers = LAYERS + 1
    return tuple(Share(all_layers // devices + (1 if place < all_layers % devices else 0)) for place in range(devices))


def machine(*free: int, margin: int = 0) -> Machine:
    return Machine(free, (margin,) * len(free))


def layers(shares: Sequence[Share] | None) -> list[int]:
    return [share.layers for share in shares or ()]


def test_what_fits_as_it_is_is_left_alone() -> None:
    chosen = fit(MODEL, machine(2000), measured(1), Given())

    assert chosen.layout == Layout(16384)  # 11 * 100 + 11 * 64 = 1804


def test_the_target_is_what_is_to_stay_free() -> None:
    assert fit(MODEL, machine(1804), measured(1), Given()).layout == Layout(16384)
    assert fit(MODEL, machine(1804, margin=1), measured(1), Given()).layout != Layout(16384)


def test_on_one_device_the_context_alone_is_reduced_where_that_is_enough() -> None:
    """Between 4096 tokens (1276) and 16384 (1804): 1540 is half way, 10240 tokens."""
    chosen = fit(MODEL, machine(1540), measured(1), Given())

    assert chosen.layout == Layout(10240)
    assert chosen.because == ("the context is reduced from 16384 to 10240 tokens",)


def test_a_context_is_a_multiple_of_256() -> None:
    chosen = fit(MODEL, machine(1545), measured(1), Given())

    assert chosen.layout.context == 10240


def test_a_context_of_several_streams_is_divisible_by_them() -> None:
    chosen = fit(MODEL._replace(streams=3), machine(1900), measured(1), Given())

    assert chosen.layout.context % (3 * 256) == 0


def test_below_the_least_context_layers_go_to_the_host() -> None:
    """At 4096 tokens a layer takes 116: 8 of 11 in 1000."""
    chosen = fit(MODEL, machine(1000), measured(1), Given())

    assert (chosen.layout.context, layers(chosen.layout.shares)) == (4096, [8])


def test_a_context_that_the_user_has_set_is_not_touched() -> None:
    chosen = fit(MODEL, machine(1000), measured(1), Given(context=16384))

    assert (chosen.layout.context, layers(chosen.layout.shares)) == (16384, [6])  # 164 each


@pytest.mark.parametrize("given", [Given(layers=4), Given(split=True), Given(overrides=True)])
def test_layers_a_split_and_tensors_that_the_user_has_placed_end_it(given: Given) -> None:
    chosen = fit(MODEL, machine(300, 300), measured(2), given)

    assert chosen.layout.shares is None
    assert chosen.gave_up is not None


def test_a_split_on_one_device_does_not_end_it() -> None:
    assert fit(MODEL, machine(1000), measured(1), Given(split=True)).gave_up is None


def test_layers_are_filled_from_the_last_device_to_the_first() -> None:
    chosen = fit(MODEL, machine(400, 600), measured(2), Given(context=4096))

    assert layers(chosen.layout.shares) == [3, 5]


def test_with_several_devices_half_a_layer_is_given_up_on_each_and_one_more() -> None:
    """1540 in all as on one device: 3 * 110 // 2 less, which leaves the least context."""
    chosen = fit(MODEL, machine(770, 770), measured(2), Given())

    assert chosen.layout.context < 10240
    assert sum(layers(chosen.layout.shares)) == LAYERS + 1


def test_experts_overflow_before_layers_do() -> None:
    """All layers take 11 * 36 without their experts; the rest of 1000 holds experts of whole layers, from the front."""
    chosen = fit(EXPERTS, machine(1000), measured(1, experts=True), Given(context=4096))
    (share,) = chosen.layout.shares or ()

    assert share.layers == LAYERS + 1
    assert 0 < share.partial < LAYERS
    assert measured(1)(chosen.layout)[0].total <= 1000


def test_a_part_of_one_layer_more_is_taken_where_it_fits() -> None:
    """7 whole layers, 3 without experts and 46 of another are 982 with the cache; with its gate it would be 1009."""
    chosen = fit(EXPERTS, machine(1000), measured(1, experts=True), Given(context=4096))
    (share,) = chosen.layout.shares or ()

    assert (share.whole, share.first) == (7, Part.UP)


def test_without_room_for_all_that_is_dense_no_layer_has_its_experts() -> None:
    chosen = fit(EXPERTS, machine(300), measured(1, experts=True), Given(context=4096))
    (share,) = chosen.layout.shares or ()

    assert share.partial == share.layers - 1  # the output layer is whole


sizes = st.lists(st.integers(0, 3000), min_size=1, max_size=4)


@given(free=sizes, margin=st.integers(0, 500), context=st.sampled_from([None, 4096, 16384]))
def test_whatever_it_chooses_of_a_dense_model_fits_where_anything_does(
    free: list[int], margin: int, context: int | None
) -> None:
    on = machine(*free, margin=margin)
    chosen = fit(MODEL, on, measured(len(free)), Given(context=context))
    used = measured(len(free))(chosen.layout)

    assert 0 < chosen.layout.context <= 16384
    assert all(each.total <= max(target, 0) for each, target in zip(used, on.targets, strict=True))
    assert sum(layers(chosen.layout.shares)) <= LAYERS + 1


@given(free=sizes, margin=st.integers(0, 500))
def test_it_ends_for_every_machine_with_experts(free: list[int], margin: int) -> None:
    chosen = fit(EXPERTS, machine(*free, margin=margin), measured(len(free), experts=True), Given())

    assert sum(layers(chosen.layout.shares)) <= LAYERS + 1
