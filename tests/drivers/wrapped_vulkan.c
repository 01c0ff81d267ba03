/* A Vulkan driver around a real one, which it lets compute; what it does not name below goes to the real one untouched.
 *
 * Its script is in FAKE_WRAPPED; FUNCTION is a function of LISTED. Beside the lines of fake.h:
 *
 *   driver FILE               the real driver's library
 *   spoil copy|dispatch NUMBER   one bit of this 32-bit element is turned in what the processor sees after work of that kind
 *   noncoherent               no memory is coherent: what is written is seen by the device after a flush, and the other way round
 *                             after an invalidation
 *   addressless               vkMapMemory succeeds and gives no address
 *
 * FAKE_LOG gets "allocate BYTES", "flush", "invalidate", and "copy to|from|on" the device. It needs the Vulkan headers, and calls whose arguments all travel in registers (no more than six).
 */
#define FAKE_VARIABLE "FAKE_WRAPPED"
#include "fake.h"

#include <dlfcn.h>
#include <vulkan/vulkan.h>

typedef intptr_t word;
typedef word (*any)(word, word, word, word, word, word);
typedef PFN_vkVoidFunction (*finder)(void *, const char *);
static finder real_instance_function, real_device_function;

#define LISTED(X)                                                                                                           \
    X(vkCreateDevice) X(vkCreateBuffer) X(vkGetBufferMemoryRequirements) X(vkAllocateMemory) X(vkBindBufferMemory)          \
    X(vkMapMemory) X(vkFlushMappedMemoryRanges) X(vkInvalidateMappedMemoryRanges) X(vkDestroyBuffer) X(vkFreeMemory)        \
    X(vkCreateFence) X(vkResetFences) X(vkWaitForFences) X(vkCreateCommandPool) X(vkAllocateCommandBuffers)                 \
    X(vkBeginCommandBuffer) X(vkEndCommandBuffer) X(vkQueueSubmit) X(vkCmdCopyBuffer) X(vkCmdDispatch)                      \
    X(vkCreateShaderModule) X(vkCreateDescriptorSetLayout) X(vkCreatePipelineLayout) X(vkCreateComputePipelines)            \
    X(vkCreateDescriptorPool) X(vkAllocateDescriptorSets) X(vkGetPhysicalDeviceMemoryProperties)                            \
    X(vkGetPhysicalDeviceMemoryProperties2)

#define REAL(name) static any real_##name;
LISTED(REAL)

static struct mapping { word memory; char *real, *shown; size_t size; } mapped[64];
static int is_computing;

static int is_set(const char *word) {
    char text[64];
    fake_setting(word, "no", text, sizeof text);
    return strcmp(text, "no") != 0;
}

static void without_coherence(VkPhysicalDeviceMemoryProperties *memory) {
    for (uint32_t kind = 0; is_set("noncoherent") && kind < memory->memoryTypeCount; kind++)
        memory->memoryTypes[kind].propertyFlags &= ~(VkMemoryPropertyFlags)VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
}

static void mapping(word memory, char **address) {
    struct mapping *one = mapped;
    while (one->memory) one++;
    *one = (struct mapping){memory, *address, *address, 4 << 20};
    if (is_set("noncoherent")) *address = one->shown = calloc(1, one->size);
    if (is_set("addressless")) *address = NULL;
}

static void synchronised(const VkMappedMemoryRange *range, int to_the_device) {
    fake_log(to_the_device ? "flush" : "invalidate", "");
    for (struct mapping *one = mapped; one->memory; one++) {
        if (one->memory != (word)range->memory || one->real == one->shown) continue;
        memcpy(to_the_device ? one->real : one->shown, to_the_device ? one->shown : one->real, one->size);
    }
}

static struct { word buffer, memory; } bound[64];

static void bind(word buffer, word memory) {
    int place = 0;
    while (bound[place].buffer && bound[place].buffer != buffer) place++;
    bound[place].buffer = buffer;
    bound[place].memory = memory;
}

/* Whether the processor sees this buffer. */
static int is_shown(word buffer) {
    for (int place = 0; place < 64; place++)
        for (struct mapping *one = mapped; bound[place].buffer == buffer && one->memory; one++)
            if (one->memory == bound[place].memory) return 1;
    return 0;
}

static void copied(word from, word to) {
    fake_log("copy", is_shown(from) ? is_shown(to) ? "nowhere" : "to" : is_shown(to) ? "from" : "on");
}

static void spoiled(void) {
    char text[64], what[16];
    unsigned long element;
    fake_setting("spoil", "", text, sizeof text);
    if (sscanf(text, "%15s %lu", what, &element) != 2 || !mapped[0].real) return;
    if (strcmp(what, is_computing ? "dispatch" : "copy")) return;
    ((uint32_t *)(void *)mapped[0].real)[element] ^= 1u << 17;
}

static void allocated(const VkMemoryAllocateInfo *wanted) {
    char size[32];
    snprintf(size, sizeof size, "%llu", (unsigned long long)wanted->allocationSize);
    fake_log("allocate", size);
}

/* What is done after the real call. */
static void afterwards(const char *name, const word *argument) {
    if (!strcmp(name, "vkGetPhysicalDeviceMemoryProperties")) without_coherence((void *)argument[1]);
    if (!strcmp(name, "vkGetPhysicalDeviceMemoryProperties2"))
        without_coherence(&((VkPhysicalDeviceMemoryProperties2 *)argument[1])->memoryProperties);
    if (!strcmp(name, "vkAllocateMemory")) allocated((void *)argument[1]);
    if (!strcmp(name, "vkBindBufferMemory")) bind(argument[1], argument[2]);
    if (!strcmp(name, "vkCmdCopyBuffer")) copied(argument[1], argument[2]);
    if (!strcmp(name, "vkMapMemory")) mapping(argument[1], (char **)argument[5]);
    if (!strcmp(name, "vkFlushMappedMemoryRanges")) synchronised((void *)argument[2], 1);
    if (!strcmp(name, "vkInvalidateMappedMemoryRanges")) synchronised((void *)argument[2], 0);
    if (!strcmp(name, "vkBeginCommandBuffer")) is_computing = 0;
    if (!strcmp(name, "vkCmdDispatch")) is_computing = 1;
    if (!strcmp(name, "vkWaitForFences")) spoiled();
}

static word through(const char *name, any real, const word *argument) {
    int code = fake_at(name);
    if (code || fake_is_silent) return code;
    word answer = real(argument[0], argument[1], argument[2], argument[3], argument[4], argument[5]);
    afterwards(name, argument);
    return answer;
}

#define OURS(name)                                                             \
    static word our_##name(word a, word b, word c, word d, word e, word f) {   \
        return through(#name, real_##name, (word[]){a, b, c, d, e, f});        \
    }
LISTED(OURS)

static PFN_vkVoidFunction wrapped(const char *name, PFN_vkVoidFunction real) {
#define TAKEN(function)                                   \
    if (real && !strcmp(name, #function)) {               \
        real_##function = (any)real;                      \
        return (PFN_vkVoidFunction)our_##function;        \
    }
    LISTED(TAKEN)
    return real;
}

static PFN_vkVoidFunction device_function(void *device, const char *name) {
    return wrapped(name, real_device_function(device, name));
}

static void *real_driver(const char *symbol) {
    static void *driver;
    char path[512];
    fake_setting("driver", "", path, sizeof path);
    if (!driver) driver = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!driver) fprintf(stderr, "the wrapped driver does not load: %s\n", dlerror());
    return driver ? dlsym(driver, symbol) : NULL;
}

VKAPI_ATTR VkResult VKAPI_CALL vk_icdNegotiateLoaderICDInterfaceVersion(uint32_t *version) {
    VkResult (*real)(uint32_t *) = (VkResult (*)(uint32_t *))real_driver("vk_icdNegotiateLoaderICDInterfaceVersion");
    if (*version > 5) *version = 5; /* later ones look for functions by name that are not wrapped here */
    return real ? real(version) : VK_ERROR_INCOMPATIBLE_DRIVER;
}

VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL vk_icdGetInstanceProcAddr(VkInstance instance, const char *name) {
    if (!real_instance_function) real_instance_function = (finder)real_driver("vk_icdGetInstanceProcAddr");
    PFN_vkVoidFunction real = real_instance_function ? real_instance_function(instance, name) : NULL;
    if (real && !strcmp(name, "vkGetDeviceProcAddr")) {
        real_device_function = (finder)real;
        return (PFN_vkVoidFunction)device_function;
    }
    return wrapped(name, real);
}
