/* AMD's HIP runtime (libamdhip64.so.6) as far as gpuprobe calls it. Acts by the script in FAKE_HIP; see fake.h.
 *
 *   version 60342134          what hipDriverGetVersion and hipRuntimeGetVersion say (the default)
 *   count 0                   hipGetDeviceCount says this whatever there is (hipInit without a card answers 101)
 *   device KEY=VALUE…         one card: name, uuid (16 digits; none: ROCr's "XX"), gfx ("gfx942:sramecc+:xnack-"), pci, memory and
 *                             free (bytes), integrated (0), ecc (0), bytes=1 (the UUID's bytes are no text)
 *
 * Filters as the real runtimes of 5.2.3 obey them: ROCR_VISIBLE_DEVICES takes numbers or beginnings of UUIDs, up to the first that
 * names nothing or several; within what it leaves counts HIP_VISIBLE_DEVICES, and where that is not set to anything,
 * CUDA_VISIBLE_DEVICES. HSA_OVERRIDE_GFX_VERSION_<node> and HSA_OVERRIDE_GFX_VERSION change the architecture (libhsakmt: the node
 * of the first card is 1, behind one processor). FAKE_ORDER=reverse changes the order of the listing. FAKE_LOG gets "context PCI".
 *
 * Memory is real, and the known kernel is computed; see fake_hip_compute.h. -DWITH_HIPRTC: hiprtc is inside, as until release 6.
 * -DOLD_LAYOUT: release 5, which fills the structure of 792 bytes by hipGetDeviceProperties and has no R0600.
 * -DWITHOUT_OLD: release 7, which has only R0600.  -DWITHOUT_UUID, -DWITHOUT_INIT: other missing functions.
 */
#define FAKE_VARIABLE "FAKE_HIP"
#include "fake.h"

#define LISTED 64
static struct card { char line[1024]; int node; } listed[LISTED];
static int count, started, current = -1;

static int read_cards(struct card *cards) {
    int found = 0;
    for (const char *line = fake_script(FAKE_VARIABLE); *line && found < LISTED; line = fake_next_line(line)) {
        const char *device = fake_rest(line, "device");
        if (!device) continue;
        snprintf(cards[found].line, sizeof cards[found].line, " %.*s", (int)strcspn(device, "\n"), device);
        cards[found].node = found + 1;
        found++;
    }
    const char *order = getenv("FAKE_ORDER");
    for (int i = 0; order && !strcmp(order, "reverse") && i < found / 2; i++) {
        struct card other = cards[i];
        cards[i] = cards[found - 1 - i];
        cards[found - 1 - i] = other;
    }
    return found;
}

/* Which card an entry names, by number or, where ROCr reads it, by the beginning of a UUID; -1: none, or several. */
static int named(const struct card *cards, int found, const char *entry, int by_uuid) {
    char *end, uuid[64];
    long number = strtol(entry, &end, 10);
    int match = -1;
    if (end != entry && !*end) return number >= 0 && number < found ? (int)number : -1;
    for (int i = 0; by_uuid && !strncmp(entry, "GPU-", 4) && i < found; i++) {
        if (!fake_value(cards[i].line, "uuid", uuid, sizeof uuid) || strncasecmp(uuid, entry + 4, strlen(entry + 4))) continue;
        if (match >= 0) return -1;
        match = i;
    }
    return match;
}

static int filtered(struct card *cards, int found, const char *list, int by_uuid) {
    static struct card before[LISTED];
    char copy[4096], *rest = copy, *entry;
    int left = 0, chosen;
    if (!list) return found;
    memcpy(before, cards, sizeof before);
    snprintf(copy, sizeof copy, "%s", list);
    while ((entry = strsep(&rest, ",")) && left < LISTED && (chosen = named(before, found, entry, by_uuid)) >= 0)
        cards[left++] = before[chosen];
    return left;
}

static const char *own_list(void) { /* HIP's; one that is set to nothing counts as not set */
    const char *own = getenv("HIP_VISIBLE_DEVICES"), *foreign = getenv("CUDA_VISIBLE_DEVICES");
    return own && *own ? own : foreign && *foreign ? foreign : NULL;
}

FAKE_UNUSED static void list_cards(void) {
    count = filtered(listed, read_cards(listed), getenv("ROCR_VISIBLE_DEVICES"), 1);
    count = filtered(listed, count, own_list(), 0);
}

static void architecture(const struct card *card, char *out, size_t size) {
    char name[64];
    unsigned major, minor, step;
    snprintf(name, sizeof name, "HSA_OVERRIDE_GFX_VERSION_%d", card->node);
    const char *value = getenv(name) ? getenv(name) : getenv("HSA_OVERRIDE_GFX_VERSION");
    snprintf(out, size, "gfx1100");
    fake_value(card->line, "gfx", out, size);
    if (value && sscanf(value, "%u.%u.%u", &major, &minor, &step) == 3) snprintf(out, size, "gfx%u%x%x", major, minor, step);
}

#define CARD_OR_RETURN(card, device) \
    if (!started) return 3;          \
    if (device < 0 || device >= count) return 101; \
    struct card *card = &listed[device]

#ifndef WITHOUT_INIT
int hipInit(unsigned flags) {
    FAKE_OR_RETURN();
    list_cards();
    started = flags == 0 && count > 0;
    return flags ? 1 : count ? 0 : 101;
}
#endif

static int version_into(int *version) {
    char text[32];
#ifdef OLD_LAYOUT
    fake_setting("version", "50221153", text, sizeof text);
#else
    fake_setting("version", "60342134", text, sizeof text);
#endif
    *version = atoi(text);
    return 0;
}

int hipDriverGetVersion(int *version) {
    FAKE_OR_RETURN();
    return version_into(version);
}

int hipRuntimeGetVersion(int *version) {
    FAKE_OR_RETURN();
    return version_into(version);
}

int hipGetDeviceCount(int *number) {
    char text[32], counted[32];
    FAKE_OR_RETURN();
    snprintf(counted, sizeof counted, "%d", count);
    fake_setting("count", counted, text, sizeof text);
    *number = atoi(text);
    return started ? 0 : 100;
}

int hipDeviceGetName(char *name, int length, int device) {
    char text[256] = "AMD Double";
    FAKE_OR_RETURN();
    CARD_OR_RETURN(card, device);
    fake_value(card->line, "name", text, sizeof text);
    snprintf(name, (size_t)length, "%s", text);
    return 0;
}

#ifndef WITHOUT_UUID
int hipDeviceGetUuid(unsigned char *bytes, int device) {
    char uuid[64] = "XX";
    FAKE_OR_RETURN();
    CARD_OR_RETURN(card, device);
    fake_value(card->line, "uuid", uuid, sizeof uuid);
    memset(bytes, fake_number(card->line, "bytes", 0) ? 0xc3 : 0, 16);
    if (!bytes[0]) memcpy(bytes, uuid, strnlen(uuid, 16));
    return 0;
}
#endif

int hipDeviceTotalMem(size_t *bytes, int device) {
    FAKE_OR_RETURN();
    CARD_OR_RETURN(card, device);
    *bytes = (size_t)fake_number(card->line, "memory", 8LL << 30);
    return 0;
}

static void place_of(const struct card *card, unsigned parts[4]) {
    char pci[64] = "";
    memset(parts, 0, 4 * sizeof *parts);
    fake_value(card->line, "pci", pci, sizeof pci);
    sscanf(pci, "%x:%x:%x.%x", &parts[0], &parts[1], &parts[2], &parts[3]);
}

int hipDeviceGetPCIBusId(char *address, int length, int device) {
    unsigned parts[4];
    FAKE_OR_RETURN();
    CARD_OR_RETURN(card, device);
    place_of(card, parts);
    snprintf(address, (size_t)length, "%04x:%02x:%02x.%x", parts[0], parts[1], parts[2], parts[3]);
    return 0;
}

/* Where a layout has its fields. `tests/backends/test_layout_hip.py` compares the old one with the header of HIP 5.2. */
struct layout { size_t size, memory, warp, clock, major, minor, units, integrated, ecc, bus, device, domain, l2, bar, arch; };
FAKE_UNUSED static const struct layout r0600 = {1472, 288, 308, 348, 360, 364, 388, 396, 580, 584, 588, 592, 616, 1464, 1160};
FAKE_UNUSED static const struct layout old = {792, 256, 276, 308, 328, 332, 336, 652, 740, 368, 372, 364, 340, 764, 396};

static void put(char *structure, size_t at, int number) { memcpy(structure + at, &number, sizeof number); }

FAKE_UNUSED static int write_properties(char *structure, const struct layout *at, int device) {
    char arch[256];
    unsigned parts[4], digits = 0, major = 0;
    CARD_OR_RETURN(card, device);
    long long memory = fake_number(card->line, "memory", 8LL << 30);
    architecture(card, arch, sizeof arch);
    place_of(card, parts);
    while (isxdigit((unsigned char)arch[3 + digits])) digits++;
    for (unsigned i = 0; i + 2 < digits; i++) major = major * 10 + (unsigned)(arch[3 + i] - '0');
    char minor[2] = {digits > 2 ? arch[3 + digits - 2] : '0', 0};
    memset(structure, 0, at->size);
    memcpy(structure + at->memory, &memory, sizeof memory);
    put(structure, at->warp, major == 9 ? 64 : 32);
    put(structure, at->clock, 2371000);
    put(structure, at->major, (int)major);
    put(structure, at->minor, (int)strtol(minor, NULL, 16));
    put(structure, at->units, 48);
    put(structure, at->integrated, (int)fake_number(card->line, "integrated", 0));
    put(structure, at->ecc, (int)fake_number(card->line, "ecc", 0));
    put(structure, at->domain, (int)parts[0]);
    put(structure, at->bus, (int)parts[1]);
    put(structure, at->device, (int)parts[2]);
    put(structure, at->l2, 6291456);
    put(structure, at->bar, 1);
    memcpy(structure + at->arch, arch, sizeof arch);
    return 0;
}

#ifndef WITHOUT_OLD
int hipGetDeviceProperties(char *structure, int device) {
    FAKE_OR_RETURN();
    return write_properties(structure, &old, device);
}
#endif

#ifndef OLD_LAYOUT
int hipGetDevicePropertiesR0600(char *structure, int device) {
    FAKE_OR_RETURN();
    return write_properties(structure, &r0600, device);
}
#endif

int hipSetDevice(int device) {
    FAKE_OR_RETURN();
    if (!started || device < 0 || device >= count) return 101;
    current = device;
    return 0;
}

int hipFree(void *memory) {
    char pci[64] = "without";
    FAKE_OR_RETURN();
    if (current < 0) return 1;
    if (memory) {
        free(memory);
        return 0;
    }
    fake_value(listed[current].line, "pci", pci, sizeof pci);
    fake_log("context", pci);
    return 0;
}

int hipMemGetInfo(size_t *available, size_t *total) {
    FAKE_OR_RETURN();
    if (current < 0) return 201;
    *total = (size_t)fake_number(listed[current].line, "memory", 8LL << 30);
    *available = (size_t)fake_number(listed[current].line, "free", (long long)*total);
    return 0;
}

#include "fake_hip_compute.h"
#ifdef WITH_HIPRTC
#include "fake_hiprtc.h"
#endif

const char *hipGetErrorName(int code) { /* knows one number that gpuprobe does not */
    return code == 919 ? "hipErrorOfTomorrow" : "hipErrorUnknown";
}
