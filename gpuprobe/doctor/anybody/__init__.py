"""What keeps a card of whatever vendor from being used."""

from gpuprobe.doctor.anybody import boot_words, render_nodes

CHECKS = (*boot_words.CHECKS, *render_nodes.CHECKS)
