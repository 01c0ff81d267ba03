/* What the double of libnvidia-ml.so.1 says of a card at work: its handle by UUID, link, what slows it down, and who holds it.
 * Part of fake_nvml.c. Keys of a device: gen and width (the link under load; gen_idle is what the first question gets),
 * gen_max, width_max, held_back (NVML's bits), processes ("4711:1024,4712:none": number and MiB).
 */
int nvmlDeviceGetHandleByUUID(const char *uuid, device_t *card) {
    char known[64];
    STARTED_OR_RETURN();
    for (int i = 0; i < LISTED; i++)
        if (cards[i].line[0] && fake_value(cards[i].line, "uuid", known, sizeof known) && !strcasecmp(known, uuid)) {
            *card = &cards[i];
            return 0;
        }
    return NOT_FOUND;
}

static int link_field(device_t card, const char *key, unsigned *out) {
    long long value = fake_number(card->line, key, 0);
    if (!value) return NOT_SUPPORTED;
    *out = (unsigned)value;
    return 0;
}

int nvmlDeviceGetCurrPcieLinkGeneration(device_t card, unsigned *out) {
    static int asked;
    STARTED_OR_RETURN();
    if (!asked++ && !link_field(card, "gen_idle", out)) return 0;
    return link_field(card, "gen", out);
}

int nvmlDeviceGetCurrPcieLinkWidth(device_t card, unsigned *out) {
    STARTED_OR_RETURN();
    return link_field(card, "width", out);
}

int nvmlDeviceGetMaxPcieLinkGeneration(device_t card, unsigned *out) {
    STARTED_OR_RETURN();
    return link_field(card, "gen_max", out);
}

int nvmlDeviceGetMaxPcieLinkWidth(device_t card, unsigned *out) {
    STARTED_OR_RETURN();
    return link_field(card, "width_max", out);
}

int nvmlDeviceGetCurrentClocksThrottleReasons(device_t card, unsigned long long *reasons) {
    STARTED_OR_RETURN();
    *reasons = (unsigned long long)fake_number(card->line, "held_back", 0);
    return 0;
}

struct process { unsigned pid; unsigned long long used; unsigned instance, compute_instance; };

int nvmlDeviceGetComputeRunningProcesses_v3(device_t card, unsigned *room, struct process *found) {
    char text[256] = "", *rest = text, *entry;
    unsigned number = 0;
    STARTED_OR_RETURN();
    fake_value(card->line, "processes", text, sizeof text);
    while ((entry = strsep(&rest, ",")) && *entry) {
        unsigned long long used = strtoull(strchr(entry, ':') + 1, NULL, 10) << 20;
        if (number++ < *room) found[number - 1] = (struct process){(unsigned)atoi(entry), used ? used : ~0ULL, ~0u, ~0u};
    }
    *room = number;
    return 0;
}

_Static_assert(sizeof(struct process) == 24, "NVML's layouts");
