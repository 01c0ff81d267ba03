"""What keeps AMD's cards from being used, a module per part of the machine."""

from gpuprobe.doctor.amd import kfd
from gpuprobe.vendors import AMD

VENDOR = AMD
CHECKS = (*kfd.CHECKS,)
