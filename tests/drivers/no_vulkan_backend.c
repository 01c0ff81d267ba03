/* In the place of ggml's Vulkan backend, for a build that is linked with one: there is none. ggml registers nothing then, as it does
 * where Vulkan cannot be started. */
void *ggml_backend_vk_reg(void) { return 0; }
