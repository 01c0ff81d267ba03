/* The Objective-C runtime and the classes behind Metal, as far as gpuprobe sends messages to them. Acts by the script in
 * FAKE_METAL; see fake.h, where FUNCTION is a selector too (`crash newCommandQueue`; colons are left out).
 *
 *   device KEY=VALUE…         one GPU: name, memory (recommendedMaxWorkingSetSize), allocated, registry, unified (1), low_power,
 *                             removable, headless, family (the newest of Apple's, 0: none), metal3, buffer (maxBufferLength)
 *   lacks SELECTOR            objects do not have this method, as on an older system
 *
 * A method that answers an object gives nil where its `error` is scripted. As in the real runtime an unknown message ends the
 * process, and so does one whose receiver is nothing that was ever given out.
 */
#define FAKE_VARIABLE "FAKE_METAL"
#include "fake.h"
#include "fake_objc.h"

static struct fake_object *of_device(struct fake_object *self, enum fake_kind kind, unsigned long long size) {
    struct fake_object *made = fake_object(kind);
    made->line = self->line;
    made->size = size;
    return made;
}

struct fake_object *fake_object(enum fake_kind kind) {
    static int made;
    if (made >= FAKE_OBJECTS) abort();
    struct fake_object *object = &fake_objects[made++];
    object->kind = kind;
    return object;
}

struct fake_object fake_objects[FAKE_OBJECTS];

/* Selectors are interned: equal names are one address, and no other address is a selector. */
static char names[128][64];

const char *sel_registerName(const char *name) {
    for (int i = 0; i < 128; i++) {
        if (!names[i][0]) snprintf(names[i], sizeof names[i], "%s", name);
        if (!strcmp(names[i], name)) return names[i];
    }
    abort();
}

static int pools;
void *objc_autoreleasePoolPush(void) { return &pools + ++pools; }

static int lacks(const char *selector) {
    for (const char *line = fake_script(FAKE_VARIABLE); *line; line = fake_next_line(line)) {
        const char *rest = fake_rest(line, "lacks");
        if (rest && !strncmp(rest, selector, strlen(selector)) && strchr(" \n", rest[strlen(selector)])) return 1;
    }
    return 0;
}

static const char *const of_devices[] = {
    "name", "registryID", "recommendedMaxWorkingSetSize", "currentAllocatedSize", "hasUnifiedMemory", "isLowPower", "isRemovable",
    "isHeadless", "maxBufferLength", "maxThreadgroupMemoryLength", "supportsFamily:", "newCommandQueue",
    "newBufferWithLength:options:", "respondsToSelector:", NULL,
};

static int responds(const struct fake_object *self, const char *selector) {
    for (int i = 0; self->kind == FAKE_DEVICE && of_devices[i]; i++)
        if (!strcmp(of_devices[i], selector)) return !lacks(selector);
    return 0;
}

/* A BOOL is one byte: what a method leaves in the rest of the register is anything. */
static uintptr_t boolean(long long value) { return 0xa5a5a500 | (value != 0); }

static uintptr_t family(const struct fake_object *self, long long wanted) {
    long long newest = fake_number(self->line, "family", 9);
    if (wanted > 1000 && wanted < 2000) return wanted <= 1000 + newest;
    return wanted == 2002 || (wanted == 5001 && fake_number(self->line, "metal3", 1));
}

static uintptr_t device_answer(struct fake_object *self, const char *selector, uint64_t first) {
    if (!strcmp(selector, "name")) return (uintptr_t)of_device(self, FAKE_STRING, 0);
    if (!strcmp(selector, "registryID")) return (uintptr_t)fake_number(self->line, "registry", 0x1000003b7);
    if (!strcmp(selector, "recommendedMaxWorkingSetSize")) return (uintptr_t)fake_number(self->line, "memory", 48LL << 30);
    if (!strcmp(selector, "currentAllocatedSize")) return (uintptr_t)fake_number(self->line, "allocated", 0);
    if (!strcmp(selector, "hasUnifiedMemory")) return boolean(fake_number(self->line, "unified", 1));
    if (!strcmp(selector, "isLowPower")) return boolean(fake_number(self->line, "low_power", 0));
    if (!strcmp(selector, "isRemovable")) return boolean(fake_number(self->line, "removable", 0));
    if (!strcmp(selector, "isHeadless")) return boolean(fake_number(self->line, "headless", 0));
    if (!strcmp(selector, "maxBufferLength")) return (uintptr_t)fake_number(self->line, "buffer", 36LL << 30);
    if (!strcmp(selector, "maxThreadgroupMemoryLength")) return 32768;
    if (!strcmp(selector, "supportsFamily:")) return boolean((long long)family(self, (long long)first));
    if (!strcmp(selector, "newCommandQueue")) return (uintptr_t)of_device(self, FAKE_QUEUE, 0);
    return (uintptr_t)of_device(self, FAKE_BUFFER, first); /* newBufferWithLength:options: */
}

static char *text_of(const struct fake_object *self) {
    char *text = calloc(1, 256);
    if (!fake_value(self->line, "name", text, 256)) snprintf(text, 256, "Apple Double");
    return text;
}

static void unknown(const struct fake_object *self, const char *selector) {
    dprintf(2, "*** Terminating app due to uncaught exception 'NSInvalidArgumentException', reason: '-[%p %s]: unrecognized "
            "selector sent to instance'\n", (const void *)self, selector);
    abort();
}

uintptr_t objc_msgSend(struct fake_object *self, const char *selector, uint64_t first, uint64_t second) {
    char function[64];
    (void)second;
    if (!self) return 0; /* messages to nil answer nil */
    if (self < fake_objects || self >= fake_objects + FAKE_OBJECTS || selector < names[0] || selector > names[127] || !pools)
        unknown(NULL, "");
    snprintf(function, sizeof function, "%.*s", (int)strcspn(selector, ":"), selector);
    if (fake_at(function) || fake_is_silent) return 0;
    if (!strcmp(selector, "release") && self->kind != FAKE_DEVICE) return 0;
    if (self->kind == FAKE_DEVICE && !strcmp(selector, "respondsToSelector:")) return boolean(responds(self, (const char *)first));
    if (self->kind == FAKE_DEVICE && responds(self, selector)) return device_answer(self, selector, first);
    if (self->kind == FAKE_LIST && !strcmp(selector, "count")) return self->size;
    if (self->kind == FAKE_LIST && !strcmp(selector, "objectAtIndex:") && first < self->size) return (uintptr_t)self->items[first];
    if (self->kind == FAKE_STRING && !strcmp(selector, "UTF8String")) return (uintptr_t)text_of(self);
    if (self->kind == FAKE_BUFFER && !strcmp(selector, "length")) return self->size;
    unknown(self, selector);
    return 0;
}
