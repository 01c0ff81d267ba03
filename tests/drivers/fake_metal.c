/* The functions of the Metal framework; the objects that they give out are those of fake_objc.c, which this is linked with, as
 * the real framework is with the real runtime. -DWITHOUT_ALL: a release without MTLCopyAllDevices. -DANOTHER: no Metal
 * at all. -DWITHOUT_RUNTIME: linked with none.
 *
 *   hidden COUNT              MTLCopyAllDevices leaves out the first COUNT devices
 *
 * MTLCreateSystemDefaultDevice gives the first device, and nil as long as no CoreGraphics is loaded, as Apple documents it for
 * programs without graphics.
 */
#define FAKE_VARIABLE "FAKE_METAL"
#include "fake.h"
#include "fake_objc.h"
#include <dlfcn.h>

#ifdef WITHOUT_RUNTIME
static struct fake_object *devices(unsigned long long skipped) { return skipped ? NULL : calloc(1, sizeof(struct fake_object)); }
#else
FAKE_UNUSED static struct fake_object *devices(unsigned long long skipped) {
    struct fake_object *list = fake_object(FAKE_LIST);
    for (const char *line = fake_script(FAKE_VARIABLE); *line && list->size < 32; line = fake_next_line(line)) {
        const char *rest = fake_rest(line, "device");
        if (!rest || (skipped && skipped--)) continue;
        struct fake_object *device = fake_object(FAKE_DEVICE);
        device->line = rest - 1; /* from the blank before the first key */
        list->items[list->size++] = device;
    }
    return list;
}
#endif

#if !defined WITHOUT_ALL && !defined ANOTHER
void *MTLCopyAllDevices(void) {
    char hidden[16];
    if (fake_at(__func__) || fake_is_silent) return NULL;
    fake_setting("hidden", "0", hidden, sizeof hidden);
    return devices((unsigned long long)atoi(hidden));
}
#endif

#ifndef ANOTHER
void *MTLCreateSystemDefaultDevice(void) {
    if (fake_at(__func__) || fake_is_silent || !dlopen("CoreGraphics", RTLD_LAZY | RTLD_NOLOAD)) return NULL;
    return devices(0)->items[0];
}
#endif
