/* What the double of libnvidia-ml.so.1 says of a card's link, and its handle by UUID. Part of fake_nvml.c.
 * Keys of a device: gen and width (the link under load; gen_idle is what the first question gets), gen_max, width_max.
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
