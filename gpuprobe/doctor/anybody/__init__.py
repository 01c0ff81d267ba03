"""What keeps a card of whatever vendor from being used."""

from gpuprobe.doctor.anybody import boot_words, foreign_libraries, hiding_variables, render_nodes, vulkan_reach

CHECKS = (
    *boot_words.CHECKS,
    *render_nodes.CHECKS,
    *hiding_variables.CHECKS,
    *vulkan_reach.CHECKS,
    *foreign_libraries.CHECKS,
)
