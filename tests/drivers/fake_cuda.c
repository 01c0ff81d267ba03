/* NVIDIA's driver library (libcuda.so.1) as far as gpuprobe calls it. Acts by the script in FAKE_CUDA; see fake.h.
 *
 *   driver 13000              what cuDriverGetVersion says (the default)
 *   count 0                   cuDeviceGetCount says this whatever there is (cuInit without a card answers 100)
 *   obeys 0                   CUDA_VISIBLE_DEVICES changes nothing, as in a library that somebody has wrapped
 *   device KEY=VALUE…         one card: name, uuid (GPU-8-4-4-4-12), pci, memory and free (bytes), cc (8.9), integrated (0),
 *                             id (0x268410de), mig (1: cut into the slices that follow; CUDA does not list it itself),
 *                             refuse (number and answer of an attribute: "133:1"), a16=128 (any attribute by its number)
 *   slice KEY=VALUE…          one MIG instance of the device before it; what is not given is the device's
 *
 * CUDA_VISIBLE_DEVICES and CUDA_DEVICE_ORDER work as the CUDA Programming Guide says: a list of numbers or beginnings of UUIDs,
 * up to the first that names nothing or several. Of all slices only one is listed ("Only single MIG instance enumeration is
 * supported"). FAKE_ORDER=reverse|shuffled changes the order of the listing. FAKE_LOG gets "retain UUID" and "release UUID".
 * What works in a context, and the keys that spoil it, is in fake_cuda_memory.h.
 * -DWITHOUT_UUID_V2: a driver before 11.4.  -DWITHOUT_MEMORY, -DWITHOUT_PCI, -DWITHOUT_INIT: other missing functions.
 */
#define FAKE_VARIABLE "FAKE_CUDA"
#include "fake.h"

#define LISTED 64
static struct card { char line[1024], parent[1024]; int is_slice; } listed[LISTED];
static int count, started;
static struct card *current;

static int value_of(const struct card *card, const char *key, char *out, size_t size) {
    return fake_value(card->line, key, out, size) || (card->is_slice && fake_value(card->parent, key, out, size));
}

static long long number_of(const struct card *card, const char *key, long long otherwise) {
    char value[64];
    return value_of(card, key, value, sizeof value) ? strtoll(value, NULL, 0) : otherwise;
}

static int by_pci(const void *one, const void *other) {
    char pci[2][64] = {"", ""};
    value_of(one, "pci", pci[0], 64);
    value_of(other, "pci", pci[1], 64);
    return strcmp(pci[0], pci[1]);
}

static int read_cards(struct card *cards) {
    int found = 0;
    char parent[1024] = "";
    for (const char *line = fake_script(FAKE_VARIABLE); *line && found < LISTED; line = fake_next_line(line)) {
        const char *device = fake_rest(line, "device"), *slice = fake_rest(line, "slice");
        if (device) snprintf(parent, sizeof parent, " %.*s", (int)strcspn(device, "\n"), device);
        if (!slice && (!device || fake_number(parent, "mig", 0))) continue;
        struct card *card = &cards[found++];
        card->is_slice = slice != NULL;
        snprintf(card->parent, sizeof card->parent, "%s", parent);
        snprintf(card->line, sizeof card->line, " %.*s", (int)strcspn(slice ? slice : device, "\n"), slice ? slice : device);
    }
    const char *order = getenv("CUDA_DEVICE_ORDER");
    if (order && !strcmp(order, "PCI_BUS_ID")) qsort(cards, (size_t)found, sizeof *cards, by_pci);
    return found;
}

static void reorder(struct card *cards, int found) {
    static struct card before[LISTED];
    const char *order = getenv("FAKE_ORDER");
    memcpy(before, cards, sizeof before);
    for (int i = 0; order && i < found; i++) /* shuffled: the odd ones, then the even ones */
        cards[i] = !strcmp(order, "reverse") ? before[found - 1 - i] : before[i < found / 2 ? 2 * i + 1 : 2 * (i - found / 2)];
}

/* Which card an entry of CUDA_VISIBLE_DEVICES names; -1: none, or several. */
static int named(const struct card *cards, int found, const char *entry) {
    char *end, uuid[64];
    long number = strtol(entry, &end, 10);
    int match = -1;
    if (end != entry && !*end) return number >= 0 && number < found ? (int)number : -1;
    if (strncmp(entry, "GPU-", 4) && strncmp(entry, "MIG-", 4)) return -1;
    for (int i = 0; i < found; i++) {
        if (!value_of(&cards[i], "uuid", uuid, sizeof uuid) || strncasecmp(uuid, entry, strlen(entry))) continue;
        if (match >= 0) return -1;
        match = i;
    }
    return match;
}

static void list_card(const struct card *card) {
    for (int i = 0; i < count; i++)
        if (card->is_slice && listed[i].is_slice) return;
    if (count < LISTED) listed[count++] = *card;
}

FAKE_UNUSED static void list_cards(void) {
    static struct card cards[LISTED];
    char visible[4096], obeys[8], *rest = visible, *entry;
    int found = read_cards(cards), chosen;
    fake_setting("obeys", "1", obeys, sizeof obeys);
    const char *filter = *obeys == '0' ? NULL : getenv("CUDA_VISIBLE_DEVICES");
    count = 0;
    reorder(cards, found);
    for (int i = 0; !filter && i < found; i++) list_card(&cards[i]);
    if (!filter) return;
    snprintf(visible, sizeof visible, "%s", filter);
    while ((entry = strsep(&rest, ",")) && (chosen = named(cards, found, entry)) >= 0) list_card(&cards[chosen]);
}

static struct card *card_of(int device) { return started && device >= 0 && device < count ? &listed[device] : NULL; }
#define CARD_OR_RETURN(card, device) \
    if (!started) return 3;          \
    struct card *card = card_of(device); \
    if (!card) return 101

int cuDriverGetVersion(int *version) {
    char text[32];
    FAKE_OR_RETURN();
    fake_setting("driver", "13000", text, sizeof text);
    *version = atoi(text);
    return 0;
}

#ifndef WITHOUT_INIT
int cuInit(unsigned flags) {
    FAKE_OR_RETURN();
    list_cards();
    started = flags == 0 && count > 0;
    return flags ? 1 : count ? 0 : 100;
}
#endif

int cuDeviceGetCount(int *number) {
    FAKE_OR_RETURN();
    char text[32], counted[32];
    if (!started) return 3;
    snprintf(counted, sizeof counted, "%d", count);
    fake_setting("count", counted, text, sizeof text);
    *number = atoi(text);
    return 0;
}

int cuDeviceGet(int *device, int ordinal) {
    FAKE_OR_RETURN();
    CARD_OR_RETURN(card, ordinal);
    *device = (int)(card - listed);
    return 0;
}

int cuDeviceGetName(char *name, int length, int device) {
    char text[256] = "NVIDIA Double";
    FAKE_OR_RETURN();
    CARD_OR_RETURN(card, device);
    value_of(card, "name", text, sizeof text);
    snprintf(name, (size_t)length, "%s", text);
    return 0;
}

static int write_uuid(unsigned char *bytes, const char *line) {
    char uuid[64] = "";
    fake_value(line, "uuid", uuid, sizeof uuid);
    memset(bytes, 0, 16);
    for (int half = 0, i = uuid[0] ? 4 : 0; uuid[i] && half < 32; i++) {
        if (!isxdigit((unsigned char)uuid[i])) continue;
        char digit[2] = {uuid[i], 0};
        bytes[half / 2] = (unsigned char)(bytes[half / 2] << 4 | strtol(digit, NULL, 16));
        half++;
    }
    return 0;
}

int cuDeviceGetUuid(unsigned char *bytes, int device) { /* of the whole card, also for a slice */
    FAKE_OR_RETURN();
    CARD_OR_RETURN(card, device);
    return write_uuid(bytes, card->parent);
}

#ifndef WITHOUT_UUID_V2
int cuDeviceGetUuid_v2(unsigned char *bytes, int device) {
    FAKE_OR_RETURN();
    CARD_OR_RETURN(card, device);
    return write_uuid(bytes, card->line);
}
#endif

#ifndef WITHOUT_MEMORY
int cuDeviceTotalMem_v2(size_t *bytes, int device) {
    FAKE_OR_RETURN();
    CARD_OR_RETURN(card, device);
    *bytes = (size_t)number_of(card, "memory", 8LL << 30);
    return 0;
}
#endif

static unsigned pci_part(const struct card *card, int part) { /* domain, bus, device, function */
    char pci[64] = ""; /* none: all zeros, as on Tegra */
    unsigned parts[4] = {0, 0, 0, 0};
    value_of(card, "pci", pci, sizeof pci);
    sscanf(pci, "%x:%x:%x.%x", &parts[0], &parts[1], &parts[2], &parts[3]);
    return parts[part];
}

#ifndef WITHOUT_PCI
int cuDeviceGetPCIBusId(char *address, int length, int device) {
    FAKE_OR_RETURN();
    CARD_OR_RETURN(card, device);
    snprintf(address, (size_t)length, "%04X:%02X:%02X.%X", pci_part(card, 0), pci_part(card, 1), pci_part(card, 2), pci_part(card, 3));
    return 0;
}
#endif

int cuDeviceGetAttribute(int *value, int attribute, int device) {
    char key[16], text[64] = "8.9";
    FAKE_OR_RETURN();
    CARD_OR_RETURN(card, device);
    value_of(card, "cc", text, sizeof text);
    int major = 0, minor = 0;
    sscanf(text, "%d.%d", &major, &minor);
    if (value_of(card, "refuse", text, sizeof text) && atoi(text) == attribute) return atoi(strchr(text, ':') + 1);
    switch (attribute) {
        case 1: *value = 1024; break;
        case 10: *value = 32; break;
        case 13: *value = 2520000; break;
        case 16: *value = 128; break;
        case 18: *value = (int)number_of(card, "integrated", 0); break;
        case 33: *value = (int)pci_part(card, 1); break;
        case 34: *value = (int)pci_part(card, 2); break;
        case 36: *value = 10501000; break;
        case 37: *value = 384; break;
        case 38: *value = 75497472; break;
        case 50: *value = (int)pci_part(card, 0); break;
        case 75: *value = major; break;
        case 76: *value = minor; break;
        case 97: *value = 101376; break;
        case 139: *value = (int)number_of(card, "id", 0x268410de); break;
        default: *value = attribute == 41 || attribute == 83 || attribute == 95 || attribute == 102 || attribute == 115;
    }
    snprintf(key, sizeof key, "a%d", attribute);
    *value = (int)number_of(card, key, *value);
    return 0;
}

static void log_card(const char *what, const struct card *card) {
    char uuid[64] = "without";
    value_of(card, "uuid", uuid, sizeof uuid);
    fake_log(what, uuid);
}

int cuDevicePrimaryCtxRetain(void **context, int device) {
    FAKE_OR_RETURN();
    CARD_OR_RETURN(card, device);
    log_card("retain", card);
    *context = card;
    return 0;
}

int cuDevicePrimaryCtxRelease_v2(int device) {
    FAKE_OR_RETURN();
    CARD_OR_RETURN(card, device);
    log_card("release", card);
    if (current == card) current = NULL;
    return 0;
}

int cuCtxSetCurrent(void *context) {
    FAKE_OR_RETURN();
    current = context;
    return started ? 0 : 3;
}

int cuMemGetInfo_v2(size_t *available, size_t *total) {
    FAKE_OR_RETURN();
    if (!current) return 201;
    *total = (size_t)number_of(current, "memory", 8LL << 30);
    *available = (size_t)(number_of(current, "free", (long long)*total) - number_of(current, "grip", 0));
    return 0;
}

#include "fake_cuda_memory.h"

int cuGetErrorName(int code, const char **name) { /* knows one number that gpuprobe does not */
    FAKE_OR_RETURN();
    *name = code == 919 ? "CUDA_ERROR_FABRIC_NOT_READY" : NULL;
    return *name ? 0 : 1;
}
