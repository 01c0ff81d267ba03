/* Queues, lists, modules and kernels of fake_ze.c, whose definitions come before. The one kernel that it computes is the one that
 * gpuprobe is known to bring: element i becomes 3 · element + 7 + i. */
static struct { void *loader; } queue, module, built, logged;
static uint32_t *kernel_elements, kernel_group;

static ze_result_t queue_create(
    ze_context_handle_t owner, ze_device_handle_t handle, const ze_command_queue_desc_t *desc, ze_command_queue_handle_t *out
) {
    AT(zeCommandQueueCreate);
    NEED(desc, ZE_STRUCTURE_TYPE_COMMAND_QUEUE_DESC);
    if (owner != (ze_context_handle_t)&context || desc->ordinal != 1) return ZE_RESULT_ERROR_INVALID_ARGUMENT;
    lists_device = (const device *)handle;
    *out = (ze_command_queue_handle_t)&queue;
    return ZE_RESULT_SUCCESS;
}

static ze_result_t list_create(
    ze_context_handle_t owner, ze_device_handle_t handle, const ze_command_list_desc_t *desc, ze_command_list_handle_t *out
) {
    AT(zeCommandListCreate);
    NEED(desc, ZE_STRUCTURE_TYPE_COMMAND_LIST_DESC);
    if (owner != (ze_context_handle_t)&context || !handle) return ZE_RESULT_ERROR_INVALID_ARGUMENT;
    if (desc->commandQueueGroupOrdinal != 1) return ZE_RESULT_ERROR_INVALID_COMMAND_LIST_TYPE;
    *out = (ze_command_list_handle_t)&commands;
    return ZE_RESULT_SUCCESS;
}

static ze_result_t list_close(ze_command_list_handle_t handle) {
    AT(zeCommandListClose);
    if (handle != (ze_command_list_handle_t)&commands) return ZE_RESULT_ERROR_INVALID_ARGUMENT;
    commands.is_closed = 1;
    return ZE_RESULT_SUCCESS;
}

static ze_result_t list_reset(ze_command_list_handle_t handle) {
    AT(zeCommandListReset);
    if (handle != (ze_command_list_handle_t)&commands) return ZE_RESULT_ERROR_INVALID_ARGUMENT;
    commands.is_closed = commands.length = 0;
    return ZE_RESULT_SUCCESS;
}

static ze_result_t append_barrier(
    ze_command_list_handle_t handle, ze_event_handle_t event, uint32_t waits, ze_event_handle_t *wait_for
) {
    (void)wait_for;
    AT(zeCommandListAppendBarrier);
    return handle == (ze_command_list_handle_t)&commands && !event && !waits ? 0 : ZE_RESULT_ERROR_INVALID_ARGUMENT;
}

static void compute(uint32_t *elements, uint32_t count) {
    char text[32];
    for (uint32_t at = 0; at < count; at++) elements[at] = 3 * elements[at] + 7 + at;
    fake_setting("spoil", "", text, sizeof text);
    if (text[0]) elements[strtoul(text, NULL, 0)] ^= 1u << 17;
}

static ze_result_t queue_execute(
    ze_command_queue_handle_t handle, uint32_t count, ze_command_list_handle_t *lists, ze_fence_handle_t fence
) {
    AT(zeCommandQueueExecuteCommandLists);
    int mine = handle == (ze_command_queue_handle_t)&queue && lists[0] == (ze_command_list_handle_t)&commands;
    if (!mine || count != 1 || fence || !commands.is_closed) return ZE_RESULT_ERROR_INVALID_ARGUMENT;
    for (int i = 0; i < commands.length; i++) {
        if (recorded[i].elements) {
            compute(recorded[i].elements, recorded[i].count);
            continue;
        }
        int from = is_the_hosts(recorded[i].from), to = is_the_hosts(recorded[i].to);
        fake_log("way", recorded[i].from == recorded[i].to ? "nowhere" : from ? "to" : to ? "from" : "on");
        copy_now(recorded[i].to, recorded[i].from, recorded[i].size);
    }
    return ZE_RESULT_SUCCESS;
}

static ze_result_t queue_synchronize(ze_command_queue_handle_t handle, uint64_t limit) {
    AT(zeCommandQueueSynchronize);
    return handle == (ze_command_queue_handle_t)&queue && limit ? 0 : ZE_RESULT_ERROR_INVALID_ARGUMENT;
}

static ze_result_t module_create(
    ze_context_handle_t owner, ze_device_handle_t handle, const ze_module_desc_t *desc, ze_module_handle_t *out,
    ze_module_build_log_handle_t *log
) {
    if (log) *log = (ze_module_build_log_handle_t)&logged;
    AT(zeModuleCreate);
    NEED(desc, ZE_STRUCTURE_TYPE_MODULE_DESC);
    uint32_t first;
    memcpy(&first, desc->pInputModule, sizeof first);
    if (owner != (ze_context_handle_t)&context || !handle || desc->inputSize % 4) return ZE_RESULT_ERROR_INVALID_ARGUMENT;
    if (desc->format != ZE_MODULE_FORMAT_IL_SPIRV || first != 0x07230203) return ZE_RESULT_ERROR_INVALID_NATIVE_BINARY;
    *out = (ze_module_handle_t)&module;
    return ZE_RESULT_SUCCESS;
}

static ze_result_t build_log(ze_module_build_log_handle_t handle, size_t *size, char *text) {
    char words[1024];
    AT(zeModuleBuildLogGetString);
    if (handle != (ze_module_build_log_handle_t)&logged) return ZE_RESULT_ERROR_INVALID_ARGUMENT;
    fake_setting("log", "", words, sizeof words);
    if (text) snprintf(text, *size, "%s", words);
    *size = strlen(words) + 1;
    fake_setting("log_size", "", words, sizeof words);
    if (words[0]) *size = strtoull(words, NULL, 0);
    return ZE_RESULT_SUCCESS;
}

static ze_result_t kernel_create(ze_module_handle_t owner, const ze_kernel_desc_t *desc, ze_kernel_handle_t *out) {
    AT(zeKernelCreate);
    NEED(desc, ZE_STRUCTURE_TYPE_KERNEL_DESC);
    if (owner != (ze_module_handle_t)&module) return ZE_RESULT_ERROR_INVALID_ARGUMENT;
    if (strcmp(desc->pKernelName, "probe")) return ZE_RESULT_ERROR_INVALID_KERNEL_NAME;
    *out = (ze_kernel_handle_t)&built;
    return ZE_RESULT_SUCCESS;
}

static ze_result_t kernel_group_size(ze_kernel_handle_t handle, uint32_t x, uint32_t y, uint32_t z) {
    AT(zeKernelSetGroupSize);
    if (handle != (ze_kernel_handle_t)&built || y != 1 || z != 1) return ZE_RESULT_ERROR_INVALID_GROUP_SIZE_DIMENSION;
    kernel_group = x;
    return ZE_RESULT_SUCCESS;
}

static ze_result_t kernel_argument(ze_kernel_handle_t handle, uint32_t place, size_t size, const void *value) {
    AT(zeKernelSetArgumentValue);
    if (handle != (ze_kernel_handle_t)&built || place) return ZE_RESULT_ERROR_INVALID_KERNEL_ARGUMENT_INDEX;
    if (size != sizeof kernel_elements) return ZE_RESULT_ERROR_INVALID_KERNEL_ARGUMENT_SIZE;
    memcpy(&kernel_elements, value, size);
    return ZE_RESULT_SUCCESS;
}

static ze_result_t append_launch(
    ze_command_list_handle_t handle, ze_kernel_handle_t kernel, const ze_group_count_t *groups, ze_event_handle_t event,
    uint32_t waits, ze_event_handle_t *wait_for
) {
    (void)wait_for;
    AT(zeCommandListAppendLaunchKernel);
    if (handle != (ze_command_list_handle_t)&commands || kernel != (ze_kernel_handle_t)&built) return ZE_RESULT_ERROR_INVALID_ARGUMENT;
    if (event || waits || groups->groupCountY != 1 || groups->groupCountZ != 1) return ZE_RESULT_ERROR_INVALID_ARGUMENT;
    return record((struct command){.elements = kernel_elements, .count = groups->groupCountX * kernel_group});
}
