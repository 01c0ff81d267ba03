/* A Level Zero driver that lists scripted devices behind the real loader (ZE_ENABLE_ALT_DRIVERS=/path/of/it). Structures and
 * tables are those of the real headers (`libze-dev`).
 *
 * Its script is the file `<this library>.script` where that exists, so that several drivers can differ in one process, else the
 * variable FAKE_ZE. FUNCTION is a function of the driver, by the name that programs call it by. Beside the lines of fake.h:
 *
 *   device KEY=VALUE…         name, uuid (8-4-4-4-12), pci, memory (bytes), free (bytes; none: Sysman does not know it),
 *                             type (1: GPU), integrated (0), vendor (0x8086), id (0x56a0), subdevices (0), tile (its number,
 *                             where it is itself a sub-device; `free` is then of this tile, and another one has nothing free),
 *                             family (0): devices of one family share a driver handle, higher families come first
 *   version 0x01030000        what zeDriverGetProperties says, the build number added: 24595
 *   identity 7                the driver's UUID, which all of its handles share; 0: it has none
 *   corrupt                   what is copied arrives with one byte changed
 *   spoil NUMBER              this 32-bit element of what the kernel computes has one bit turned
 *   log TEXT                  the words of the compiler that builds no module; log_size: how many it says there are
 *
 * Order and ZE_AFFINITY_MASK are as in Intel's compute runtime (ExecutionEnvironment::parseAffinityMask and sortNeoDevices,
 * Device::groupDevices): discrete devices before integrated ones, then by address; ZE_ENABLE_PCI_ID_DEVICE_ORDER=1: by address
 * alone. The mask's numbers count in that order, across families; with nothing left the driver does not start. An entry that is
 * no number ends the process, as std::stoul does there. Sysman answers where ZES_ENABLE_SYSMAN=1 was set before zeInit, and then
 * only to the core's handles; or after zesInit, and then only to its own. FAKE_LOG gets "zeContextCreate", "copy NAME", and
 * of copies in a queue "way to|from|on" the device.
 * -DWITHOUT_INIT_DRIVERS: a driver before 1.10.  -DWITHOUT_TABLE: one table is missing.
 */
static const char *ze_variable(void);
#define FAKE_VARIABLE ze_variable()
#include "fake.h"

#include <dlfcn.h>
#include <level_zero/ze_api.h>
#include <level_zero/ze_ddi.h>
#include <level_zero/zes_api.h>
#include <level_zero/zes_ddi.h>

#define CORE 0xC0FE
#define SYSMAN 0x5E5
typedef struct device { void *loader; int kind, place; const char *line; char pci[64]; int integrated, family; } device;
typedef struct driver { void *loader; int family; } driver;
static device devices[32], managed[32];
static driver drivers[32];
static int count, driver_count, legacy_sysman, sysman;
static struct { void *loader; } context, list;

static const char *ze_variable(void) {
    static char variable[4200], path[4096];
    Dl_info own;
    if (variable[0]) return variable;
    snprintf(variable, sizeof variable, "FAKE_ZE");
    if (!dladdr((void *)ze_variable, &own)) return variable;
    snprintf(path, sizeof path, "%s.script", own.dli_fname);
    if (path[0] == '/' && !access(path, R_OK)) {
        snprintf(variable, sizeof variable, "FAKE_ZE:%s", path);
        setenv(variable, path, 1);
    }
    return variable;
}

static int is_on(const char *variable) {
    const char *value = getenv(variable);
    return value && !strcmp(value, "1");
}

static int in_order(const void *one, const void *other) {
    const device *left = one, *right = other;
    if (!is_on("ZE_ENABLE_PCI_ID_DEVICE_ORDER") && left->integrated != right->integrated) return left->integrated - right->integrated;
    return strcmp(left->pci, right->pci);
}

static int is_in_mask(int number) {
    char mask[256], *rest = mask, *entry, *end;
    const char *value = getenv("ZE_AFFINITY_MASK");
    if (!value || !*value) return 1;
    snprintf(mask, sizeof mask, "%s", value);
    while ((entry = strsep(&rest, ","))) {
        unsigned long named = strtoul(entry, &end, 0);
        if (end == entry) abort();
        if ((uint32_t)named == (uint32_t)number) return 1;
    }
    return 0;
}

static int by_family(const void *one, const void *other) { return ((const driver *)other)->family - ((const driver *)one)->family; }

static void read_devices(void) {
    device found[32];
    int all = 0;
    count = driver_count = 0;
    for (const char *line = fake_script(FAKE_VARIABLE); *line && all < 32; line = fake_next_line(line)) {
        if (!fake_rest(line, "device")) continue;
        device *one = &found[all++];
        *one = (device){.kind = CORE, .line = line, .pci = "~"};
        fake_value(line, "pci", one->pci, sizeof one->pci);
        one->integrated = fake_number(line, "integrated", 0) != 0;
        one->family = (int)fake_number(line, "family", 0);
    }
    qsort(found, (size_t)all, sizeof *found, in_order);
    for (int number = 0; number < all; number++) {
        if (!is_in_mask(number)) continue;
        found[number].place = count;
        managed[count] = devices[count] = found[number];
        managed[count++].kind = SYSMAN;
        int known = 0;
        for (int i = 0; i < driver_count; i++) known |= drivers[i].family == found[number].family;
        if (!known) drivers[driver_count++].family = found[number].family;
    }
    qsort(drivers, (size_t)driver_count, sizeof *drivers, by_family);
}

static ze_result_t start(void) {
    if (!count) read_devices();
    legacy_sysman = is_on("ZES_ENABLE_SYSMAN");
    return count ? ZE_RESULT_SUCCESS : ZE_RESULT_ERROR_UNINITIALIZED;
}

/* Gives the items that there are, as every function of the API does that lists something. */
#define GIVE(total, room, out, item)                                  \
    do {                                                              \
        uint32_t asked = *(room), there = (uint32_t)(total), at = 0;  \
        for (; asked && (out) && at < asked && at < there; at++) {    \
            int index = (int)at;                                      \
            (out)[at] = (void *)(item);                               \
        }                                                             \
        *(room) = asked && (out) ? at : there;                        \
        return ZE_RESULT_SUCCESS;                                     \
    } while (0)
#define NEED(structure, type) if ((structure)->stype != (type)) return ZE_RESULT_ERROR_INVALID_ENUMERATION

static ze_result_t zeInit_(ze_init_flags_t flags) {
    int code = fake_at("zeInit");
    return code ? (ze_result_t)code : flags & ~(ze_init_flags_t)1 ? ZE_RESULT_ERROR_INVALID_ENUMERATION : start();
}

#define AT(function)                                                     \
    do {                                                                 \
        int code = fake_at(#function);                                   \
        if (code || fake_is_silent) return (ze_result_t)code;            \
    } while (0)

static ze_result_t driver_get(uint32_t *room, ze_driver_handle_t *out) {
    AT(zeDriverGet);
    GIVE(driver_count, room, out, &drivers[index]);
}

FAKE_UNUSED static ze_result_t init_drivers(uint32_t *room, ze_driver_handle_t *out, const uint32_t *desc) {
    AT(zeInitDrivers);
    if (*desc != 0x20021) return ZE_RESULT_ERROR_INVALID_ENUMERATION;
    ze_result_t code = start();
    if (code) return code;
    GIVE(driver_count, room, out, &drivers[index]);
}

static ze_result_t driver_version(ze_driver_handle_t handle, ze_api_version_t *version) {
    (void)handle;
    AT(zeDriverGetApiVersion);
    *version = ZE_API_VERSION_1_3;
    return ZE_RESULT_SUCCESS;
}

static ze_result_t driver_properties(ze_driver_handle_t handle, ze_driver_properties_t *properties) {
    char text[32];
    (void)handle;
    AT(zeDriverGetProperties);
    NEED(properties, ZE_STRUCTURE_TYPE_DRIVER_PROPERTIES);
    memset(properties->uuid.id, 0, sizeof properties->uuid.id);
    fake_setting("identity", "7", text, sizeof text);
    properties->uuid.id[0] = (uint8_t)atoi(text);
    fake_setting("version", "0x01030000", text, sizeof text);
    properties->driverVersion = (uint32_t)strtoul(text, NULL, 0) + 24595;
    return ZE_RESULT_SUCCESS;
}

static ze_result_t no_extensions(ze_driver_handle_t handle, uint32_t *room, ze_driver_extension_properties_t *out) {
    (void)handle, (void)out;
    *room = 0;
    return ZE_RESULT_SUCCESS;
}

static device *of_family(int family, int index) {
    for (int i = 0; i < count; i++)
        if (devices[i].family == family && index-- == 0) return &devices[i];
    return NULL;
}

static ze_result_t device_get(ze_driver_handle_t handle, uint32_t *room, ze_device_handle_t *out) {
    int family = ((driver *)handle)->family, total = 0;
    AT(zeDeviceGet);
    while (of_family(family, total)) total++;
    GIVE(total, room, out, of_family(family, index));
}

static ze_result_t sub_devices(ze_device_handle_t handle, uint32_t *room, ze_device_handle_t *out) {
    AT(zeDeviceGetSubDevices);
    GIVE(fake_number(((device *)handle)->line, "subdevices", 0), room, out, index < 0 ? NULL : handle);
}

static void read_uuid(const char *line, uint8_t uuid[16]) {
    char text[64] = "", digits[64] = "";
    fake_value(line, "uuid", text, sizeof text);
    for (const char *from = text; *from; from++)
        if (*from != '-') strncat(digits, from, 1);
    for (int i = 0; i < 16; i++) {
        char pair[3] = {digits[0] ? digits[2 * i] : 0, digits[0] ? digits[2 * i + 1] : 0, 0};
        uuid[i] = (uint8_t)strtoul(pair, NULL, 16);
    }
}

static ze_result_t device_properties(ze_device_handle_t handle, ze_device_properties_t *out) {
    const char *line = ((device *)handle)->line;
    AT(zeDeviceGetProperties);
    NEED(out, ZE_STRUCTURE_TYPE_DEVICE_PROPERTIES);
    out->type = (ze_device_type_t)fake_number(line, "type", ZE_DEVICE_TYPE_GPU);
    out->vendorId = (uint32_t)fake_number(line, "vendor", 0x8086);
    out->deviceId = (uint32_t)fake_number(line, "id", 0x56a0);
    out->flags = fake_number(line, "integrated", 0) ? ZE_DEVICE_PROPERTY_FLAG_INTEGRATED : 0;
    out->coreClockRate = 2400;
    out->maxMemAllocSize = (uint64_t)fake_number(line, "memory", 16LL << 30) / 4;
    out->numThreadsPerEU = 8;
    out->physicalEUSimdWidth = 8;
    out->numEUsPerSubslice = 16;
    out->numSubslicesPerSlice = 4;
    out->numSlices = 8;
    read_uuid(line, out->uuid.id);
    strcpy(out->name, "Intel(R) Arc(TM) A770 Graphics");
    fake_value(line, "name", out->name, sizeof out->name);
    return ZE_RESULT_SUCCESS;
}

static ze_result_t pci_properties(ze_device_handle_t handle, ze_pci_ext_properties_t *out) {
    unsigned part[4] = {0, 0, 0, 0};
    AT(zeDevicePciGetPropertiesExt);
    NEED(out, ZE_STRUCTURE_TYPE_PCI_EXT_PROPERTIES);
    sscanf(((device *)handle)->pci, "%x:%x:%x.%x", &part[0], &part[1], &part[2], &part[3]);
    out->address = (ze_pci_address_ext_t){part[0], part[1], part[2], part[3]};
    return ZE_RESULT_SUCCESS;
}

static ze_result_t memory_properties(ze_device_handle_t handle, uint32_t *room, ze_device_memory_properties_t *out) {
    AT(zeDeviceGetMemoryProperties);
    if (*room && out) {
        NEED(out, ZE_STRUCTURE_TYPE_DEVICE_MEMORY_PROPERTIES);
        out->totalSize = (uint64_t)fake_number(((device *)handle)->line, "memory", 16LL << 30);
        out->maxBusWidth = 256;
        out->maxClockRate = 2000;
        strcpy(out->name, "GDDR6");
    }
    *room = 1;
    return ZE_RESULT_SUCCESS;
}

static ze_result_t queue_groups(ze_device_handle_t handle, uint32_t *room, ze_command_queue_group_properties_t *out) {
    static const uint32_t flags[] = {ZE_COMMAND_QUEUE_GROUP_PROPERTY_FLAG_COPY, ZE_COMMAND_QUEUE_GROUP_PROPERTY_FLAG_COMPUTE};
    (void)handle;
    AT(zeDeviceGetCommandQueueGroupProperties);
    for (uint32_t at = 0; out && at < *room && at < 2; at++) {
        NEED(&out[at], ZE_STRUCTURE_TYPE_COMMAND_QUEUE_GROUP_PROPERTIES);
        out[at].flags = flags[at];
        out[at].numQueues = 1;
    }
    *room = 2;
    return ZE_RESULT_SUCCESS;
}

static ze_result_t context_create(ze_driver_handle_t handle, const ze_context_desc_t *desc, ze_context_handle_t *out) {
    (void)handle;
    AT(zeContextCreate);
    NEED(desc, ZE_STRUCTURE_TYPE_CONTEXT_DESC);
    fake_log("zeContextCreate", "");
    *out = (ze_context_handle_t)&context;
    return ZE_RESULT_SUCCESS;
}

static ze_result_t context_destroy(ze_context_handle_t handle) {
    (void)handle;
    AT(zeContextDestroy);
    return ZE_RESULT_SUCCESS;
}

static ze_result_t allocate_device(
    ze_context_handle_t owner, const ze_device_mem_alloc_desc_t *desc, size_t size, size_t alignment, ze_device_handle_t handle, void **out
) {
    AT(zeMemAllocDevice);
    NEED(desc, ZE_STRUCTURE_TYPE_DEVICE_MEM_ALLOC_DESC);
    if (owner != (ze_context_handle_t)&context || !handle || alignment & (alignment - 1)) return ZE_RESULT_ERROR_INVALID_ARGUMENT;
    *out = calloc(1, size);
    return ZE_RESULT_SUCCESS;
}

static const char *of_the_host[64];
static size_t host_sizes[64];

static int is_the_hosts(const void *memory) {
    for (int i = 0; i < 64; i++)
        if (of_the_host[i] && (const char *)memory >= of_the_host[i] && (const char *)memory < of_the_host[i] + host_sizes[i]) return 1;
    return 0;
}

static ze_result_t allocate_host(
    ze_context_handle_t owner, const ze_host_mem_alloc_desc_t *desc, size_t size, size_t alignment, void **out
) {
    AT(zeMemAllocHost);
    NEED(desc, ZE_STRUCTURE_TYPE_HOST_MEM_ALLOC_DESC);
    if (owner != (ze_context_handle_t)&context || alignment & (alignment - 1)) return ZE_RESULT_ERROR_INVALID_ARGUMENT;
    *out = calloc(1, size);
    for (int i = 0; i < 64; i++) {
        if (of_the_host[i]) continue;
        of_the_host[i] = *out;
        host_sizes[i] = size;
        break;
    }
    return ZE_RESULT_SUCCESS;
}

static ze_result_t memory_free(ze_context_handle_t owner, void *memory) {
    (void)owner;
    AT(zeMemFree);
    for (int i = 0; i < 64; i++)
        if (of_the_host[i] == memory) of_the_host[i] = NULL;
    free(memory);
    return ZE_RESULT_SUCCESS;
}

static const device *lists_device;
static ze_result_t immediate_list(
    ze_context_handle_t owner, ze_device_handle_t handle, const ze_command_queue_desc_t *desc, ze_command_list_handle_t *out
) {
    AT(zeCommandListCreateImmediate);
    NEED(desc, ZE_STRUCTURE_TYPE_COMMAND_QUEUE_DESC);
    if (owner != (ze_context_handle_t)&context || desc->ordinal != 1) return ZE_RESULT_ERROR_INVALID_ARGUMENT;
    if (desc->mode != ZE_COMMAND_QUEUE_MODE_SYNCHRONOUS) return ZE_RESULT_ERROR_INVALID_ENUMERATION;
    lists_device = (const device *)handle;
    *out = (ze_command_list_handle_t)&list;
    return ZE_RESULT_SUCCESS;
}

static ze_result_t list_destroy(ze_command_list_handle_t handle) {
    (void)handle;
    AT(zeCommandListDestroy);
    return ZE_RESULT_SUCCESS;
}

static void copy_now(void *to, const void *from, size_t size) {
    char text[16], name[256] = "";
    fake_value(lists_device->line, "name", name, sizeof name);
    fake_log("copy", name);
    memcpy(to, from, size);
    fake_setting("corrupt", "no", text, sizeof text);
    if (strcmp(text, "no")) ((char *)to)[size - 1]++;
}

/* What is collected in a list and done when a queue is given it. */
static struct command { void *to; const void *from; size_t size; uint32_t *elements; uint32_t count; } recorded[512];
static struct { void *loader; int length, is_closed; } commands;

static ze_result_t record(struct command one) {
    if (commands.is_closed || commands.length == 512) return ZE_RESULT_ERROR_INVALID_ARGUMENT;
    recorded[commands.length++] = one;
    return ZE_RESULT_SUCCESS;
}

static ze_result_t append_copy(
    ze_command_list_handle_t handle, void *to, const void *from, size_t size, ze_event_handle_t event, uint32_t waits,
    ze_event_handle_t *wait_for
) {
    (void)wait_for; /* with several drivers the loader makes one, whatever it was given */
    AT(zeCommandListAppendMemoryCopy);
    if (event || waits) return ZE_RESULT_ERROR_INVALID_ARGUMENT;
    if (handle == (ze_command_list_handle_t)&commands) return record((struct command){.to = to, .from = from, .size = size});
    if (handle != (ze_command_list_handle_t)&list) return ZE_RESULT_ERROR_INVALID_ARGUMENT;
    copy_now(to, from, size);
    return ZE_RESULT_SUCCESS;
}

#include "fake_ze_compute.h"

/* Sysman. */
struct module { void *loader; device *of; int tile; }; /* tile -1: of the whole device */

static int may_manage(const device *one) { return one->kind == SYSMAN ? sysman : legacy_sysman; }

static ze_result_t modules(zes_device_handle_t handle, uint32_t *room, zes_mem_handle_t *out) {
    device *one = (device *)handle;
    AT(zesDeviceEnumMemoryModules);
    if (!may_manage(one)) return ZE_RESULT_ERROR_UNINITIALIZED;
    if (fake_number(one->line, "free", -1) < 0) return ZE_RESULT_ERROR_UNSUPPORTED_FEATURE;
    static struct module made[64];
    int tiled = fake_number(one->line, "tile", -1) >= 0, first = one->place * 2;
    for (int i = 0; i < 2; i++) made[first + i] = (struct module){NULL, one, tiled ? i : -1};
    GIVE(1 + tiled, room, out, &made[first + index]);
}
static ze_result_t module_properties(zes_mem_handle_t handle, zes_mem_properties_t *out) {
    const struct module *module = (const struct module *)handle;
    AT(zesMemoryGetProperties);
    NEED(out, ZES_STRUCTURE_TYPE_MEM_PROPERTIES);
    out->onSubdevice = module->tile >= 0;
    out->subdeviceId = module->tile >= 0 ? (uint32_t)module->tile : 0;
    out->location = module->of->integrated ? ZES_MEM_LOC_SYSTEM : ZES_MEM_LOC_DEVICE;
    return ZE_RESULT_SUCCESS;
}

static ze_result_t module_state(zes_mem_handle_t handle, zes_mem_state_t *out) {
    const struct module *module = (const struct module *)handle;
    AT(zesMemoryGetState);
    NEED(out, ZES_STRUCTURE_TYPE_MEM_STATE);
    long long tile = fake_number(module->of->line, "tile", -1);
    out->health = ZES_MEM_HEALTH_OK;
    out->size = (uint64_t)fake_number(module->of->line, "memory", 16LL << 30);
    out->free = module->tile == tile ? (uint64_t)fake_number(module->of->line, "free", 0) : 0;
    return ZE_RESULT_SUCCESS;
}

static ze_result_t sysman_init(uint32_t flags) {
    AT(zesInit);
    if (flags || legacy_sysman) return ZE_RESULT_ERROR_UNINITIALIZED;
    sysman = 1;
    return ZE_RESULT_SUCCESS;
}

static ze_result_t sysman_drivers(uint32_t *room, zes_driver_handle_t *out) {
    static struct { void *loader; } only;
    AT(zesDriverGet);
    GIVE(sysman, room, out, index < 0 ? NULL : &only);
}

struct identity { uint8_t id[16]; }; /* zes_uuid_t, in newer headers */
static ze_result_t sysman_device(
    zes_driver_handle_t handle, struct identity uuid, zes_device_handle_t *out, ze_bool_t *is_tile, uint32_t *tile
) {
    uint8_t own[16];
    (void)handle;
    AT(zesDriverGetDeviceByUuidExp);
    for (int i = 0; i < count; i++) {
        read_uuid(managed[i].line, own);
        if (memcmp(own, uuid.id, 16)) continue;
        *out = (zes_device_handle_t)&managed[i];
        *is_tile = fake_number(managed[i].line, "tile", -1) >= 0;
        *tile = (uint32_t)fake_number(managed[i].line, "tile", 0);
        return ZE_RESULT_SUCCESS;
    }
    return ZE_RESULT_ERROR_INVALID_ARGUMENT;
}

/* The tables. What is newer than the headers of 1.8 has its place by number. */
#define PUT(table, place, function) ((void **)(table))[place] = (void *)(function)

ze_result_t zeGetGlobalProcAddrTable(ze_api_version_t version, ze_global_dditable_t *table) {
    (void)version;
    table->pfnInit = zeInit_;
#ifndef WITHOUT_INIT_DRIVERS
    if (version >= 0x1000a) PUT(table, 1, init_drivers);
#endif
    return ZE_RESULT_SUCCESS;
}

ze_result_t zeGetDriverProcAddrTable(ze_api_version_t version, ze_driver_dditable_t *table) {
    (void)version;
    table->pfnGet = driver_get;
    table->pfnGetApiVersion = driver_version;
    table->pfnGetProperties = driver_properties;
    table->pfnGetExtensionProperties = no_extensions;
    return ZE_RESULT_SUCCESS;
}

ze_result_t zeGetDeviceProcAddrTable(ze_api_version_t version, ze_device_dditable_t *table) {
    (void)version;
    table->pfnGet = device_get;
    table->pfnGetSubDevices = sub_devices;
    table->pfnGetProperties = device_properties;
    table->pfnGetCommandQueueGroupProperties = queue_groups;
    table->pfnGetMemoryProperties = memory_properties;
    table->pfnPciGetPropertiesExt = pci_properties;
    return ZE_RESULT_SUCCESS;
}

ze_result_t zeGetContextProcAddrTable(ze_api_version_t version, ze_context_dditable_t *table) {
    (void)version;
    table->pfnCreate = context_create;
    table->pfnDestroy = context_destroy;
    return ZE_RESULT_SUCCESS;
}

ze_result_t zeGetMemProcAddrTable(ze_api_version_t version, ze_mem_dditable_t *table) {
    (void)version;
    table->pfnAllocDevice = allocate_device;
    table->pfnAllocHost = allocate_host;
    table->pfnFree = memory_free;
    return ZE_RESULT_SUCCESS;
}

ze_result_t zeGetCommandListProcAddrTable(ze_api_version_t version, ze_command_list_dditable_t *table) {
    (void)version;
    table->pfnCreateImmediate = immediate_list;
    table->pfnDestroy = list_destroy;
    table->pfnAppendMemoryCopy = append_copy;
    table->pfnCreate = list_create;
    table->pfnClose = list_close;
    table->pfnReset = list_reset;
    table->pfnAppendBarrier = append_barrier;
    table->pfnAppendLaunchKernel = append_launch;
    return ZE_RESULT_SUCCESS;
}

ze_result_t zeGetCommandQueueProcAddrTable(ze_api_version_t version, ze_command_queue_dditable_t *table) {
    (void)version;
    table->pfnCreate = queue_create;
    table->pfnExecuteCommandLists = queue_execute;
    table->pfnSynchronize = queue_synchronize;
    return ZE_RESULT_SUCCESS;
}

ze_result_t zeGetModuleProcAddrTable(ze_api_version_t version, ze_module_dditable_t *table) {
    (void)version;
    table->pfnCreate = module_create;
    return ZE_RESULT_SUCCESS;
}

ze_result_t zeGetModuleBuildLogProcAddrTable(ze_api_version_t version, ze_module_build_log_dditable_t *table) {
    (void)version;
    table->pfnGetString = build_log;
    return ZE_RESULT_SUCCESS;
}

ze_result_t zeGetKernelProcAddrTable(ze_api_version_t version, ze_kernel_dditable_t *table) {
    (void)version;
    table->pfnCreate = kernel_create;
    table->pfnSetGroupSize = kernel_group_size;
    table->pfnSetArgumentValue = kernel_argument;
    return ZE_RESULT_SUCCESS;
}

ze_result_t zesGetDeviceProcAddrTable(ze_api_version_t version, zes_device_dditable_t *table) {
    (void)version;
    table->pfnEnumMemoryModules = modules;
    return ZE_RESULT_SUCCESS;
}

ze_result_t zesGetMemoryProcAddrTable(ze_api_version_t version, zes_memory_dditable_t *table) {
    (void)version;
    table->pfnGetProperties = module_properties;
    table->pfnGetState = module_state;
    return ZE_RESULT_SUCCESS;
}

ze_result_t zesGetDriverProcAddrTable(ze_api_version_t version, zes_driver_dditable_t *table) {
    if (version >= 0x10005) PUT(table, 2, sysman_drivers);
    return ZE_RESULT_SUCCESS;
}

int fake_ze_sysman_global(int version, void **table) {
    (void)version;
    PUT(table, 0, sysman_init);
    return 0;
}

int fake_ze_sysman_driver(int version, void **table) {
    (void)version;
    PUT(table, 0, sysman_device);
    return 0;
}

/* The loader refuses a driver that lacks one of the other tables, and is content with one that fills nothing in. They are made
 * as names only, because the headers give each of them another type. */
int fake_ze_nothing(void) { return 0; }
#define ALIAS(name, target) __asm__(".globl " #name "\n\t.type " #name ",%function\n\t.set " #name "," #target "\n")
#define NAME(name) ALIAS(name, fake_ze_nothing)
ALIAS(zesGetGlobalProcAddrTable, fake_ze_sysman_global);
ALIAS(zesGetDriverExpProcAddrTable, fake_ze_sysman_driver);
NAME(zeGetDeviceExpProcAddrTable);
NAME(zeGetEventExpProcAddrTable);
NAME(zeGetEventPoolProcAddrTable);
NAME(zeGetEventProcAddrTable);
NAME(zeGetFabricEdgeExpProcAddrTable);
NAME(zeGetFabricVertexExpProcAddrTable);
NAME(zeGetFenceProcAddrTable);
NAME(zeGetImageExpProcAddrTable);
NAME(zeGetImageProcAddrTable);
NAME(zeGetKernelExpProcAddrTable);
NAME(zeGetPhysicalMemProcAddrTable);
NAME(zeGetSamplerProcAddrTable);
#ifndef WITHOUT_TABLE
NAME(zeGetVirtualMemProcAddrTable);
#endif
NAME(zesGetDiagnosticsProcAddrTable);
NAME(zesGetEngineProcAddrTable);
NAME(zesGetFabricPortProcAddrTable);
NAME(zesGetFanProcAddrTable);
NAME(zesGetFirmwareProcAddrTable);
NAME(zesGetFrequencyProcAddrTable);
NAME(zesGetLedProcAddrTable);
NAME(zesGetPerformanceFactorProcAddrTable);
NAME(zesGetPowerProcAddrTable);
NAME(zesGetPsuProcAddrTable);
NAME(zesGetRasProcAddrTable);
NAME(zesGetSchedulerProcAddrTable);
NAME(zesGetStandbyProcAddrTable);
NAME(zesGetTemperatureProcAddrTable);
NAME(zetGetCommandListProcAddrTable);
NAME(zetGetContextProcAddrTable);
NAME(zetGetDebugProcAddrTable);
NAME(zetGetDeviceProcAddrTable);
NAME(zetGetKernelProcAddrTable);
NAME(zetGetMetricGroupExpProcAddrTable);
NAME(zetGetMetricGroupProcAddrTable);
NAME(zetGetMetricProcAddrTable);
NAME(zetGetMetricQueryPoolProcAddrTable);
NAME(zetGetMetricQueryProcAddrTable);
NAME(zetGetMetricStreamerProcAddrTable);
NAME(zetGetModuleProcAddrTable);
NAME(zetGetTracerExpProcAddrTable);
