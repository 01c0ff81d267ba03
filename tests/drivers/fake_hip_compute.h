/* Memory, copies and programs of fake_hip.c, whose definitions come before. The memory of a card is the process's own; a copy of
 * a kind that does not fit to whom its two ends belong is refused.
 *
 *   corrupt                   what is copied from the card has its last byte changed
 *   unfilled NUMBER           hipMemset leaves this byte as it was
 *   spoil NUMBER              this 32-bit element of what the kernel computes has one bit turned
 *
 * A program is what fake_hiprtc.h makes: its first line names the architecture, and another one's card answers 209. The one kernel
 * is the one that gpuprobe is known to bring: element i becomes 3 · element + 7 + i.
 */
#define CODE "code of the double for "
static int program, kernel;
static const char *of_the_card[256];
static size_t sizes[256];

static void forget(const void *memory) {
    for (int i = 0; i < 256; i++)
        if (of_the_card[i] == memory) of_the_card[i] = NULL;
}

static int is_the_cards(const void *memory) {
    for (int i = 0; i < 256; i++)
        if (of_the_card[i] && (const char *)memory >= of_the_card[i] && (const char *)memory < of_the_card[i] + sizes[i]) return 1;
    return 0;
}

int hipMalloc(void **memory, size_t size) {
    FAKE_OR_RETURN();
    if (current < 0) return 201;
    *memory = calloc(1, size);
    for (int i = 0; i < 256; i++) {
        if (of_the_card[i]) continue;
        of_the_card[i] = *memory;
        sizes[i] = size;
        break;
    }
    return 0;
}

int hipHostMalloc(void **memory, size_t size, unsigned flags) {
    FAKE_OR_RETURN();
    if (current < 0 || flags) return 1;
    *memory = calloc(1, size);
    return 0;
}

static int copied(void *to, const void *from, size_t size, int kind) {
    char text[16];
    if (current < 0 || kind < 1 || kind > 3) return 1;
    if (is_the_cards(to) != (kind != 2) || is_the_cards(from) != (kind != 1)) return 1;
    memcpy(to, from, size);
    fake_setting("corrupt", "no", text, sizeof text);
    if (kind == 2 && strcmp(text, "no")) ((char *)to)[size - 1]++;
    return 0;
}

int hipMemcpy(void *to, const void *from, size_t size, int kind) {
    FAKE_OR_RETURN();
    return copied(to, from, size, kind);
}

int hipMemcpyAsync(void *to, const void *from, size_t size, int kind, void *stream) {
    FAKE_OR_RETURN();
    fake_log("way", kind == 1 ? "to" : kind == 2 ? "from" : "on");
    return stream ? 1 : copied(to, from, size, kind);
}

int hipMemset(unsigned char *memory, int byte, size_t size) {
    char text[32];
    FAKE_OR_RETURN();
    fake_setting("unfilled", "-1", text, sizeof text);
    size_t left = strtoull(text, NULL, 0);
    unsigned char before = left < size ? memory[left] : 0;
    memset(memory, byte, size);
    if (left < size) memory[left] = before == (unsigned char)byte ? (unsigned char)~before : before;
    return 0;
}

int hipDeviceSynchronize(void) {
    FAKE_OR_RETURN();
    return current < 0 ? 201 : 0;
}

int hipStreamSynchronize(void *stream) {
    FAKE_OR_RETURN();
    return stream ? 1 : 0;
}

int hipModuleLoadData(void **module, const char *code) {
    char arch[256], made_for[256] = "";
    FAKE_OR_RETURN();
    if (current < 0 || strncmp(code, CODE, strlen(CODE))) return 200;
    architecture(&listed[current], arch, sizeof arch);
    sscanf(code + strlen(CODE), "%255s", made_for);
    if (strcmp(made_for, arch)) return 209;
    *module = &program;
    return 0;
}

int hipModuleUnload(void *module) {
    FAKE_OR_RETURN();
    return module == &program ? 0 : 1;
}

int hipModuleGetFunction(void **function, void *module, const char *name) {
    FAKE_OR_RETURN();
    if (module != &program) return 1;
    if (strcmp(name, "probe")) return 500;
    *function = &kernel;
    return 0;
}

int hipModuleLaunchKernel(void *function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned x, unsigned y, unsigned z,
                          unsigned shared, void *stream, void **arguments, void **more) {
    char text[32];
    FAKE_OR_RETURN();
    if (function != &kernel || grid_y != 1 || grid_z != 1 || y != 1 || z != 1 || shared || stream || more) return 1;
    uint32_t *elements = *(uint32_t **)arguments[0];
    for (uint32_t at = 0; at < grid_x * x; at++) elements[at] = 3 * elements[at] + 7 + at;
    fake_setting("spoil", "", text, sizeof text);
    if (text[0]) elements[strtoul(text, NULL, 0)] ^= 1u << 17;
    return 0;
}
