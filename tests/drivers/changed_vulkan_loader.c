/* The machine's own Vulkan loader with one thing changed:
 *
 *   -DVERSION_1_0             nothing that came with Vulkan 1.1 can be found in it
 *   -DTOO_LITTLE_ROOM=N       vkEnumeratePhysicalDevices gets room for one device less than there are, N times: the loader then
 *                             really answers VK_INCOMPLETE, as it does when a device comes between its two calls
 */
#include <dlfcn.h>
#include <stdint.h>
#include <string.h>

#ifndef TOO_LITTLE_ROOM
#define TOO_LITTLE_ROOM 0
#endif

typedef void (*function)(void);
typedef function (*finder)(void *instance, const char *name);
typedef int (*enumerator)(void *instance, uint32_t *count, void **devices);

static enumerator enumerate;

static int with_little_room(void *instance, uint32_t *count, void **devices) {
    static int times = TOO_LITTLE_ROOM;
    if (devices && times-- > 0) --*count;
    return enumerate(instance, count, devices);
}

function vkGetInstanceProcAddr(void *instance, const char *name) {
    static finder find;
    if (!find) find = (finder)dlsym(dlopen("libvulkan.so.1", RTLD_NOW), "vkGetInstanceProcAddr");
#ifdef VERSION_1_0
    size_t length = strlen(name);
    if (!strcmp(name, "vkEnumerateInstanceVersion") || (length && name[length - 1] == '2')) return NULL;
#endif
    function found = find(instance, name);
    if (!found || strcmp(name, "vkEnumeratePhysicalDevices")) return found;
    enumerate = (enumerator)found;
    return (function)with_little_room;
}
