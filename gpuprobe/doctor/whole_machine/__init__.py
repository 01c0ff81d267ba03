"""What is wrong with a machine rather than with one of its cards: none is there, a program or a service cannot use them."""

from gpuprobe.doctor.whole_machine import (
    accounts_of_servers,
    containers_here,
    frameworks_without_code,
    integrated_left_out,
    missing_cards,
    no_cards,
    programs_without_gpu,
    sandboxed_servers,
    settings_of_servers,
)

CHECKS = (
    *missing_cards.CHECKS,
    *no_cards.CHECKS,
    *programs_without_gpu.CHECKS,
    *sandboxed_servers.CHECKS,
    *integrated_left_out.CHECKS,
    *settings_of_servers.CHECKS,
    *accounts_of_servers.CHECKS,
    *frameworks_without_code.CHECKS,
    *containers_here.CHECKS,
)
