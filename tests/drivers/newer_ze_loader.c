/* The machine's own Level Zero loader (linked behind this) with what newer ones have in front of it, where Debian 12's (1.8.12)
 * has nothing: zeInitDrivers, and Sysman's own start with the look-up by UUID. Answers as loader 1.26.3 was seen to answer,
 * 0x78000003 of zeInitDrivers where the driver does not know it among them. For one driver only, the one that
 * ZE_ENABLE_ALT_DRIVERS names: then also the real loader hands the driver's own handles to the program.
 *
 *   -DWITHOUT_UUID            a loader before 1.16: Sysman starts by itself, and cannot look a device up
 */
#include <dlfcn.h>
#include <stdint.h>
#include <stdlib.h>

typedef int (*table)(int version, void **slots);
typedef int (*function)(void *, void *, void *);
typedef struct { uint8_t id[16]; } identity;

int zeInit(uint32_t flags);

/* What the driver puts into this slot of one of its tables; NULL: nothing. */
static void *driver_function(const char *name, int slot) {
    static void *slots[64];
    void *driver = dlopen(getenv("ZE_ENABLE_ALT_DRIVERS"), RTLD_NOW);
    table fill = driver ? (table)dlsym(driver, name) : NULL;
    slots[slot] = NULL;
    return fill && !fill(0x1000d, slots) ? slots[slot] : NULL;
}

int zeInitDrivers(uint32_t *count, void **handles, void *desc) {
    function ask = (function)driver_function("zeGetGlobalProcAddrTable", 1);
    int code = zeInit(1); /* the real loader takes the driver's tables in here */
    if (!ask) return 0x78000003;
    return code ? code : ask(count, handles, desc);
}

int zesInit(uint32_t flags) {
    void *start = driver_function("zesGetGlobalProcAddrTable", 0);
    return start ? ((int (*)(uint32_t))start)(flags) : 0x78000001;
}

int zesDriverGet(uint32_t *count, void **handles) {
    void *ask = driver_function("zesGetDriverProcAddrTable", 2);
    return ask ? ((int (*)(uint32_t *, void **))ask)(count, handles) : 0x78000001;
}

#ifndef WITHOUT_UUID
int zesDriverGetDeviceByUuidExp(void *driver, identity uuid, void **device, uint8_t *is_tile, uint32_t *tile) {
    void *ask = driver_function("zesGetDriverExpProcAddrTable", 0);
    return ask ? ((int (*)(void *, identity, void **, uint8_t *, uint32_t *))ask)(driver, uuid, device, is_tile, tile) : 0x78000001;
}
#endif
