"""What is wrong with a machine rather than with one of its cards: none is there, a program or a service cannot use them."""

from gpuprobe.doctor.whole_machine import accounts_of_servers, no_cards

CHECKS = (*no_cards.CHECKS, *accounts_of_servers.CHECKS)
