"""What keeps NVIDIA's cards from being used, a module per part of the machine."""

from gpuprobe.doctor.nvidia import driver_parts
from gpuprobe.vendors import NVIDIA

VENDOR = NVIDIA
CHECKS = (*driver_parts.CHECKS,)
