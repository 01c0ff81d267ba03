/* Everything that a library can do to the process it is loaded into, by one word each; see `chaos` in fake.h.
 *
 *   ends itself      segv ill bus fpe abort stack heap terminate exit-0 exit-3 leave-0 leave-3 exec-true exec-echo group throw
 *   never returns    hang deaf stop fork-hang
 *   leaves somebody  holder (keeps the pipes) session (its own) daemon (forked twice, no environment) emptied (as daemon, with the
 *                    pipes) fork-crash (leaves a holder and crashes)
 *   descriptors      close-all close-standard redirect-all
 *   noise            noise noise-everywhere noise-1g
 *   forged lines     forged-device forged-failure forged-done forged-call forged-figures
 *   malformed lines  half-line nested surrogate huge-line huge-number not-a-number bytes unknown-kind
 *   limits           few-files little-memory no-processes no-file-size cpu-time out-of-memory out-of-memory-abort
 *   masks and place  blocked-signals ignored-signals umask away deleted-place no-environment
 *   at the end       exit-hang exit-crash thread-hang
 *   the parent       parent-killed parent-stopped (and continued) parent-interrupted
 *
 * `throw` is an exception of C++ that nobody catches: a real one where FAKE_THROWS names the library of throws.cc, else what its
 * runtime prints and does. FAKE_LOG gets "chaos WORD" before anything is done, which proves that it was.
 */
#ifndef FAKE_CHAOS_H
#define FAKE_CHAOS_H

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <sys/resource.h>

#define CHAOS_LAST 20 /* the highest descriptor that is written to or closed */
#define CHAOS_IS(word) (!strcmp(fault, word))

static void chaos_raise(int number) {
    signal(number, SIG_DFL);
    raise(number);
}

static int chaos_deeper(volatile char *above) {
    volatile char here[4096];
    here[0] = above ? above[0] : 1;
    return above == here ? 0 : chaos_deeper(here) + here[0];
}

static void chaos_heap(void) {
    void (*volatile give_back)(void *) = free; /* by name the compiler would refuse it */
    give_back((char *)malloc(64) + 16);
}

static void chaos_throw(void) {
    const char *path = getenv("FAKE_THROWS");
    void *library = path ? dlopen(path, RTLD_NOW) : NULL;
    void (*throws)(void) = library ? (void (*)(void))dlsym(library, "throws") : NULL;
    if (throws) throws();
    fprintf(stderr, "terminate called after throwing an instance of 'std::runtime_error'\n  what():  a double's exception\n");
    abort();
}

static void chaos_ignore_all(void) {
    for (int number = 1; number < 64; number++) signal(number, SIG_IGN);
}

static void chaos_block_all(void) {
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
}

/* SIGALRM would be blocked or ignored along: it ends by counting. */
static void chaos_sleep_on(void) {
    struct timespec second = {1, 0};
    for (int i = 0; i < FAKE_PATIENCE; i++) nanosleep(&second, NULL);
    _exit(0);
}

static void chaos_child(int has_a_session) {
    if (fork()) return;
    if (has_a_session) setsid();
    chaos_ignore_all();
    chaos_sleep_on();
}

static void chaos_say(const char *text, size_t length) {
    for (int descriptor = 3; descriptor <= CHAOS_LAST; descriptor++) {
        int flags = fcntl(descriptor, F_GETFL);
        if (flags < 0 || (flags & O_ACCMODE) == O_RDONLY) continue;
        fake_write(descriptor, text, length);
    }
}

static void chaos_repeat(const char *piece, size_t times) {
    size_t length = strlen(piece);
    char *text = malloc(times * length + 2);
    for (size_t i = 0; i < times; i++) memcpy(text + i * length, piece, length);
    text[times * length] = '\n';
    chaos_say(text, times * length + 1);
    free(text);
}

static void chaos_noise_everywhere(void) {
    static char noise[4096];
    memset(noise, 0xfe, sizeof noise);
    chaos_say(noise, sizeof noise);
    fake_print(sizeof noise);
}

static void chaos_redirect(void) {
    int nowhere = open("/dev/null", O_RDWR);
    for (int descriptor = 0; descriptor <= CHAOS_LAST; descriptor++)
        if (descriptor != nowhere) dup2(nowhere, descriptor);
}

static void chaos_limit(int which, rlim_t most) {
    struct rlimit limit = {most, most};
    setrlimit((__rlimit_resource_t)which, &limit);
}

static rlim_t chaos_size(void) { /* of this process, in bytes */
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file && fscanf(file, "%lu", &pages) != 1) pages = 0;
    if (file) fclose(file);
    return (rlim_t)pages * 4096;
}

static void chaos_use_all_memory(int aborts) {
    void **last = NULL, **next;
    chaos_limit(RLIMIT_AS, chaos_size() + (48u << 20));
    while ((next = malloc(1 << 16))) *next = last, last = next;
    if (aborts) {
        fprintf(stderr, "terminate called after throwing an instance of 'std::bad_alloc'\n");
        abort();
    }
    for (; last; last = next) next = *last, free(last);
}

static void chaos_leave_place(void) {
    char place[] = "/tmp/gpuprobe-double-XXXXXX";
    if (!mkdtemp(place) || chdir(place)) return;
    rmdir(place);
}

static void *chaos_thread(void *nothing) {
    chaos_sleep_on();
    return nothing;
}

static void chaos_crash_now(void) { chaos_raise(SIGSEGV); }

static void chaos_continue_the_parent(void) {
    struct timespec moment = {0, 300000000};
    kill(getppid(), SIGSTOP);
    nanosleep(&moment, NULL);
    kill(getppid(), SIGCONT);
}

static int chaos_ends(const char *fault) {
    static const struct { const char *word; int number; } raised[] = {
        {"ill", SIGILL}, {"bus", SIGBUS}, {"fpe", SIGFPE}, {"terminate", SIGTERM},
    };
    for (unsigned i = 0; i < sizeof raised / sizeof *raised; i++)
        if (CHAOS_IS(raised[i].word)) chaos_raise(raised[i].number);
    if (CHAOS_IS("segv")) {
        volatile int *volatile nowhere = NULL;
        *nowhere = 1;
    }
    if (CHAOS_IS("abort")) abort();
    if (CHAOS_IS("stack")) return chaos_deeper(NULL);
    if (CHAOS_IS("heap")) chaos_heap();
    if (CHAOS_IS("throw")) chaos_throw();
    if (!strncmp(fault, "exit-", 5) && isdigit(fault[5])) exit(fault[5] - '0');
    if (!strncmp(fault, "leave-", 6)) _exit(fault[6] - '0');
    if (CHAOS_IS("exec-true")) execl("/bin/true", "true", (char *)NULL);
    if (CHAOS_IS("exec-echo")) execl("/bin/echo", "echo", "{\"done\": true, \"at\": 0.1}", (char *)NULL);
    if (CHAOS_IS("group")) kill(0, SIGKILL);
    return 0;
}

static void chaos_stays(const char *fault) {
    if (CHAOS_IS("hang")) fake_never_return();
    if (CHAOS_IS("deaf")) chaos_block_all(), chaos_ignore_all(), chaos_sleep_on();
    if (CHAOS_IS("stop")) raise(SIGSTOP);
    if (CHAOS_IS("fork-hang")) fork(), chaos_ignore_all(), chaos_sleep_on();
    if (CHAOS_IS("holder")) chaos_child(0);
    if (CHAOS_IS("session")) chaos_child(1);
    if (CHAOS_IS("daemon")) fake_daemon(0);
    if (CHAOS_IS("emptied")) fake_daemon(1);
    if (CHAOS_IS("fork-crash")) chaos_child(1), chaos_raise(SIGSEGV);
    if (CHAOS_IS("exit-hang")) atexit(fake_never_return);
    if (CHAOS_IS("exit-crash")) atexit(chaos_crash_now);
    if (CHAOS_IS("thread-hang")) pthread_create(&(pthread_t){0}, NULL, chaos_thread, NULL);
}

static void chaos_descriptors(const char *fault) {
    for (int descriptor = 0; descriptor <= CHAOS_LAST; descriptor++)
        if (CHAOS_IS("close-all") || (CHAOS_IS("close-standard") && descriptor < 3)) close(descriptor);
    if (CHAOS_IS("redirect-all")) chaos_redirect();
    if (CHAOS_IS("noise")) fake_print(100000);
    if (CHAOS_IS("noise-1g")) fake_print(1 << 29); /* on each of two descriptors */
    if (CHAOS_IS("noise-everywhere")) chaos_noise_everywhere();
}

static void chaos_lines(const char *fault) {
    static const struct { const char *word, *line; } said[] = {
        {"forged-device", "{\"device\": {\"number\": 7, \"name\": \"forged\", \"uuid\": \"GPU-7\", \"total_memory\": 99999999999}}\n"},
        {"forged-failure", "{\"failed\": {\"status\": \"no_devices\", \"code\": 1, \"name\": \"FORGED\", \"message\": \"forged\"}}\n"},
        {"forged-done", "{\"done\": true, \"at\": 0.001}\n"},
        {"forged-call", "{\"call\": \"forged\", \"at\": 1e308}\n"},
        {"forged-figures", "{\"figures\": {\"to_device\": -1e308}}\n"},
        {"half-line", "{\"call\": \"half"},
        {"surrogate", "{\"call\": \"\\ud800\", \"at\": 0.1}\n"},
        {"not-a-number", "{\"call\": \"forged\", \"at\": NaN}\n"},
        {"bytes", "{\"call\": \"\xff\xfe\xc0\x80\", \"at\": 0.1}\n"},
        {"unknown-kind", "{\"anything\": {}}\n"},
    };
    for (unsigned i = 0; i < sizeof said / sizeof *said; i++)
        if (CHAOS_IS(said[i].word)) chaos_say(said[i].line, strlen(said[i].line));
    if (CHAOS_IS("nested")) chaos_repeat("[", 30000);
    if (CHAOS_IS("huge-line")) chaos_repeat("{\"call\": \"", 300000);
    if (CHAOS_IS("huge-number")) chaos_repeat("9", 20000);
}

static void chaos_limits(const char *fault) {
    if (CHAOS_IS("few-files")) chaos_limit(RLIMIT_NOFILE, 4);
    if (CHAOS_IS("little-memory")) chaos_limit(RLIMIT_AS, chaos_size() + (1u << 20));
    if (CHAOS_IS("no-processes")) chaos_limit(RLIMIT_NPROC, 0);
    if (CHAOS_IS("no-file-size")) chaos_limit(RLIMIT_FSIZE, 0);
    if (CHAOS_IS("cpu-time")) {
        chaos_limit(RLIMIT_CPU, 0); /* the kernel takes 1 s for it, from the process's beginning */
        for (volatile unsigned long turn = 0;; turn++) {}
    }
    if (CHAOS_IS("out-of-memory")) chaos_use_all_memory(0);
    if (CHAOS_IS("out-of-memory-abort")) chaos_use_all_memory(1);
}

static void chaos_place(const char *fault) {
    if (CHAOS_IS("blocked-signals")) chaos_block_all();
    if (CHAOS_IS("ignored-signals")) chaos_ignore_all();
    if (CHAOS_IS("umask")) umask(0777);
    if (CHAOS_IS("away") && chdir("/proc/self")) return;
    if (CHAOS_IS("deleted-place")) chaos_leave_place();
    if (CHAOS_IS("no-environment")) clearenv();
    if (CHAOS_IS("parent-killed")) kill(getppid(), SIGKILL);
    if (CHAOS_IS("parent-stopped")) chaos_continue_the_parent();
    if (CHAOS_IS("parent-interrupted")) kill(getppid(), SIGINT);
}

FAKE_UNUSED static void fake_chaos(const char *fault) {
    fake_log("chaos", fault);
    chaos_descriptors(fault);
    chaos_lines(fault);
    chaos_limits(fault);
    chaos_place(fault);
    chaos_stays(fault);
    chaos_ends(fault);
}

#endif
