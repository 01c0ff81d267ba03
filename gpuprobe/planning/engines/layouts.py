"""The layouts that fit tries, as settings, and what each of them takes: the arithmetic in the place of an allocator."""

from __future__ import annotations

from collections.abc import Sequence

from gpuprobe.planning.engines.fit import Chosen, Given, Layout, Machine, Part, Subject, Used, fit
from gpuprobe.planning.placement import Planner
from gpuprobe.planning.records import Device, Override, Placement, Settings

# What of a layer overflows, by what of it stays: the patterns that llama.cpp's fit writes.
_OVERFLOWS = {
    Part.ATTENTION: r"blk\.{layer}\.ffn_(gate|up|gate_up|down).*",
    Part.UP: r"blk\.{layer}\.ffn_(gate|gate_up|down).*",
    Part.GATE: r"blk\.{layer}\.ffn_down.*",
    Part.DENSE: r"blk\.{layer}\.ffn_(up|down|gate_up|gate)_(ch|)exps",
}
_ALL_EXPERTS = r"blk\.\d+\.ffn_(up|down|gate_up|gate)_(ch|)exps"


class UnknownSizes(ValueError):
    """A size that decides is not known; `placement` says which."""

    def __init__(self, placement: Placement) -> None:
        super().__init__()
        self.placement = placement


class Sizes:
    """One model on one set of devices; `settings` are the user's own, which no layout changes."""

    def __init__(self, planner: Planner, devices: tuple[Device, ...], settings: Settings) -> None:
        self._planner, self._devices, self._settings = planner, devices, settings
        self._placed: dict[Settings, Placement] = {}

    def fitted(self, margins: Sequence[int], *, experts: bool, trained_context: int | None) -> Chosen:
        """What llama.cpp's fit chooses. Raises UnknownSizes, and Unplannable of what is placed."""
        whole = self._place(self._settings)
        streams = 1 if self._settings.unified else self._settings.parallel
        settings = self._settings
        trained = trained_context or whole.context_length
        subject = Subject(whole.layers_of_model - 1, trained, experts=experts, streams=streams)
        given = Given(
            context=settings.context,
            layers=settings.layers,
            split=bool(settings.tensor_split),
            overrides=bool(settings.overrides or settings.cpu_moe_layers),
        )
        free = tuple(self._free(device, whole) for device in self._devices)
        return fit(subject, Machine(free, tuple(margins)), self._measured, given)

    def _free(self, device: Device, whole: Placement) -> int:
        if device.free is None:
            raise UnknownSizes(whole)
        return device.free

    def place(self, layout: Layout) -> Placement:
        return self._place(self.settings_of(layout))

    def hoped(self, context: int, placement: Placement) -> int | None:
        """Bytes on all devices, were every layer and expert there with this context; None: not known, or they are."""
        settings = self._settings._replace(context=context, layers=None, tensor_split=(), cpu_moe_layers=0, overrides=())
        whole = self._place(settings)
        needed = [place.needed for place in whole.devices]
        if whole.devices == placement.devices or None in needed:
            return None
        return sum(size for size in needed if size is not None)

    def settings_of(self, layout: Layout) -> Settings:
        settings = self._settings._replace(context=layout.context)
        if layout.experts_on_host:
            return settings._replace(overrides=(Override(_ALL_EXPERTS, None), *settings.overrides))
        if layout.shares is None:
            return settings
        layers = sum(share.layers for share in layout.shares)
        split = tuple(float(share.layers) for share in layout.shares) if len(self._devices) > 1 and layers else ()
        return settings._replace(layers=layers, tensor_split=split, overrides=self._overrides(layout, layers))

    def _overrides(self, layout: Layout, layers: int) -> tuple[Override, ...]:
        found: list[Override] = []
        at = self._place(self._settings).layers_of_model - layers
        for number, share in enumerate(layout.shares or ()):
            at += share.whole
            for layer in range(at, at + share.partial):
                part = share.first if layer == at else Part.DENSE
                goes_on = layer == at and layout.overflows[number]
                target = self._devices[number + 1].selector if goes_on else None
                found.append(Override(_OVERFLOWS[part].replace("{layer}", str(layer)), target))
            at += share.partial
        return tuple(found)

    def _measured(self, layout: Layout) -> list[Used]:
        placement = self.place(layout)
        rows = []
        for each in placement.devices:
            needed, model = each.needed, each.model.bytes
            if needed is None or model is None:
                raise UnknownSizes(placement)
            rows.append(Used(model, needed))
        return rows

    def _place(self, settings: Settings) -> Placement:
        if settings not in self._placed:
            self._placed[settings] = self._planner.place(self._devices, settings)
        return self._placed[settings]
