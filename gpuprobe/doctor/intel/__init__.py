"""What keeps Intel's cards from being used, a module per part of the machine."""

from gpuprobe.doctor.intel import graphics_driver, level_zero_reach
from gpuprobe.vendors import INTEL

VENDOR = INTEL
CHECKS = (*graphics_driver.CHECKS, *level_zero_reach.CHECKS)
