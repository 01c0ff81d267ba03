"""Every check, in the order in which they are tried: each looks at one card and says nothing where the evidence does not
prove its cause."""

from collections.abc import Callable, Iterator

from gpuprobe.doctor import amd, anybody, intel, nvidia
from gpuprobe.doctor.findings import Finding
from gpuprobe.doctor.situation import Situation
from gpuprobe.vendors import Vendor

Check = Callable[[Situation], Iterator[Finding]]

# Those of a vendor are for its cards alone.
CHECKS: tuple[tuple[Vendor | None, tuple[Check, ...]], ...] = (
    (nvidia.VENDOR, nvidia.CHECKS),
    (amd.VENDOR, amd.CHECKS),
    (intel.VENDOR, intel.CHECKS),
    (None, anybody.CHECKS),
)
