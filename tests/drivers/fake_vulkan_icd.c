/* A Vulkan driver that lists scripted devices behind the real loader; it needs no Vulkan headers and computes nothing.
 *
 * Its script is the file `<this library>.script` where that exists, so that several drivers can differ in one process, else the
 * variable FAKE_VULKAN. Beside the lines of fake.h and fake_vulkan.h:
 *
 *   device … shared=BYTES      a second heap, not local to the device; bar=BYTES: a third one, local again; heaps=0: no heap
 *            pci=silent        the PCI extension is offered and its structure left as it is; free=silent: the same for budgets
 *            drm=128 luid=… subgroup=32 api=1.3.230 version=2432696320 queues=4 (flags of the only queue family; 2 computes)
 *            portability=1     offers VK_KHR_portability_subset and refuses a device that does not ask for it
 *
 * FUNCTION is a Vulkan function, `negotiate` (the loader's handshake) or `load`. Offsets are those of the 64-bit ABI. FAKE_LOG
 * gets "vkCreateDevice NAME".
 */
static const char *icd_variable(void);
#define FAKE_VARIABLE icd_variable()
#include "fake_vulkan.h"

#include <dlfcn.h>

typedef void (*function)(void);
typedef struct { uintptr_t magic; int number; } object; /* the loader overwrites the magic with its own table */
enum { MAGIC = 0x01CDC0DE, INCOMPLETE = 5, EXTENSION_NOT_PRESENT = -7, MOST_DEVICES = 32 };
#define SUBSET "VK_KHR_portability_subset"
static object instance = {MAGIC, 0}, physical[MOST_DEVICES], logical = {MAGIC, 0}, queue = {MAGIC, 0};

static const char *icd_variable(void) {
    static char variable[4200], path[4096];
    Dl_info own;
    if (variable[0]) return variable;
    snprintf(variable, sizeof variable, "FAKE_VULKAN");
    if (!dladdr((void *)icd_variable, &own)) return variable;
    snprintf(path, sizeof path, "%s.script", own.dli_fname);
    if (path[0] == '/' && !access(path, R_OK)) {
        snprintf(variable, sizeof variable, "FAKE_VULKAN:%s", path); /* fake.h takes the script by the variable's name */
        setenv(variable, path, 1);
    }
    return variable;
}

static void put32(void *to, size_t offset, uint32_t value) { memcpy((char *)to + offset, &value, 4); }
static void put64(void *to, size_t offset, uint64_t value) { memcpy((char *)to + offset, &value, 8); }

static void put_text(const char *line, const char *key, const char *otherwise, char *to) {
    memset(to, 0, 256);
    if (!fake_value(line, key, to, 256)) strcpy(to, otherwise);
}

static int has(const char *line, const char *key) {
    char value[256];
    return fake_value(line, key, value, sizeof value);
}

static int is_silent(const char *line, const char *key) {
    char value[256];
    return fake_value(line, key, value, sizeof value) && !strcmp(value, "silent");
}

static void properties(const char *line, char *to) {
    unsigned major = 1, minor = 3, patch = 230;
    char api[32];
    if (fake_value(line, "api", api, sizeof api)) sscanf(api, "%u.%u.%u", &major, &minor, &patch);
    memset(to, 0, 824);
    put32(to, 0, major << 22 | minor << 12 | patch);
    put32(to, 4, (uint32_t)fake_number(line, "version", 1));
    put32(to, 8, (uint32_t)fake_number(line, "vendor", 0x1002));
    put32(to, 12, (uint32_t)fake_number(line, "device", 0x744c));
    put32(to, 16, device_type(line, 2));
    put_text(line, "name", "Scripted GPU", to + 20);
    put32(to + 296, 28, 1u << 30);
    put32(to + 296, 36, 4096);
    put32(to + 296, 216, 65536);
    put32(to + 296, 232, 1024);
}

static void identity(const char *line, char *to) {
    char luid[32];
    device_uuid(line, memset(to + 16, 0, 32));
    memset(to + 48, 0, 16);
    if (!fake_value(line, "luid", luid, sizeof luid)) return;
    put64(to, 48, strtoull(luid, NULL, 16));
    put32(to, 60, 1);
}

static void drm(const char *line, char *to) {
    memset(to + 16, 0, 40);
    put32(to, 20, 1);
    put64(to, 40, 226);
    put64(to, 48, (uint64_t)fake_number(line, "drm", 0));
}

static void pci(const char *line, char *to) {
    uint32_t place[4] = {0};
    if (is_silent(line, "pci")) return;
    device_pci(line, place);
    memcpy(to + 16, place, sizeof place);
}

static void budget(const char *line, char *to) {
    uint64_t first = 0, usage = 0;
    if (is_silent(line, "free")) return;
    device_budget(line, &first, &usage);
    memset(to + 16, 0, 256);
    put64(to, 16, first);
    put64(to, 144, usage);
    if (first && has(line, "shared")) put64(to, 24, (uint64_t)fake_number(line, "shared", 0));
    if (first && has(line, "bar")) put64(to, 32, (uint64_t)fake_number(line, "bar", 0));
}

static void memory(const char *line, char *to) {
    static const char *const keys[] = {"memory", "shared", "bar"};
    uint32_t heaps = fake_number(line, "heaps", 1) ? has(line, "bar") ? 3 : has(line, "shared") ? 2 : 1 : 0;
    memset(to, 0, 520);
    put32(to, 260, heaps);
    for (uint32_t heap = 0; heap < heaps; heap++) {
        put64(to, 264 + 16 * heap, (uint64_t)fake_number(line, keys[heap], heap ? 0 : 8LL << 30));
        put32(to, 272 + 16 * heap, heap != 1);
    }
}

/* Fills every structure of the chain that this driver knows and leaves the others as they are, as drivers do. */
static void fill(const char *line, void *from) {
    for (char *link = from, *next; link; link = next) {
        memcpy(&next, link + 8, sizeof next);
        switch (*(uint32_t *)link) {
        case 1000059001: properties(line, link + 16); break;
        case 1000059006: memory(line, link + 16); break;
        case 1000071004: identity(line, link); break;
        case 1000083000:
            if (has(line, "storage16")) put32(link, 16, (uint32_t)fake_number(line, "storage16", 1));
            break;
        case 1000094000: put32(link, 16, (uint32_t)fake_number(line, "subgroup", 32)); break;
        case 1000168000: put64(link, 24, 1ULL << 32); break;
        case 1000212000: pci(line, link); break;
        case 1000237000: budget(line, link); break;
        case 1000353000: drm(line, link); break;
        case 1000196000:
            put32(link, 16, (uint32_t)fake_number(line, "driver_id", 3));
            put_text(line, "driver_name", "scripted", link + 20);
            put_text(line, "driver_info", "", link + 276);
        }
    }
}

/* The second half of every function that lists: how many, or as many as there is room for. */
static int listed(uint32_t *count, uint32_t there, void *to, const void *items, size_t size) {
    uint32_t room = *count < there ? *count : there;
    *count = to ? room : there;
    if (to) memcpy(to, items, room * size);
    return to && room < there ? INCOMPLETE : 0;
}

static int vkEnumerateInstanceVersion(uint32_t *version) {
    *version = 1u << 22 | 3u << 12;
    return 0;
}

static int vkEnumerateInstanceExtensionProperties(const char *layer, uint32_t *count, void *to) {
    (void)layer;
    return listed(count, 0, to, NULL, 260);
}

static int vkCreateInstance(const void *wanted, const void *allocator, object **to) {
    (void)wanted, (void)allocator;
    FAKE_OR_RETURN();
    *to = &instance;
    return 0;
}

static void vkDestroyInstance(object *which, const void *allocator) {
    (void)which, (void)allocator;
    fake_at(__func__);
}

static int vkEnumeratePhysicalDevices(object *which, uint32_t *count, object **to) {
    object *found[MOST_DEVICES];
    uint32_t there = 0;
    (void)which;
    FAKE_OR_RETURN();
    for (; there < MOST_DEVICES && device_line((int)there); there++) {
        if (!physical[there].magic) physical[there] = (object){MAGIC, (int)there};
        found[there] = &physical[there];
    }
    return listed(count, there, to, found, sizeof *found);
}

static int vkEnumerateDeviceExtensionProperties(object *which, const char *layer, uint32_t *count, char *to) {
    static const char *const keys[] = {"pci", "free", "drm", "portability"};
    static const char *const names[] = {"VK_EXT_pci_bus_info", "VK_EXT_memory_budget", "VK_EXT_physical_device_drm", SUBSET};
    char offered[4][260] = {0};
    uint32_t there = 0;
    (void)layer;
    FAKE_OR_RETURN();
    for (int i = 0; i < 4; i++)
        if (has(device_line(which->number), keys[i])) strcpy(offered[there++], names[i]);
    return listed(count, there, to, offered, sizeof *offered);
}

static void vkGetPhysicalDeviceProperties(object *which, char *to) {
    fake_at(__func__);
    if (!fake_is_silent) properties(device_line(which->number), to);
}

static void vkGetPhysicalDeviceProperties2(object *which, void *to) {
    fake_at(__func__);
    if (!fake_is_silent) fill(device_line(which->number), to);
}

static void vkGetPhysicalDeviceFeatures2(object *which, void *to) {
    fake_at(__func__);
    if (!fake_is_silent) fill(device_line(which->number), to);
}

static void vkGetPhysicalDeviceMemoryProperties(object *which, char *to) {
    fake_at(__func__);
    if (!fake_is_silent) memory(device_line(which->number), to);
}

static void vkGetPhysicalDeviceMemoryProperties2(object *which, void *to) {
    fake_at(__func__);
    if (!fake_is_silent) fill(device_line(which->number), to);
}

static void vkGetPhysicalDeviceQueueFamilyProperties(object *which, uint32_t *count, void *to) {
    uint32_t family[6] = {(uint32_t)fake_number(device_line(which->number), "queues", 7), 1, 0, 1, 1, 1};
    fake_at(__func__);
    if (!fake_is_silent) listed(count, 1, to, family, sizeof family);
}

static int vkCreateDevice(object *which, const char *wanted, const void *allocator, object **to) {
    char name[256];
    const char **extensions;
    (void)allocator;
    FAKE_OR_RETURN();
    memcpy(&extensions, wanted + 56, sizeof extensions);
    int subset = *(const uint32_t *)(wanted + 48) == 1 && !strcmp(extensions[0], SUBSET);
    if (has(device_line(which->number), "portability") != subset) return EXTENSION_NOT_PRESENT;
    put_text(device_line(which->number), "name", "Scripted GPU", name);
    fake_log(__func__, name);
    *to = &logical;
    return 0;
}

static void vkGetDeviceQueue(object *which, uint32_t family, uint32_t index, object **to) {
    (void)which, (void)family, (void)index;
    fake_at(__func__);
    *to = &queue;
}

static void vkDestroyDevice(object *which, const void *allocator) {
    (void)which, (void)allocator;
    fake_at(__func__);
}

/* The loader takes a driver without these for a broken one; nothing here asks what they would answer. */
static void not_scripted(void) { _exit(98); }

static function find(object *which, const char *name);
static function vkGetDeviceProcAddr(object *which, const char *name) { return find(which, name); }

#define NAMED(function_) {#function_, (function)function_}
static const struct { const char *name; function at; } functions[] = {
    NAMED(vkEnumerateInstanceVersion), NAMED(vkEnumerateInstanceExtensionProperties), NAMED(vkCreateInstance),
    NAMED(vkDestroyInstance), NAMED(vkEnumeratePhysicalDevices), NAMED(vkEnumerateDeviceExtensionProperties),
    NAMED(vkGetPhysicalDeviceProperties), NAMED(vkGetPhysicalDeviceProperties2), NAMED(vkGetPhysicalDeviceMemoryProperties),
    NAMED(vkGetPhysicalDeviceMemoryProperties2), NAMED(vkGetPhysicalDeviceQueueFamilyProperties), NAMED(vkCreateDevice),
    NAMED(vkGetPhysicalDeviceFeatures2), NAMED(vkGetDeviceProcAddr), NAMED(vkGetDeviceQueue), NAMED(vkDestroyDevice),
    {"vkGetPhysicalDeviceFeatures", not_scripted}, {"vkGetPhysicalDeviceFormatProperties", not_scripted},
    {"vkGetPhysicalDeviceImageFormatProperties", not_scripted},
    {"vkGetPhysicalDeviceSparseImageFormatProperties", not_scripted},
};

static function find(object *which, const char *name) {
    (void)which;
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
        if (!strcmp(functions[i].name, name)) return functions[i].at;
    return NULL;
}

int vk_icdNegotiateLoaderICDInterfaceVersion(uint32_t *version) {
    int code = fake_at("negotiate");
    if (*version > 5) *version = 5;
    return code;
}

function vk_icdGetInstanceProcAddr(object *which, const char *name) { return find(which, name); }
