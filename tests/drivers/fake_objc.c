/* The Objective-C runtime and the classes behind Metal, as far as gpuprobe sends messages to them. Acts by the script in
 * FAKE_METAL; see fake.h, where FUNCTION is a selector too (`crash newCommandQueue`; colons are left out).
 *
 *   device KEY=VALUE…         one GPU: name, memory (recommendedMaxWorkingSetSize), allocated, registry, unified (1), low_power,
 *                             removable, headless, family (the newest of Apple's, 0: none), metal3, buffer (maxBufferLength)
 *   lacks SELECTOR            objects do not have this method, as on an older system
 *   spoil ELEMENT             what the kernel writes there is wrong
 *   says WORDS                what an NSError says
 *
 * A method that answers an object gives nil where its `error` is scripted. As in the real runtime an unknown message ends the
 * process, and so does one whose receiver is nothing that was ever given out. What is encoded is done at `commit` and not before;
 * a private buffer has no `contents`. `error waitUntilCompleted 5` leaves the commands with that status, and undone;
 * `reason 8` is then the code of their error.
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
    "newBufferWithLength:options:", "respondsToSelector:", "newLibraryWithSource:options:error:",
    "newComputePipelineStateWithFunction:error:", NULL,
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

static const char *said(const char *otherwise) {
    char *words = calloc(1, 256);
    fake_setting("says", otherwise, words, 256);
    return words;
}

static uintptr_t string(const char *text) {
    struct fake_object *made = fake_object(FAKE_STRING);
    made->text = text;
    return (uintptr_t)made;
}

static uintptr_t failed(void **error) {
    struct fake_object *made = fake_object(FAKE_ERROR);
    made->text = said("the double has no reason");
    *error = made;
    return 0;
}

/* The source is "compiled" by looking for what it must be. */
static uintptr_t library_of(struct fake_object *self, struct fake_object *source, void **error) {
    const char *body = "elements[place] = 3 * elements[place] + 7 + place;";
    if (!source || !strstr(source->text, "kernel void probe(device uint *elements") || !strstr(source->text, body)) return failed(error);
    return (uintptr_t)of_device(self, FAKE_LIBRARY, 0);
}

static uintptr_t device_answer(struct fake_object *self, const char *selector, const uint64_t *given) {
    uint64_t first = given[0];
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
    if (!strcmp(selector, "newLibraryWithSource:options:error:")) return library_of(self, (struct fake_object *)first, (void **)given[2]);
    if (!strcmp(selector, "newComputePipelineStateWithFunction:error:")) return (uintptr_t)of_device(self, FAKE_PIPELINE, 0);
    struct fake_object *buffer = of_device(self, FAKE_BUFFER, first); /* newBufferWithLength:options: */
    buffer->memory = calloc(1, first);
    buffer->is_private = given[1] == 32;
    return (uintptr_t)buffer;
}

static const char *text_of(const struct fake_object *self) {
    if (self->text) return self->text;
    char *text = calloc(1, 256);
    if (!fake_value(self->line, "name", text, 256)) snprintf(text, 256, "Apple Double");
    return text;
}

static void unknown(const struct fake_object *self, const char *selector) {
    dprintf(2, "*** Terminating app due to uncaught exception 'NSInvalidArgumentException', reason: '-[%p %s]: unrecognized "
            "selector sent to instance'\n", (const void *)self, selector);
    abort();
}

static void encoded(struct fake_object *self, struct fake_object *from, struct fake_object *to, uint64_t size) {
    if (self->owner->count >= 80) abort();
    self->owner->operations[self->owner->count++] = (struct fake_operation){from, to, size};
}

static void done(const struct fake_operation *operation) {
    char spoiled[32];
    uint32_t *elements = (uint32_t *)(void *)operation->to->memory;
    const struct fake_object *from = operation->from, *to = operation->to;
    if (from) fake_log("way", from == to ? "nowhere" : !from->is_private ? "to" : !to->is_private ? "from" : "on");
    if (operation->from) memcpy(operation->to->memory, operation->from->memory, operation->size);
    for (uint64_t at = 0; !operation->from && at < operation->size; at++) elements[at] = 3 * elements[at] + 7 + (uint32_t)at;
    fake_setting("spoil", "", spoiled, sizeof spoiled);
    if (!operation->from && *spoiled) elements[atoll(spoiled)] ^= 1;
}

static uintptr_t commands_answer(struct fake_object *self, const char *selector) {
    if (!strcmp(selector, "status")) return (uintptr_t)self->status;
    if (!strcmp(selector, "error") && self->status == 4) return 0;
    struct fake_object *made = fake_object(!strcmp(selector, "error") ? FAKE_ERROR : FAKE_ENCODER);
    made->text = said("the double has no reason");
    made->owner = self;
    return (uintptr_t)made;
}

static void commit(struct fake_object *self, const char *selector) {
    if (!strcmp(selector, "commit")) self->status = 2;
    int code = strcmp(selector, "commit") ? fake_at(selector) : 0;
    for (int i = 0; self->status == 2 && *selector == 'w' && !code && i < self->count; i++) done(&self->operations[i]);
    if (self->status == 2 && *selector == 'w') self->status = code ? code : 4;
}

static uintptr_t encoder_answer(struct fake_object *self, const char *selector, const uint64_t *given) {
    if (!strncmp(selector, "copyFrom", 8)) encoded(self, (struct fake_object *)given[0], (struct fake_object *)given[2], given[4]);
    if (!strncmp(selector, "setBuffer", 9)) self->items[0] = (struct fake_object *)given[0];
    if (!strncmp(selector, "dispatch", 8)) encoded(self, NULL, self->items[0], given[4] * given[7]);
    return 0;
}

static const struct { enum fake_kind kind; const char *selector; } others[] = {
    {FAKE_CLASS, "stringWithUTF8String:"}, {FAKE_STRING, "UTF8String"}, {FAKE_ERROR, "localizedDescription"}, {FAKE_ERROR, "code"},
    {FAKE_LIST, "count"}, {FAKE_LIST, "objectAtIndex:"}, {FAKE_QUEUE, "commandBuffer"}, {FAKE_QUEUE, "release"},
    {FAKE_BUFFER, "length"}, {FAKE_BUFFER, "contents"}, {FAKE_BUFFER, "release"}, {FAKE_LIBRARY, "newFunctionWithName:"},
    {FAKE_COMMANDS, "blitCommandEncoder"}, {FAKE_COMMANDS, "computeCommandEncoder"}, {FAKE_COMMANDS, "commit"},
    {FAKE_COMMANDS, "waitUntilCompleted"}, {FAKE_COMMANDS, "status"}, {FAKE_COMMANDS, "error"}, {FAKE_ENCODER, "endEncoding"},
    {FAKE_ENCODER, "copyFromBuffer:sourceOffset:toBuffer:destinationOffset:size:"}, {FAKE_ENCODER, "setComputePipelineState:"},
    {FAKE_ENCODER, "setBuffer:offset:atIndex:"}, {FAKE_ENCODER, "dispatchThreadgroups:threadsPerThreadgroup:"},
};

static uintptr_t error_code(void) {
    char text[16];
    fake_setting("reason", "1", text, sizeof text);
    return strtoul(text, NULL, 0);
}

static int knows(const struct fake_object *self, const char *selector) {
    for (unsigned i = 0; i < sizeof others / sizeof *others; i++)
        if (others[i].kind == self->kind && !strcmp(others[i].selector, selector)) return 1;
    return self->kind == FAKE_DEVICE && responds(self, selector);
}

static uintptr_t answer(struct fake_object *self, const char *selector, const uint64_t *given) {
    switch (self->kind) {
    case FAKE_DEVICE:
        if (!strcmp(selector, "respondsToSelector:")) return boolean(responds(self, (const char *)given[0]));
        return device_answer(self, selector, given);
    case FAKE_LIST:
        return *selector == 'c' ? self->size : given[0] < self->size ? (uintptr_t)self->items[given[0]] : 0;
    case FAKE_CLASS: return string(strdup((const char *)given[0]));
    case FAKE_STRING: return (uintptr_t)text_of(self);
    case FAKE_ERROR: return *selector == 'c' ? error_code() : string(self->text);
    case FAKE_LIBRARY: return strcmp(((struct fake_object *)given[0])->text, "probe") ? 0 : (uintptr_t)of_device(self, FAKE_FUNCTION, 0);
    case FAKE_QUEUE: return *selector == 'c' ? (uintptr_t)of_device(self, FAKE_COMMANDS, 0) : 0;
    case FAKE_BUFFER: return *selector == 'l' ? self->size : *selector == 'c' && !self->is_private ? (uintptr_t)self->memory : 0;
    case FAKE_ENCODER: return encoder_answer(self, selector, given);
    case FAKE_COMMANDS:
        if (strcmp(selector, "commit") && strcmp(selector, "waitUntilCompleted")) return commands_answer(self, selector);
        commit(self, selector);
        return 0;
    default: return 0;
    }
}

struct fake_object *objc_getClass(const char *name) {
    static struct fake_object *made;
    if (strcmp(name, "NSString")) return NULL;
    return made ? made : (made = fake_object(FAKE_CLASS));
}

/* Where the arguments of any method lie: in registers first, then on the stack, where two structures by value follow (x86-64). */
struct size { uint64_t width, height, depth; };

uintptr_t objc_msgSend(struct fake_object *self, const char *selector, uint64_t a, uint64_t b, uint64_t c, uint64_t d, struct size e,
                       struct size f) {
    char function[64];
    const uint64_t given[] = {a, b, c, d, e.width, e.height, e.depth, f.width};
    if (!self) return 0; /* messages to nil answer nil */
    if (self < fake_objects || self >= fake_objects + FAKE_OBJECTS || selector < names[0] || selector > names[127] || !pools)
        unknown(NULL, "");
    if (!knows(self, selector)) unknown(self, selector);
    snprintf(function, sizeof function, "%.*s", (int)strcspn(selector, ":"), selector);
    if (strcmp(function, "waitUntilCompleted") && (fake_at(function) || fake_is_silent)) return 0;
    return answer(self, selector, given);
}
