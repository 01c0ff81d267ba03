/* A ggml backend (libggml-cuda.so and its like) that lists scripted devices through the real registry interface: it works behind
 * the real libggml-base as well as behind its double. Acts by `<this library>.script` or FAKE_GGML; see fake.h.
 *
 *   library CUDA              the registry's name, and the beginning of its devices' ("CUDA0")
 *   archs 500,610,700         its feature ARCHS
 *   feature KEY VALUE         another feature
 *   load log="…"              said in the log while the build starts
 *   start log="…"             said in the log where a device does not start
 *   api 2                     the version of the interface
 *   over libcuda.so.1         its devices are those of this library, which it loads and starts as ggml-cuda starts CUDA
 *   device KEY=VALUE…         name, memory and free (bytes), pci, type (1 GPU, 2 integrated GPU), id (Ollama's identifier), cc ("6.1"),
 *                             integrated (Ollama's)
 *
 * `error ggml_backend_init 1` answers no registry, `error ggml_backend_dev_init 1` starts nothing. FAKE_LOG gets "init NAME".
 * -DLAYOUT=LLAMA_1|LLAMA_2|OLLAMA_1|OLLAMA_2: the properties' (LLAMA_2).  -DSCORE=0: what a variant for other processors says.
 * -DOWN_REGISTRY=ggml_backend_cuda_reg: no plug-in, as llama.cpp is built by default.  -DBY_NAME="MTL": one library for all of ggml.
 * -DNEEDS=FUNCTION: built for a base library that has this function.
 */
#include "fake_ggml.h"

#define LISTED 16
enum { LLAMA_1 = 1, LLAMA_2, OLLAMA_1, OLLAMA_2 };
#ifndef LAYOUT
#define LAYOUT LLAMA_2
#endif
#ifndef OWN_REGISTRY
#define OWN_REGISTRY ggml_backend_init
#endif

__attribute__((weak)) void ggml_log_internal(int level, const char *format, ...);

static struct registry registry;
static struct device devices[LISTED];
static char lines[LISTED][1024], names[LISTED][64], library[32];
static size_t count;

static struct feature { const char *name, *value; } features[8];

static void say(const char *text) {
    if (ggml_log_internal) ggml_log_internal(2, "%s\n", text);
}

/* What lines of this kind give as `log`. */
static void say_all(const char *when) {
    for (const char *line = fake_script(FAKE_VARIABLE); *line; line = fake_next_line(line)) {
        const char *rest = fake_rest(line, when);
        char copy[512], text[512];
        if (!rest) continue;
        snprintf(copy, sizeof copy, " %.*s", (int)strcspn(rest, "\n"), rest);
        if (fake_value(copy, "log", text, sizeof text)) say(text);
    }
}

static size_t place(struct device *device) { return (size_t)(device - devices); }

static const char *text_of(struct device *device, const char *key) { /* NULL where the script has none */
    static char texts[64][256];
    static int next;
    char *text = texts[next++ % 64];
    return fake_value(lines[place(device)], key, text, 256) ? text : NULL;
}

static const char *device_name(struct device *device) { return names[place(device)]; }

static const char *device_description(struct device *device) {
    const char *name = text_of(device, "name");
    return name ? name : "Double";
}

static void device_memory(struct device *device, size_t *available, size_t *total) {
    if (fake_at("ggml_backend_dev_memory") || fake_is_silent) return;
    *total = (size_t)fake_number(lines[place(device)], "memory", 8LL << 30);
    *available = (size_t)fake_number(lines[place(device)], "free", (long long)*total);
}

static int device_type(struct device *device) { return (int)fake_number(lines[place(device)], "type", 1); }

static void put(char *out, size_t at, const void *value, size_t size) { memcpy(out + at, value, size); }
static void put_int(char *out, size_t at, int value) { put(out, at, &value, sizeof value); }
static void put_text(char *out, size_t at, const char *value) { put(out, at, &value, sizeof value); }

/* Each as the table of the four layouts has it; `free` comes before the total, and Ollama's two put their own before them. */
static void device_properties(struct device *device, char *out) {
    size_t available = 0, total = 0, first = LAYOUT == OLLAMA_1 ? 24 : 16, second = LAYOUT <= LLAMA_2 ? 24 : 32;
    int major = 0, minor = 0;
    const char *compute = text_of(device, "cc");
    if (fake_at("ggml_backend_dev_get_props") || fake_is_silent) return;
    device_memory(device, &available, &total);
    put_text(out, 0, device_name(device));
    put_text(out, 8, device_description(device));
    put(out, first, &available, sizeof available);
    put(out, second, &total, sizeof total);
    put_int(out, LAYOUT <= LLAMA_2 ? 32 : 40, device_type(device));
    if (LAYOUT == LLAMA_2) put_text(out, 40, text_of(device, "pci"));
    if (LAYOUT == OLLAMA_1) put_text(out, 16, text_of(device, "id"));
    if (LAYOUT != OLLAMA_2) return;
    if (compute) sscanf(compute, "%d.%d", &major, &minor);
    put_text(out, 24, text_of(device, "id"));
    put_text(out, 48, text_of(device, "pci"));
    put_int(out, 60, 13);
    put_int(out, 68, major);
    put_int(out, 72, minor);
    put_int(out, 76, (int)fake_number(lines[place(device)], "integrated", 0));
}

static const char *backend_name(struct backend *backend) {
    (void)backend;
    return library;
}

/* Memory is the base library's own, of the processor; the double has none. */
__attribute__((weak)) void *ggml_backend_cpu_buffer_type(void);

static void *device_buffers(struct device *device) {
    (void)device;
    return ggml_backend_cpu_buffer_type ? ggml_backend_cpu_buffer_type() : NULL;
}

static int device_supports(struct device *device, const void *product) { /* a bool: nothing is computed here */
    (void)device, (void)product;
    return 0;
}

static struct backend *device_start(struct device *device, const char *parameters) {
    (void)parameters;
    if (fake_at("ggml_backend_dev_init")) {
        say_all("start");
        return NULL;
    }
    fake_log("init", device_name(device));
    struct backend *backend = calloc(1, sizeof *backend);
    backend->name = backend_name;
    backend->end = (void (*)(struct backend *))free;
    /* Its device lies behind the functions, of which there are 13 to 16 by the release; the last are for events only. */
    for (int i = 11; i < 32; i++) backend->rest[i] = device;
    return backend;
}

static const char *registry_name(struct registry *of) {
    (void)of;
    return library;
}

static size_t registry_count(struct registry *of) {
    (void)of;
    return count;
}

static struct device *registry_device(struct registry *of, size_t which) {
    (void)of;
    return &devices[which];
}

static struct feature *all_features(struct registry *of) {
    (void)of;
    return features;
}

static void *registry_address(struct registry *of, const char *name) {
    (void)of;
    return !strcmp(name, "ggml_backend_get_features") && features[0].name ? (void *)all_features : NULL;
}

static void read_features(void) {
    static char archs[256], others[7][2][64];
    int found = 0;
    fake_setting("archs", "", archs, sizeof archs);
    if (archs[0]) features[found++] = (struct feature){"ARCHS", archs};
    for (const char *line = fake_script(FAKE_VARIABLE); *line && found < 7; line = fake_next_line(line)) {
        const char *rest = fake_rest(line, "feature");
        if (!rest || sscanf(rest, "%63s %63s", others[found][0], others[found][1]) != 2) continue;
        features[found] = (struct feature){others[found][0], others[found][1]};
        found++;
    }
}

static void add_device(const char *line) {
    if (count == LISTED) return;
    snprintf(lines[count], sizeof lines[count], " %s", line);
    snprintf(names[count], sizeof names[count], "%s%d", library, (int)count);
    devices[count] = (struct device){
        device_name, device_description, device_memory, device_type, device_properties, device_start, device_buffers,
        {NULL, NULL, (void *)device_supports}, &registry, NULL,
    };
    count++;
}

static void read_devices(void) {
    for (const char *line = fake_script(FAKE_VARIABLE); *line; line = fake_next_line(line)) {
        const char *device = fake_rest(line, "device");
        char copy[1024];
        if (!device) continue;
        snprintf(copy, sizeof copy, "%.*s", (int)strcspn(device, "\n"), device);
        add_device(copy);
    }
}

static void *driver;
#define DRIVER(name, ...) ((int (*)(__VA_ARGS__))(uintptr_t)dlsym(driver, #name))

static void add_card(int number) {
    char name[256] = "", pci[32] = "", line[1024];
    int card = 0, major = 0, minor = 0;
    size_t available = 0, total = 0;
    void *context = NULL;
    DRIVER(cuDeviceGet, int *, int)(&card, number);
    DRIVER(cuDeviceGetName, char *, int, int)(name, sizeof name, card);
    DRIVER(cuDeviceGetPCIBusId, char *, int, int)(pci, sizeof pci, card);
    DRIVER(cuDeviceGetAttribute, int *, int, int)(&major, 75, card);
    DRIVER(cuDeviceGetAttribute, int *, int, int)(&minor, 76, card);
    DRIVER(cuDevicePrimaryCtxRetain, void **, int)(&context, card);
    DRIVER(cuCtxSetCurrent, void *)(context);
    DRIVER(cuMemGetInfo_v2, size_t *, size_t *)(&available, &total);
    for (char *letter = pci; *letter; letter++) *letter = (char)tolower((unsigned char)*letter);
    snprintf(line, sizeof line, "  Device %d: %s, compute capability %d.%d, VMM: no", number, name, major, minor);
    say(line);
    snprintf(line, sizeof line, "name=\"%s\" pci=%s memory=%zu free=%zu cc=%d.%d", name, pci, total, available, major, minor);
    add_device(line);
}

static void add_cards(const char *file) {
    int cards = 0;
    driver = dlopen(file, RTLD_NOW);
    int code = driver ? DRIVER(cuInit, unsigned)(0) : 999;
    char line[128];
    snprintf(line, sizeof line, "ggml_cuda_init: failed to initialize CUDA: error %d of the double", code);
    if (code) say(line);
    else DRIVER(cuDeviceGetCount, int *)(&cards);
    for (int number = 0; number < cards; number++) add_card(number);
}

#ifdef NEEDS
void NEEDS(void);
void (*needed)(void) = NEEDS;
#endif

#ifdef SCORE
int ggml_backend_score(void) { return SCORE; }
#endif

static struct registry *started(void) {
    char api[16], over[256];
    fake_setting("over", "", over, sizeof over);
    fake_setting("library", "CUDA", library, sizeof library);
    fake_setting("api", LAYOUT == LLAMA_1 || LAYOUT == OLLAMA_1 ? "1" : "2", api, sizeof api);
    say_all("load");
    count = 0;
    read_features();
    read_devices();
    if (over[0]) add_cards(over);
    registry = (struct registry){atoi(api), registry_name, registry_count, registry_device, registry_address, NULL};
    return &registry;
}

#ifdef BY_NAME
struct registry *ggml_backend_reg_by_name(const char *name) { return strcmp(name, BY_NAME) ? NULL : started(); }
#else
struct registry *OWN_REGISTRY(void) { return fake_at(__func__) ? NULL : started(); }
#endif
