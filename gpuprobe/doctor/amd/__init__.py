"""What keeps AMD's cards from being used, a module per part of the machine."""

from gpuprobe.doctor.amd import architectures, kernel_driver, kfd, memory_window, overrides, shared_memory, surroundings_of_rocm
from gpuprobe.vendors import AMD

VENDOR = AMD
CHECKS = (
    *memory_window.CHECKS,
    *kernel_driver.CHECKS,
    *kfd.CHECKS,
    *surroundings_of_rocm.CHECKS,
    *overrides.CHECKS,
    *architectures.CHECKS,
    *shared_memory.CHECKS,
)
