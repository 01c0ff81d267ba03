"""What keeps a card of whatever vendor from being used."""

from gpuprobe.doctor.anybody import (
    boot_words,
    foreign_libraries,
    held_for_a_vm,
    hiding_variables,
    narrow_links,
    render_nodes,
    vulkan_reach,
)

CHECKS = (
    *held_for_a_vm.CHECKS,
    *boot_words.CHECKS,
    *render_nodes.CHECKS,
    *hiding_variables.CHECKS,
    *vulkan_reach.CHECKS,
    *foreign_libraries.CHECKS,
    *narrow_links.CHECKS,
)
