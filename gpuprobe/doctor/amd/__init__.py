"""What keeps AMD's cards from being used, a module per part of the machine."""

from gpuprobe.doctor.amd import (
    architectures,
    kernel_driver,
    kfd,
    memory_window,
    other_builds,
    overrides,
    shared_memory,
    surroundings_of_rocm,
)
from gpuprobe.vendors import AMD

VENDOR = AMD
CHECKS = (
    *memory_window.CHECKS,
    *kernel_driver.CHECKS,
    *kfd.CHECKS,
    *surroundings_of_rocm.CHECKS,
    *other_builds.CHECKS,
    *overrides.CHECKS,
    *architectures.CHECKS,
    *shared_memory.CHECKS,
)
