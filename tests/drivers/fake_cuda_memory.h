/* What the double of libcuda.so.1 does in a context: memory, copies, a module and its kernel. Part of fake_cuda.c.
 *
 * A card's memory is the process's own. The kernel of gpuprobe's ladder is computed here by its meaning, not by its text, which
 * is only looked at for its entry and its target. Keys of a device: spoil=N (the kernel's element N comes out wrong),
 * smudge=N (byte N of a copy across the card comes out wrong), grip=BYTES (a context takes so much of `free`),
 * hangs=1 (its kernel never ends), wears=FILE (element 0 is wrong in every second launch; FILE counts them).
 * FAKE_LOG gets "times UUID" with page-locked memory, and "timed UUID" when that is given back.
 * After `error cuModuleLoadDataEx CODE` the compiler's log says "ptxas fatal : the double refuses it".
 */
static void *live[64];
static int streams;
struct kernel { int is_probe; };
static struct kernel loaded_kernel;

#define CONTEXT_OR_RETURN() \
    FAKE_OR_RETURN();       \
    if (!current) return 201

static int is_live(unsigned long long where) {
    for (int i = 0; i < 64; i++)
        if (live[i] && (uintptr_t)live[i] == where) return i + 1;
    return 0;
}

int cuMemAlloc_v2(unsigned long long *where, size_t size) {
    CONTEXT_OR_RETURN();
    int place = 0;
    while (place < 64 && live[place]) place++;
    if (place == 64 || (long long)size > number_of(current, "free", number_of(current, "memory", 8LL << 30))) return 2;
    live[place] = malloc(size);
    *where = (uintptr_t)live[place];
    return live[place] ? 0 : 2;
}

int cuMemFree_v2(unsigned long long where) {
    CONTEXT_OR_RETURN();
    int place = is_live(where);
    if (!place) return 1;
    free(live[place - 1]);
    live[place - 1] = NULL;
    return 0;
}

static int copied(void *to, const void *from, size_t size, unsigned long long device) {
    if (!is_live(device)) return 1;
    memcpy(to, from, size);
    return 0;
}

int cuMemcpyHtoD_v2(unsigned long long to, const void *from, size_t size) {
    CONTEXT_OR_RETURN();
    return copied((void *)(uintptr_t)to, from, size, to);
}

int cuMemcpyDtoH_v2(void *to, unsigned long long from, size_t size) {
    CONTEXT_OR_RETURN();
    return copied(to, (void *)(uintptr_t)from, size, from);
}

int cuMemcpyDtoD_v2(unsigned long long to, unsigned long long from, size_t size) {
    CONTEXT_OR_RETURN();
    if (!is_live(to)) return 1;
    int code = copied((void *)(uintptr_t)to, (void *)(uintptr_t)from, size, from);
    long long smudged = number_of(current, "smudge", -1);
    if (!code && smudged >= 0 && (size_t)smudged < size) ((unsigned char *)(uintptr_t)to)[smudged] ^= 4;
    return code;
}

int cuMemHostAlloc(void **host, size_t size, unsigned flags) {
    CONTEXT_OR_RETURN();
    log_card("times", current);
    *host = flags ? NULL : malloc(size);
    return *host ? 0 : 2;
}

int cuMemFreeHost(void *host) {
    CONTEXT_OR_RETURN();
    log_card("timed", current);
    free(host);
    return 0;
}

int cuStreamCreate(void **stream, unsigned flags) {
    CONTEXT_OR_RETURN();
    streams++;
    *stream = &streams;
    return flags > 1;
}

int cuStreamDestroy_v2(void *stream) {
    CONTEXT_OR_RETURN();
    return stream != &streams;
}

int cuStreamSynchronize(void *stream) {
    CONTEXT_OR_RETURN();
    return stream != &streams;
}

int cuMemcpyHtoDAsync_v2(unsigned long long to, const void *from, size_t size, void *stream) {
    CONTEXT_OR_RETURN();
    fake_log("way", "to");
    return stream != &streams ? 400 : copied((void *)(uintptr_t)to, from, size, to);
}

int cuMemcpyDtoHAsync_v2(void *to, unsigned long long from, size_t size, void *stream) {
    CONTEXT_OR_RETURN();
    fake_log("way", "from");
    return stream != &streams ? 400 : copied(to, (void *)(uintptr_t)from, size, from);
}

int cuMemcpyDtoDAsync_v2(unsigned long long to, unsigned long long from, size_t size, void *stream) {
    CONTEXT_OR_RETURN();
    fake_log("way", to == from ? "nowhere" : "on");
    if (stream != &streams || !is_live(to)) return 400;
    return copied((void *)(uintptr_t)to, (void *)(uintptr_t)from, size, from);
}

int cuModuleLoadDataEx(void **module, const char *image, unsigned count, const int *options, void **values) {
    int code = fake_at(__func__), major = 8;
    char text[64] = "8.9", wanted[32];
    for (unsigned i = 0; code && i < count; i++)
        if (options[i] == 5) strcpy(values[i], "ptxas fatal   : the double refuses it");
    if (code || fake_is_silent) return code;
    if (!current) return 201;
    value_of(current, "cc", text, sizeof text);
    sscanf(text, "%d", &major);
    snprintf(wanted, sizeof wanted, ".target sm_%d0\n", major < 5 ? 3 : 5);
    if (!strstr(image, ".visible .entry probe(") || !strstr(image, wanted)) return 218;
    loaded_kernel.is_probe = 1;
    *module = &loaded_kernel;
    return 0;
}

int cuModuleGetFunction(void **function, void *module, const char *name) {
    CONTEXT_OR_RETURN();
    if (module != &loaded_kernel || strcmp(name, "probe")) return 500;
    *function = &loaded_kernel;
    return 0;
}

static long launched_before(const struct card *card) {
    char path[512];
    if (!value_of(card, "wears", path, sizeof path)) return 0;
    FILE *file = fopen(path, "a");
    if (!file) return 0;
    long launches = ftell(file);
    fputc('.', file);
    fclose(file);
    return launches;
}

int cuLaunchKernel(void *function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned shared,
                   void *stream, void **parameters, void **extra) {
    CONTEXT_OR_RETURN();
    if (function != &loaded_kernel || gy != 1 || gz != 1 || by != 1 || bz != 1 || bx > 1024 || shared || stream || extra) return 1;
    unsigned *elements = (unsigned *)(uintptr_t)*(unsigned long long *)parameters[0], n = *(unsigned *)parameters[1];
    if (!is_live((uintptr_t)elements)) return 700;
    for (unsigned i = 0; i < gx * bx && i < n; i++) elements[i] = elements[i] * 3 + 7 + i;
    if (number_of(current, "hangs", 0)) fake_never_return();
    long long spoiled = launched_before(current) % 2 ? 0 : number_of(current, "spoil", -1);
    if (spoiled >= 0 && spoiled < n) elements[spoiled] ^= 1u << 20;
    return 0;
}

int cuCtxSynchronize(void) {
    CONTEXT_OR_RETURN();
    return 0;
}
