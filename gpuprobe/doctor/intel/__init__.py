"""What keeps Intel's cards from being used, a module per part of the machine."""

from gpuprobe.doctor.intel import graphics_driver, level_zero_reach
from gpuprobe.doctor.kernels_side import placed
from gpuprobe.vendors import INTEL

VENDOR = INTEL
CHECKS = tuple(map(placed, (*graphics_driver.CHECKS, *level_zero_reach.CHECKS)))
