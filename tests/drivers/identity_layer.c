/* A Vulkan layer that gives real devices scripted identities; what they compute, they really compute.
 *
 * The n-th `device` line of the script in FAKE_IDENTITY (fake_vulkan.h) is for the n-th device of the drivers behind it; a key
 * that is missing, and a device without a line, stay as they are. It hooks the instance only and has no vkGetDeviceProcAddr:
 * the loader leaves it out of every device's chain. Needs the Vulkan headers.
 */
#define FAKE_VARIABLE "FAKE_IDENTITY"
#include "fake_vulkan.h"

#include <vulkan/vk_layer.h>
#include <vulkan/vulkan.h>

enum { MOST_DEVICES = 32 };
static VkPhysicalDevice seen[MOST_DEVICES];

/* Asked for inside vkCreateInstance: later the loader would answer with this layer's own functions. */
#define NEXT(X)                                                                                                    \
    X(DestroyInstance) X(EnumeratePhysicalDevices) X(GetPhysicalDeviceProperties) X(GetPhysicalDeviceProperties2) \
    X(GetPhysicalDeviceMemoryProperties) X(GetPhysicalDeviceMemoryProperties2) X(EnumerateDeviceExtensionProperties)
static struct {
    PFN_vkGetInstanceProcAddr GetInstanceProcAddr;
#define DECLARED(name) PFN_vk##name name;
    NEXT(DECLARED)
} next;

static const char *line_of(VkPhysicalDevice device) {
    for (int number = 0; number < MOST_DEVICES && seen[number]; number++)
        if (seen[number] == device) return device_line(number);
    return NULL;
}

static void put_properties(const char *line, VkPhysicalDeviceProperties *to) {
    fake_value(line, "name", to->deviceName, sizeof to->deviceName);
    to->vendorID = (uint32_t)fake_number(line, "vendor", to->vendorID);
    to->deviceID = (uint32_t)fake_number(line, "device", to->deviceID);
    to->deviceType = (VkPhysicalDeviceType)device_type(line, to->deviceType);
}

static void put_driver(const char *line, VkPhysicalDeviceDriverProperties *to) {
    to->driverID = (VkDriverId)fake_number(line, "driver_id", to->driverID);
    fake_value(line, "driver_name", to->driverName, sizeof to->driverName);
    fake_value(line, "driver_info", to->driverInfo, sizeof to->driverInfo);
}

static void put_pci(const char *line, VkPhysicalDevicePCIBusInfoPropertiesEXT *to) {
    uint32_t place[4];
    if (!device_pci(line, place)) return;
    to->pciDomain = place[0], to->pciBus = place[1], to->pciDevice = place[2], to->pciFunction = place[3];
}

static void put_memory(const char *line, VkPhysicalDeviceMemoryProperties *to) {
    to->memoryHeaps[0].size = (VkDeviceSize)fake_number(line, "memory", (long long)to->memoryHeaps[0].size);
}

static void put_chain(const char *line, VkBaseOutStructure *link) {
    for (; link; link = link->pNext) {
        void *it = link;
        switch ((int)link->sType) {
        case VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_ID_PROPERTIES:
            device_uuid(line, ((VkPhysicalDeviceIDProperties *)it)->deviceUUID);
            break;
        case VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_PROPERTIES:
            device_uuid(line, ((VkPhysicalDeviceVulkan11Properties *)it)->deviceUUID);
            break;
        case VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DRIVER_PROPERTIES: put_driver(line, it); break;
        case VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PCI_BUS_INFO_PROPERTIES_EXT: put_pci(line, it); break;
        case VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MEMORY_BUDGET_PROPERTIES_EXT: {
            VkPhysicalDeviceMemoryBudgetPropertiesEXT *budget = it;
            device_budget(line, &budget->heapBudget[0], &budget->heapUsage[0]);
        }
        }
    }
}

static VKAPI_ATTR void VKAPI_CALL vkDestroyInstance_(VkInstance which, const VkAllocationCallbacks *allocator) {
    next.DestroyInstance(which, allocator);
}

static VKAPI_ATTR VkResult VKAPI_CALL vkEnumeratePhysicalDevices_(VkInstance which, uint32_t *count, VkPhysicalDevice *to) {
    VkResult result = next.EnumeratePhysicalDevices(which, count, to);
    for (uint32_t number = 0; to && result >= 0 && number < *count && number < MOST_DEVICES; number++) seen[number] = to[number];
    return result;
}

static VKAPI_ATTR void VKAPI_CALL vkGetPhysicalDeviceProperties_(VkPhysicalDevice device, VkPhysicalDeviceProperties *to) {
    const char *line = line_of(device);
    next.GetPhysicalDeviceProperties(device, to);
    if (line) put_properties(line, to);
}

static VKAPI_ATTR void VKAPI_CALL vkGetPhysicalDeviceProperties2_(VkPhysicalDevice device, VkPhysicalDeviceProperties2 *to) {
    const char *line = line_of(device);
    next.GetPhysicalDeviceProperties2(device, to);
    if (!line) return;
    put_properties(line, &to->properties);
    put_chain(line, to->pNext);
}

static VKAPI_ATTR void VKAPI_CALL vkGetPhysicalDeviceMemoryProperties_(VkPhysicalDevice device,
                                                                      VkPhysicalDeviceMemoryProperties *to) {
    const char *line = line_of(device);
    next.GetPhysicalDeviceMemoryProperties(device, to);
    if (line) put_memory(line, to);
}

static VKAPI_ATTR void VKAPI_CALL vkGetPhysicalDeviceMemoryProperties2_(VkPhysicalDevice device,
                                                                       VkPhysicalDeviceMemoryProperties2 *to) {
    const char *line = line_of(device);
    next.GetPhysicalDeviceMemoryProperties2(device, to);
    if (!line) return;
    put_memory(line, &to->memoryProperties);
    put_chain(line, to->pNext);
}

static uint32_t offer(const char *line, const char *key, const char *name, VkExtensionProperties *all, uint32_t there) {
    char value[256];
    if (!fake_value(line, key, value, sizeof value)) return there;
    for (uint32_t i = 0; i < there; i++)
        if (!strcmp(all[i].extensionName, name)) return there;
    all[there] = (VkExtensionProperties){.specVersion = 1};
    strcpy(all[there].extensionName, name);
    return there + 1;
}

static VKAPI_ATTR VkResult VKAPI_CALL vkEnumerateDeviceExtensionProperties_(VkPhysicalDevice device, const char *layer,
                                                                           uint32_t *count, VkExtensionProperties *to) {
    static VkExtensionProperties all[1024];
    const char *line = line_of(device);
    uint32_t there = 1000, room = *count;
    if (layer || !line) return next.EnumerateDeviceExtensionProperties(device, layer, count, to);
    VkResult result = next.EnumerateDeviceExtensionProperties(device, NULL, &there, all);
    there = offer(line, "pci", VK_EXT_PCI_BUS_INFO_EXTENSION_NAME, all, there);
    there = offer(line, "free", VK_EXT_MEMORY_BUDGET_EXTENSION_NAME, all, there);
    *count = to && room < there ? room : there;
    if (to) memcpy(to, all, *count * sizeof *all);
    return result ? result : *count < there ? VK_INCOMPLETE : VK_SUCCESS;
}

static VKAPI_ATTR VkResult VKAPI_CALL vkCreateInstance_(const VkInstanceCreateInfo *wanted,
                                                       const VkAllocationCallbacks *allocator, VkInstance *made) {
    VkLayerInstanceCreateInfo *link = (VkLayerInstanceCreateInfo *)(uintptr_t)wanted->pNext;
    while (link && !(link->sType == VK_STRUCTURE_TYPE_LOADER_INSTANCE_CREATE_INFO && link->function == VK_LAYER_LINK_INFO))
        link = (VkLayerInstanceCreateInfo *)(uintptr_t)link->pNext;
    if (!link) return VK_ERROR_INITIALIZATION_FAILED;
    next.GetInstanceProcAddr = link->u.pLayerInfo->pfnNextGetInstanceProcAddr;
    link->u.pLayerInfo = link->u.pLayerInfo->pNext;
    VkResult result = ((PFN_vkCreateInstance)next.GetInstanceProcAddr(NULL, "vkCreateInstance"))(wanted, allocator, made);
    if (result) return result;
#define TAKEN(name) next.name = (PFN_vk##name)next.GetInstanceProcAddr(*made, "vk" #name);
    NEXT(TAKEN)
    return VK_SUCCESS;
}

static VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL vkGetInstanceProcAddr_(VkInstance which, const char *name) {
#define OURS(function)                                                  \
    if (!strcmp(name, "vk" #function) && next.function) return (PFN_vkVoidFunction)vk##function##_;
    NEXT(OURS)
    if (!strcmp(name, "vkCreateInstance")) return (PFN_vkVoidFunction)vkCreateInstance_;
    if (!strcmp(name, "vkGetInstanceProcAddr")) return (PFN_vkVoidFunction)vkGetInstanceProcAddr_;
    return next.GetInstanceProcAddr ? next.GetInstanceProcAddr(which, name) : NULL;
}

VK_LAYER_EXPORT VKAPI_ATTR VkResult VKAPI_CALL vkNegotiateLoaderLayerInterfaceVersion(VkNegotiateLayerInterface *asked) {
    asked->loaderLayerInterfaceVersion = 2;
    asked->pfnGetInstanceProcAddr = vkGetInstanceProcAddr_;
    asked->pfnGetDeviceProcAddr = NULL;
    asked->pfnGetPhysicalDeviceProcAddr = NULL;
    return VK_SUCCESS;
}
