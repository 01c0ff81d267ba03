"""Which of the chosen cards a program can use, through which views, and the variables that it really reads for them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from gpuprobe.judging.consumers import Consumer
from gpuprobe.judging.identity import is_slice, same_card
from gpuprobe.judging.slices import seen_at_once
from gpuprobe.judging.visibility import Variables, visible_variables
from gpuprobe.libraries import Selection, library_named, rank_of
from gpuprobe.model import Device, DeviceType, Inventory, Purpose


class Fitting(NamedTuple):
    """The libraries that the program may use here, the devices of which it has a view there, and a clause for each other."""

    libraries: tuple[str, ...]
    devices: tuple[Device, ...]
    left_out: tuple[str, ...]


class Pick(NamedTuple):
    """One chosen device, and the views through which the program may compute on its card, the preferred one first."""

    device: Device
    views: tuple[Device, ...]


def instead_of_its_own(consumer: Consumer, platform: str) -> Mapping[str, Selection]:
    return consumer.selections if platform == "linux" else {}


def fitting(consumer: Consumer, picks: Sequence[Pick], inventory: Inventory) -> Fitting:
    """What of `picks` the program can use. Where it computes through one library at a time, the first that shows a card."""
    libraries = _libraries(consumer, picks, inventory)
    if consumer.one_library:
        shown = [name for name in libraries if any(view.library == name for pick in picks for view in pick.views)]
        libraries = tuple(shown[:1])
    fits = [pick for pick in picks if _through(pick, libraries)]
    reasons: dict[str, list[str]] = {}
    for pick in picks:
        if pick not in fits:
            reasons.setdefault(_why_not(consumer, pick.device, libraries), []).append(name_of(pick.device))
    left_out = tuple(f"without {', '.join(names)}: {reason}" for reason, names in reasons.items())
    return Fitting(libraries, tuple(pick.device for pick in fits), left_out)


def _libraries(consumer: Consumer, picks: Sequence[Pick], inventory: Inventory) -> tuple[str, ...]:
    every = consumer.computes_through or tuple(sorted({view.library for pick in picks for view in pick.views}, key=rank_of))
    builds = built_for(consumer, inventory)
    known = [name for name in every if consumer.device_list is None or library_named(name).ggml_devices]
    return tuple(name for name in known if not builds or name in builds)


def built_for(consumer: Consumer, inventory: Inventory) -> frozenset[str]:
    """The libraries that the program's builds on this machine hold; empty: it has none here, or that says nothing."""
    builds = inventory.evidence.host.builds if consumer.product else ()
    return frozenset(build.library for build in builds if build.product == consumer.product and build.problem is None)


def _through(pick: Pick, libraries: Sequence[str]) -> list[Device]:
    return sorted((view for view in pick.views if view.library in libraries), key=lambda view: view != pick.device)


def _why_not(consumer: Consumer, device: Device, libraries: Sequence[str]) -> str:
    known = consumer.computes_through or (device.library,)
    if device.library in known and libraries:
        return f"{consumer.said} computes through {' and '.join(libraries)} here"
    return f"{consumer.said} does not compute through {device.library}"


def name_of(device: Device) -> str:
    """`CUDA:0`, as one would choose it."""
    return f"{device.library}:{device.ordinal}" if device.ordinal is not None else device.name or device.id


def variables_for(
    consumer: Consumer,
    picks: Sequence[Pick],
    fit: Fitting,
    listed: Sequence[Device],
    inventory: Inventory,
    *,
    unasked: Sequence[str] = (),
) -> Variables:
    """The variables under which the program uses exactly the chosen cards; `listed` is every device that was listed."""
    host = inventory.evidence.host
    views = [view for pick in picks for view in _through(pick, fit.libraries)]
    ours = fit.libraries if consumer.one_library else consumer.computes_through
    known = [device for device in listed if device.library in ours] if consumer.only_these else listed
    beside = [name for name in unasked if name in ours] if consumer.only_these else unasked
    instead = instead_of_its_own(consumer, host.platform)
    variables = dict(visible_variables(views, known, host.platform, host.environ, beside, instead=instead))
    for library in fit.libraries:
        mine = seen_at_once([view for view in views if view.library == library])
        variables |= _numbered(consumer, library, mine, inventory) if mine else {}
    variables |= _switched(consumer, picks, fit)
    return tuple({**variables, **_named(consumer, picks, fit, variables, host.platform)}.items())


def _numbered(consumer: Consumer, library: str, views: Sequence[Device], inventory: Inventory) -> dict[str, str | None]:
    """What its library needs besides, and the witness's numbers where the program takes those and all are known."""
    found = dict(consumer.fixed.get(library, ()))
    witness = consumer.witnessed.get(library)
    selection = library_named(library).selections.get(inventory.evidence.host.platform)
    if witness is None or selection is None:
        return found
    numbers = [_number_by(witness, view, inventory) for view in views]
    if None in numbers:
        return {}
    return {selection.variable: ",".join(map(str, numbers)), **found}


def _number_by(witness: str, device: Device, inventory: Inventory) -> int | None:
    """How a witness numbers this card; None: it does not know it, or numbers cards only and this is a slice."""
    listings = (each for each in inventory.evidence.outcomes if each.probe.purpose is Purpose.LIST)
    seen = (other for listing in listings if listing.probe.library == witness for other in listing.devices)
    return None if is_slice(device) else next((other.number for other in seen if same_card(device, other).same), None)


def _switched(consumer: Consumer, picks: Iterable[Pick], fit: Fitting) -> dict[str, str | None]:
    """What turns on the use of integrated GPUs, and of a library without which a chosen card is not seen."""
    ways = [_through(pick, fit.libraries) for pick in picks]
    integrated = any(view.type is DeviceType.INTEGRATED for views in ways for view in views)
    alone = [library_named(views[0].library) for views in ways if len(views) == 1]
    switches = {library.switch: "1" for library in alone if consumer.switches and library.switch}
    return {**switches, **(dict(consumer.for_integrated) if integrated else {})}


def _named(
    consumer: Consumer, picks: Sequence[Pick], fit: Fitting, variables: Mapping[str, str | None], platform: str
) -> dict[str, str | None]:
    """One name for each card, by its number among the devices that the variables leave of its library."""
    if consumer.device_list is None:
        return {}
    ways = [views for pick in picks if (views := _through(pick, fit.libraries))]
    every = [view for views in ways for view in views]
    names = [device_name(view, every, variables, platform) for view in seen_at_once([views[0] for views in ways])]
    known = [name for name in names if name is not None]
    return {consumer.device_list: ",".join(known)} if known and len(known) == len(names) else {}


def device_name(view: Device, views: Sequence[Device], variables: Mapping[str, str | None], platform: str) -> str | None:
    """`CUDA0`, as ggml calls it under these variables, which show `views`; None: it cannot be told."""
    library = library_named(view.library)
    selection = library.selections.get(platform)
    selected = [each for each in views if each.library == view.library]
    mine = list(seen_at_once(selected))
    if selection is None:
        return f"{library.ggml_devices}{view.number}"
    if view not in mine or len((variables.get(selection.variable) or "").split(",")) != len(selected):
        return None
    if not selection.keeps_order:
        mine.sort(key=lambda each: each.number)
    return f"{library.ggml_devices}{mine.index(view)}"
