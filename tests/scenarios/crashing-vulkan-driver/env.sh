export GGML_VK_VISIBLE_DEVICES='0'
export VK_DRIVER_FILES='/usr/share/vulkan/icd.d/radeon_icd.x86_64.json'
