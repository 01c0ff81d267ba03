"""The question whether one device computes. Pure, and apart from what is worth asking, which a refresh does without."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gpuprobe.judging import identity, visibility
from gpuprobe.judging.visibility import Variables
from gpuprobe.libraries import library_named
from gpuprobe.model import Device, Probe, Purpose


def validation_probe(
    device: Device, listed: Sequence[Device] = (), platform: str = "linux", environ: Mapping[str, str] | None = None
) -> Probe:
    """The question whether this device computes. `listed` is every device that is offered, `environ` what they were listed
    under: a child that is to see one device alone needs its name as it is outside the user's own list."""
    drivers = library_named(device.library).drivers
    if drivers is not None and device.manifest is not None:
        variables: Variables = drivers.only(device.manifest)
    else:
        variables = _for_it_alone(device, listed, platform, environ or {})
    return Probe(
        device.library,
        Purpose.VALIDATE,
        build=device.build,
        device=device.key,
        manifest=device.manifest,
        variables=variables,
    )


def _for_it_alone(device: Device, listed: Sequence[Device], platform: str, environ: Mapping[str, str]) -> Variables:
    """The variables that leave a child this device and no other of its library; none where no token can name it.

    The token is that of the device as it was listed: what a witness added would make it another question in a replay.
    """
    selection = library_named(device.library).selections.get(platform)
    if library_named(device.library).one_slice and identity.is_slice(device) and selection is not None and device.uuid:
        return ((selection.variable, device.uuid),)
    if not library_named(device.library).validated_alone:
        return ()
    mine = [other for other in listed if (other.library, other.build) == (device.library, device.build)]
    device = next((other for other in mine if other.key == device.key), device)
    if visibility.filter_id(device, environ, platform, mine) is None:
        return ()
    return visibility.visible_variables([device], mine, platform, environ)
