/* NVIDIA's management library (libnvidia-ml.so.1) as far as gpuprobe calls it through pynvml.
 *
 * Misbehaves by the script in FAKE_NVML (see fake.h; error codes are NVML's). The cards are the `device` and `slice` lines of
 * FAKE_NVML, or, where it has none, those of FAKE_CUDA, so that both doubles describe one machine; see fake_cuda.c for
 * the keys. NVML reads two keys more: ecc=1, and lost=1 (no handle for this card: NVML_ERROR_GPU_IS_LOST).
 * What a card is doing: busy=37 (and memory_busy), heat=61, watts=215 of limit=450 (watts), clock=2520 and memory_clock (MHz),
 * held_back=0x24 (NVML's bits), processes=4711:1024,4712:none (number and MiB); a card without such a key does not support it.
 * sways=3: each time it is asked, a figure is up to so much more or less than said, and free memory so many MiB less.
 * memory=none stands for a GPU without memory of its own (NVML_ERROR_NOT_SUPPORTED).
 * Settings in FAKE_NVML: `kernel 580.95.05` (the driver's version), `nvml 13.580.95.05`, `cuda 13000`.
 * Cards come in the order of their PCI addresses whatever CUDA says, and CUDA_VISIBLE_DEVICES hides none of them.
 * -DWITHOUT_MEMORY_V2: a library before the second form of the memory call.
 */
#define FAKE_VARIABLE "FAKE_NVML"
#include "fake.h"

#define LISTED 64
enum { UNINITIALIZED = 1, INVALID_ARGUMENT = 2, NOT_SUPPORTED = 3, NOT_FOUND = 6, INSUFFICIENT_SIZE = 7, GPU_IS_LOST = 15, VERSION_MISMATCH = 25 };

static struct card { char line[1024]; int slices; struct card *of, *slice[8]; } cards[LISTED];
static int count, started;

typedef struct card *device_t;
struct memory { unsigned long long total, free, used; };
struct memory_v2 { unsigned version; unsigned long long total, reserved, free, used; };
struct pci { char legacy[16]; unsigned domain, bus, device, id, subsystem; char address[32]; };

static const char *described_in(void) {
    const char *own = fake_script("FAKE_NVML");
    for (const char *line = own; *line; line = fake_next_line(line))
        if (fake_rest(line, "device")) return own;
    return fake_script("FAKE_CUDA");
}

static int by_pci(const void *one, const void *other) {
    char pci[2][64] = {"", ""};
    fake_value((*(device_t const *)one)->line, "pci", pci[0], 64);
    fake_value((*(device_t const *)other)->line, "pci", pci[1], 64);
    return strcmp(pci[0], pci[1]);
}

static device_t sorted[LISTED];

static void read_cards(void) {
    device_t card = NULL;
    int used = 0;
    count = 0;
    for (const char *line = described_in(); *line && used < LISTED; line = fake_next_line(line)) {
        const char *device = fake_rest(line, "device"), *slice = fake_rest(line, "slice"), *rest = device ? device : slice;
        if (!rest || (slice && (!card || card->slices == 8))) continue;
        device_t next = &cards[used++];
        memset(next, 0, sizeof *next);
        snprintf(next->line, sizeof next->line, " %.*s", (int)strcspn(rest, "\n"), rest);
        next->of = slice ? card : NULL;
        if (slice) card->slice[card->slices++] = next;
        else sorted[count++] = card = next;
    }
    qsort(sorted, (size_t)count, sizeof *sorted, by_pci);
}

static int copy_text(const char *text, char *out, unsigned size) {
    snprintf(out, size, "%s", text);
    return 0;
}

static int setting(const char *word, const char *otherwise, char *out, unsigned size) {
    char text[128];
    fake_setting(word, otherwise, text, sizeof text);
    return copy_text(text, out, size);
}

static int field(device_t card, const char *key, const char *otherwise, char *out, unsigned size) {
    char text[256];
    snprintf(text, sizeof text, "%s", otherwise);
    fake_value(card->line, key, text, sizeof text);
    return copy_text(text, out, size);
}

#define STARTED_OR_RETURN() FAKE_OR_RETURN(); if (!started) return UNINITIALIZED

int nvmlInitWithFlags(unsigned flags) {
    FAKE_OR_RETURN();
    read_cards();
    started = 1;
    return flags ? INVALID_ARGUMENT : 0;
}

/* The first of its names, which torch calls. */
int nvmlInit(void) { return nvmlInitWithFlags(0); }

int nvmlShutdown(void) { FAKE_OR_RETURN(); started = 0; return 0; }
const char *nvmlErrorString(int code) { return code ? "an error of the double" : "success"; }

int nvmlSystemGetDriverVersion(char *out, unsigned size) {
    STARTED_OR_RETURN();
    return setting("kernel", "580.95.05", out, size);
}

int nvmlSystemGetNVMLVersion(char *out, unsigned size) {
    STARTED_OR_RETURN();
    return setting("nvml", "13.580.95.05", out, size);
}

int nvmlSystemGetCudaDriverVersion(int *version) {
    char text[32];
    STARTED_OR_RETURN();
    setting("cuda", "13000", text, sizeof text);
    *version = atoi(text);
    return 0;
}

int nvmlSystemGetCudaDriverVersion_v2(int *version) {
    STARTED_OR_RETURN();
    return nvmlSystemGetCudaDriverVersion(version);
}

int nvmlDeviceGetCount_v2(unsigned *number) {
    STARTED_OR_RETURN();
    *number = (unsigned)count;
    return 0;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, device_t *card) {
    STARTED_OR_RETURN();
    if ((int)index >= count) return INVALID_ARGUMENT;
    if (fake_number(sorted[index]->line, "lost", 0)) return GPU_IS_LOST;
    *card = sorted[index];
    return 0;
}

int nvmlDeviceGetName(device_t card, char *out, unsigned size) {
    STARTED_OR_RETURN();
    return field(card, "name", "NVIDIA Double", out, size);
}

int nvmlDeviceGetUUID(device_t card, char *out, unsigned size) {
    STARTED_OR_RETURN();
    return field(card, "uuid", "", out, size);
}

int nvmlDeviceGetPciInfo_v3(device_t card, struct pci *pci) {
    unsigned function = 0;
    char address[64];
    STARTED_OR_RETURN();
    if (card->of) return INVALID_ARGUMENT;
    memset(pci, 0, sizeof *pci);
    field(card, "pci", "", address, sizeof address);
    sscanf(address, "%x:%x:%x.%x", &pci->domain, &pci->bus, &pci->device, &function);
    pci->id = (unsigned)fake_number(card->line, "id", 0x268410de);
    snprintf(pci->legacy, sizeof pci->legacy, "%04X:%02X:%02X.%X", pci->domain & 0xffff, pci->bus & 0xff, pci->device & 0x1f, function & 7);
    snprintf(pci->address, sizeof pci->address, "%08X:%02X:%02X.%X", pci->domain, pci->bus, pci->device, function);
    return 0;
}

int nvmlDeviceGetCudaComputeCapability(device_t card, int *major, int *minor) {
    char text[32];
    STARTED_OR_RETURN();
    if (card->of) return INVALID_ARGUMENT;
    field(card, "cc", "8.9", text, sizeof text);
    sscanf(text, "%d.%d", major, minor);
    return 0;
}

/* Between -sways and sways, another one with each question. */
static int swayed(device_t card) {
    static unsigned asked;
    int most = (int)fake_number(card->line, "sways", 0);
    return most ? (int)(asked++ * 7919u % (2u * (unsigned)most + 1u)) - most : 0;
}

static int memory_of(device_t card, struct memory *memory) {
    char text[64] = "";
    if (fake_value(card->line, "memory", text, sizeof text) && !strcmp(text, "none")) return NOT_SUPPORTED;
    memory->total = (unsigned long long)fake_number(card->line, "memory", 8LL << 30);
    memory->free = (unsigned long long)fake_number(card->line, "free", (long long)memory->total);
    memory->free -= (unsigned long long)(fake_number(card->line, "sways", 0) + swayed(card)) << 20;
    memory->used = memory->total - memory->free;
    return 0;
}

int nvmlDeviceGetMemoryInfo(device_t card, struct memory *memory) {
    STARTED_OR_RETURN();
    return memory_of(card, memory);
}

#ifndef WITHOUT_MEMORY_V2
int nvmlDeviceGetMemoryInfo_v2(device_t card, struct memory_v2 *memory) {
    struct memory plain = {0, 0, 0};
    STARTED_OR_RETURN();
    if (memory->version != (sizeof *memory | 2 << 24)) return VERSION_MISMATCH;
    int code = memory_of(card, &plain);
    if (code) return code;
    memory->total = plain.total, memory->free = plain.free, memory->used = plain.used, memory->reserved = 0;
    return 0;
}
#endif

int nvmlDeviceGetComputeMode(device_t card, unsigned *mode) {
    STARTED_OR_RETURN();
    if (card->of) return NOT_SUPPORTED;
    *mode = (unsigned)fake_number(card->line, "a20", 0);
    return 0;
}

int nvmlDeviceGetEccMode(device_t card, unsigned *now, unsigned *next) {
    char text[16];
    STARTED_OR_RETURN();
    if (!fake_value(card->line, "ecc", text, sizeof text)) return NOT_SUPPORTED;
    *now = *next = (unsigned)atoi(text);
    return 0;
}

int nvmlDeviceGetMigMode(device_t card, unsigned *now, unsigned *next) {
    char text[16];
    STARTED_OR_RETURN();
    if (!fake_value(card->line, "mig", text, sizeof text)) return NOT_SUPPORTED;
    *now = *next = (unsigned)atoi(text);
    return 0;
}

int nvmlDeviceGetMaxMigDeviceCount(device_t card, unsigned *number) {
    STARTED_OR_RETURN();
    *number = fake_number(card->line, "mig", 0) ? 7 : 0;
    return 0;
}

int nvmlDeviceGetMigDeviceHandleByIndex(device_t card, unsigned index, device_t *slice) {
    STARTED_OR_RETURN();
    if (index >= 7) return INVALID_ARGUMENT;
    if ((int)index >= card->slices) return NOT_FOUND;
    *slice = card->slice[index];
    return 0;
}

int nvmlDeviceGetGpuInstanceId(device_t slice, unsigned *id) {
    STARTED_OR_RETURN();
    for (int i = 0; slice->of && i < slice->of->slices; i++)
        if (slice->of->slice[i] == slice) *id = (unsigned)i + 1;
    return slice->of ? 0 : INVALID_ARGUMENT;
}

int nvmlDeviceGetComputeInstanceId(device_t slice, unsigned *id) {
    STARTED_OR_RETURN();
    *id = 0;
    return slice->of ? 0 : INVALID_ARGUMENT;
}

#include "fake_nvml_load.h"

#define FIGURE_OR_RETURN(key)                                                     \
    char text[256];                                                               \
    STARTED_OR_RETURN();                                                          \
    if (!fake_value(card->line, key, text, sizeof text)) return NOT_SUPPORTED

struct utilization { unsigned gpu, memory; };

int nvmlDeviceGetUtilizationRates(device_t card, struct utilization *found) {
    FIGURE_OR_RETURN("busy");
    found->gpu = (unsigned)(atoi(text) + swayed(card));
    found->memory = (unsigned)fake_number(card->line, "memory_busy", 0);
    return 0;
}

int nvmlDeviceGetTemperature(device_t card, unsigned sensor, unsigned *found) {
    FIGURE_OR_RETURN("heat");
    *found = (unsigned)(atoi(text) + swayed(card));
    return sensor ? INVALID_ARGUMENT : 0;
}

int nvmlDeviceGetPowerUsage(device_t card, unsigned *found) {
    FIGURE_OR_RETURN("watts");
    *found = (unsigned)((atof(text) + swayed(card)) * 1000);
    return 0;
}

int nvmlDeviceGetEnforcedPowerLimit(device_t card, unsigned *found) {
    FIGURE_OR_RETURN("limit");
    *found = (unsigned)(atof(text) * 1000);
    return 0;
}

int nvmlDeviceGetClockInfo(device_t card, unsigned kind, unsigned *found) {
    FIGURE_OR_RETURN(kind == 2 ? "memory_clock" : "clock");
    *found = (unsigned)(atoi(text) + (kind == 2 ? 0 : swayed(card)));
    return 0;
}

int nvmlDeviceGetCurrentClocksThrottleReasons(device_t card, unsigned long long *found) {
    FIGURE_OR_RETURN("held_back");
    *found = strtoull(text, NULL, 0);
    return 0;
}

struct process { unsigned pid; unsigned long long memory; unsigned gpu_instance, compute_instance; };

int nvmlDeviceGetComputeRunningProcesses_v3(device_t card, unsigned *room, struct process *found) {
    FIGURE_OR_RETURN("processes");
    unsigned number = 0;
    for (char *at = text; *at;) {
        unsigned pid = (unsigned)strtoul(at, &at, 10);
        unsigned long long size = *at == ':' && isdigit((unsigned char)at[1]) ? strtoull(at + 1, &at, 10) << 20 : ~0ULL;
        at += strcspn(at, ",");
        at += *at == ',';
        if (number++ < *room && found) found[number - 1] = (struct process){pid, size, ~0U, ~0U};
    }
    int fits = number <= *room;
    *room = number;
    return fits ? 0 : INSUFFICIENT_SIZE;
}

int nvmlDeviceGetGraphicsRunningProcesses_v3(device_t card, unsigned *room, struct process *found) {
    FIGURE_OR_RETURN("processes");
    (void)found, *room = 0;
    return 0;
}

_Static_assert(sizeof(struct memory) == 24 && sizeof(struct memory_v2) == 40 && sizeof(struct pci) == 68, "NVML's layouts");
