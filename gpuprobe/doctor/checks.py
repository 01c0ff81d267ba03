"""Every check, in the order in which they are tried: each looks at one card and says nothing where the evidence does not
prove its cause."""

from collections.abc import Callable, Iterator

from gpuprobe.doctor import amd, anybody, intel, nvidia
from gpuprobe.doctor.findings import Finding
from gpuprobe.doctor.kernels_side import placed
from gpuprobe.doctor.situation import Situation
from gpuprobe.vendors import Vendor

Check = Callable[[Situation], Iterator[Finding]]

# Those of a vendor are for its cards alone.
CHECKS: tuple[tuple[Vendor | None, tuple[Check, ...]], ...] = (
    (nvidia.VENDOR, nvidia.CHECKS),
    # NVIDIA's steps say it themselves: parts of its driver may be the container's own.
    (amd.VENDOR, tuple(map(placed, amd.CHECKS))),
    (intel.VENDOR, tuple(map(placed, intel.CHECKS))),
    (None, tuple(map(placed, anybody.CHECKS))),
)
