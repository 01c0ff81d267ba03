"""What keeps a card of whatever vendor from being used."""

from gpuprobe.doctor.anybody import (
    boot_words,
    foreign_libraries,
    held_for_a_vm,
    hiding_variables,
    narrow_links,
    render_nodes,
    sandboxed_programs,
    vulkan_features,
    vulkan_reach,
)

CHECKS = (
    *held_for_a_vm.CHECKS,
    *boot_words.CHECKS,
    *render_nodes.CHECKS,
    *hiding_variables.CHECKS,
    *sandboxed_programs.CHECKS,
    *vulkan_reach.CHECKS,
    *vulkan_features.CHECKS,
    *foreign_libraries.CHECKS,
    *narrow_links.CHECKS,
)
