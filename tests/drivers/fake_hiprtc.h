/* AMD's run-time compiler as far as gpuprobe calls it. Whoever includes it names the variable of its script; see fake.h.
 *
 *   targets gfx942 gfx1100    the architectures it can compile for; without this line every one
 *   log TEXT                  its words on a program that it does not compile
 *   bytes 0                   how many bytes of code it says there are
 *
 * It looks for the kernel in the source, and makes a text that names the architecture.
 */
static char rtc_target[256];
static int rtc_program;

int hiprtcCreateProgram(void **made, const char *source, const char *name, int count, const char **headers, const char **names) {
    FAKE_OR_RETURN();
    (void)headers, (void)names;
    if (!name || count || !strstr(source, "__global__ void probe(unsigned int *")) return 3;
    *made = &rtc_program;
    return 0;
}

int hiprtcCompileProgram(void *made, int count, const char **options) {
    char targets[1024];
    FAKE_OR_RETURN();
    if (made != &rtc_program || count != 1 || strncmp(options[0], "--offload-arch=", 15)) return 5;
    snprintf(rtc_target, sizeof rtc_target, "%s", options[0] + 15);
    fake_setting("targets", "", targets, sizeof targets);
    return targets[0] && !strstr(targets, rtc_target) ? 6 : 0;
}

static size_t rtc_log(char *words, size_t size) {
    fake_setting("log", "", words, size);
    return strlen(words) + 1;
}

int hiprtcGetProgramLogSize(void *made, size_t *size) {
    char words[1024], text[32];
    FAKE_OR_RETURN();
    *size = rtc_log(words, sizeof words);
    fake_setting("log_size", "", text, sizeof text);
    if (text[0]) *size = strtoull(text, NULL, 0);
    return made == &rtc_program ? 0 : 4;
}

int hiprtcGetProgramLog(void *made, char *to) {
    char words[1024];
    FAKE_OR_RETURN();
    memcpy(to, words, rtc_log(words, sizeof words));
    return made == &rtc_program ? 0 : 4;
}

int hiprtcGetCodeSize(void *made, size_t *size) {
    char text[32];
    FAKE_OR_RETURN();
    fake_setting("bytes", "4096", text, sizeof text);
    *size = strtoull(text, NULL, 0);
    return made == &rtc_program ? 0 : 4;
}

int hiprtcGetCode(void *made, char *to) {
    FAKE_OR_RETURN();
    snprintf(to, 4096, "code of the double for %s", rtc_target);
    return made == &rtc_program ? 0 : 4;
}

int hiprtcDestroyProgram(void **made) {
    FAKE_OR_RETURN();
    return *made == &rtc_program ? 0 : 4;
}
