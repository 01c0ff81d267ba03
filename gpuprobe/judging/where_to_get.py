"""Where a framework is with code for a card: a clause of advice from the rows, which judge nothing."""

from __future__ import annotations

from gpuprobe import knowledge
from gpuprobe.facts import FoundSoftware, Host
from gpuprobe.libraries import library_named
from gpuprobe.model import Device
from gpuprobe.strings import compute_string


def advice(device: Device, found: FoundSoftware, host: Host) -> str:
    """What to install in its place, as `; …`; nothing where no row says so or it is what is installed."""
    if found.name == "rocBLAS":
        return _last_of_rocm(device)
    row = row_for(found.name, device.library, host.machine, device)
    if row is None or _is_installed(row, found):
        return ""
    whom = family_of(device) or library_named(device.library).name
    return f"; `pip install {row.install}` installs one with code for {whom}"


def _last_of_rocm(device: Device) -> str:
    row = next((row for row in knowledge.targets() if row.gfx == compute_string(device)), None)
    return f"; that of ROCm {row.rocblas_until} was the last that had" if row is not None and row.rocblas_until else ""


def row_for(framework: str, library: str, machine: str, device: Device | None = None) -> knowledge.Package | None:
    """The first row for a framework on such a machine; with a device, one that has code for it."""
    for row in knowledge.packages():
        here = row.framework == framework and row.library == library and (not row.machines or machine in row.machines)
        if here and (device is None or _serves(row, device)):
            return row
    return None


def _serves(row: knowledge.Package, device: Device) -> bool:
    if row.tegra is not None and row.tegra != is_tegra(device):
        return False
    return not row.architectures or bool({family_of(device), compute_string(device)} & set(row.architectures))


def is_tegra(device: Device) -> bool:
    compute = compute_string(device)
    return any(row.tegra and row.compute == compute for row in knowledge.capabilities())


def family_of(device: Device) -> str | None:
    """The name of the generation: "Blackwell", "RDNA2"."""
    compute = compute_string(device)
    rows = {**{row.compute: row.architecture for row in knowledge.capabilities()}}
    rows |= {row.gfx: row.family for row in knowledge.targets()}
    return rows.get(compute) if compute is not None else None


def _is_installed(row: knowledge.Package, found: FoundSoftware) -> bool:
    """Whether the row would name what is there: the same package, or the index whose mark its version carries."""
    mark = (found.version or "").rpartition("+")[2]
    return row.install == found.distribution or (bool(mark) and row.install.endswith(f"/{mark}"))
