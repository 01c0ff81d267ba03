/* The `device` lines that the Vulkan doubles share. Memory is in bytes.
 *
 *   device name="…" type=discrete|integrated|cpu|virtual|other uuid=… pci=0000:01:00.0 memory=25769803776 free=…
 *          vendor=0x10de device=0x2684 driver_id=4 driver_name=NVIDIA driver_info=580.95.05
 *
 * A UUID may have NVIDIA's GPU- in front. free=zero: the budget extension is offered and answers budgets of 0.
 */
#ifndef FAKE_VULKAN_H
#define FAKE_VULKAN_H
#include "fake.h"

/* The n-th `device` line, or NULL where there are fewer. */
FAKE_UNUSED static const char *device_line(int number) {
    for (const char *line = fake_script(FAKE_VARIABLE); *line; line = fake_next_line(line))
        if (fake_rest(line, "device") && number-- == 0) return line;
    return NULL;
}

FAKE_UNUSED static uint32_t device_type(const char *line, uint32_t otherwise) {
    static const char *const types[] = {"other", "integrated", "discrete", "virtual", "cpu"};
    char type[32];
    if (!fake_value(line, "type", type, sizeof type)) return otherwise;
    for (uint32_t number = 0; number < 5; number++)
        if (!strcmp(type, types[number])) return number;
    return (uint32_t)strtoul(type, NULL, 0);
}

/* 0 where the line has no `uuid`. */
FAKE_UNUSED static int device_uuid(const char *line, uint8_t uuid[16]) {
    char text[64], digits[33] = "";
    if (!fake_value(line, "uuid", text, sizeof text)) return 0;
    for (const char *from = text + (strncmp(text, "GPU-", 4) ? 0 : 4); *from && strlen(digits) < 32; from++)
        if (*from != '-') strncat(digits, from, 1);
    for (size_t i = 0; i < 16; i++) {
        char pair[3] = {digits[2 * i], digits[2 * i + 1], 0};
        uuid[i] = (uint8_t)strtoul(pair, NULL, 16);
    }
    return 1;
}

/* Domain, bus, device, function; 0 where the line has no address that reads as one. */
FAKE_UNUSED static int device_pci(const char *line, uint32_t place[4]) {
    char text[64];
    if (!fake_value(line, "pci", text, sizeof text)) return 0;
    return sscanf(text, "%x:%x:%x.%x", &place[0], &place[1], &place[2], &place[3]) == 4;
}

/* Budget and usage of the first heap, in bytes; 0 where the line has no `free`. */
FAKE_UNUSED static int device_budget(const char *line, uint64_t *budget, uint64_t *usage) {
    char text[64];
    if (!fake_value(line, "free", text, sizeof text)) return 0;
    *usage = strcmp(text, "zero") ? 64 << 20 : 0;
    *budget = strtoull(text, NULL, 0) + *usage;
    return 1;
}

#endif
