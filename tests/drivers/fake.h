/* What every double of a driver shares: its script, and the misbehaviour that the script asks for.
 *
 * A double names its variable before the inclusion:  #define FAKE_VARIABLE "FAKE_CUDA"
 * The variable holds the script itself, or, where it begins with '/', the path of a file that holds it. One thing a line;
 * FUNCTION is the name of a library function, or `load` for the moment in which the library is loaded:
 *
 *   # anything                a remark
 *   error FUNCTION CODE       the call does nothing and answers CODE
 *   silent FUNCTION           the call answers success and writes nothing
 *   crash FUNCTION            a real segmentation fault
 *   abort FUNCTION            abort()
 *   exit FUNCTION STATUS      the process ends from inside the call
 *   hang FUNCTION             ignores SIGTERM and never returns
 *   stop FUNCTION             stops itself (SIGSTOP), as a debugger or a job control would
 *   sleep FUNCTION MS         returns as usual, MS milliseconds later
 *   orphan FUNCTION           leaves a process behind: session of its own, every descriptor kept open, SIGTERM ignored
 *   daemon FUNCTION [holding] leaves a process behind that forked twice, has a session of its own and nothing in its
 *                           environment; every descriptor is closed, or only those are kept that every program has
 *   print FUNCTION BYTES      writes that many bytes of noise to stdout and as many to stderr
 *   rubbish FUNCTION          writes a line that is not JSON to the descriptors 3 to 20
 *   say FUNCTION TEXT         writes the rest of the line to stderr
 *   chaos FUNCTION WORD       one of the faults of fake_chaos.h, which are all that a library can do to its process
 *
 * FUNCTION@2 means the second call of that function only. Several lines for one function are all carried out, in order.
 * Other lines are settings of the double (`driver 13000`) and descriptions (`device name="NVIDIA X" memory=1024`): the values
 * are written as they are up to the next blank, or in double quotes with \n \t \e \" \\ and \xHH inside.
 * Whatever never returns ends after five minutes all the same, so that a failed test leaves nothing behind.
 */
#ifndef FAKE_H
#define FAKE_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <ctype.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define FAKE_UNUSED __attribute__((unused))
#define FAKE_PATIENCE 300 /* seconds */

/* The script in a variable ("" where it is unset). Read anew where its file has changed; what was read is never freed, because
 * somebody may still be looking at it. */
FAKE_UNUSED static const char *fake_script(const char *variable) {
    static struct { char name[32]; struct stat state; char *text; } read[4];
    const char *value = getenv(variable);
    struct stat now;
    if (!value || value[0] != '/') return value ? value : "";
    int place = 0;
    while (place < 3 && read[place].text && strcmp(read[place].name, variable)) place++;
    if (!stat(value, &now) && read[place].text && !strcmp(read[place].name, variable) && now.st_ino == read[place].state.st_ino &&
        now.st_size == read[place].state.st_size && !memcmp(&now.st_mtim, &read[place].state.st_mtim, sizeof now.st_mtim))
        return read[place].text;
    FILE *file = fopen(value, "r");
    char *text = calloc(1, 1 << 20);
    if (!file || !text) {
        fprintf(stderr, "%s names %s, which cannot be read\n", variable, value);
        _exit(99);
    }
    text[fread(text, 1, (1 << 20) - 1, file)] = 0;
    fclose(file);
    snprintf(read[place].name, sizeof read[place].name, "%s", variable);
    read[place].state = now, read[place].text = text;
    return text;
}

FAKE_UNUSED static const char *fake_next_line(const char *line) {
    const char *end = strchr(line, '\n');
    return end ? end + 1 : line + strlen(line);
}

/* Does the line begin with this word? Then where its rest begins, else NULL. */
FAKE_UNUSED static const char *fake_rest(const char *line, const char *word) {
    size_t length = strlen(word);
    while (*line == ' ' || *line == '\t') line++;
    if (strncmp(line, word, length) || !(line[length] == ' ' || line[length] == '\n' || !line[length])) return NULL;
    line += length;
    while (*line == ' ') line++;
    return line;
}

FAKE_UNUSED static char fake_escaped(const char **from) {
    char letter = *++*from;
    if (letter == 'x') {
        char digits[3] = {(*from)[1], (*from)[1] ? (*from)[2] : 0, 0};
        *from += strlen(digits);
        return (char)strtol(digits, NULL, 16);
    }
    return letter == 'n' ? '\n' : letter == 't' ? '\t' : letter == 'e' ? 27 : letter;
}

/* The value of `key=` in a line, unquoted, into `out`; 0 where the line has no such key. */
FAKE_UNUSED static int fake_value(const char *line, const char *key, char *out, size_t size) {
    size_t length = strlen(key), written = 0;
    int quoted = 0;
    for (const char *at = line; *at && *at != '\n'; at++) {
        if (*at == '"') quoted = !quoted;
        if (quoted && *at == '\\' && at[1]) at++;
        if (quoted || at == line || at[-1] != ' ' || strncmp(at, key, length) || at[length] != '=') continue;
        at += length + 1;
        quoted = *at == '"';
        for (at += quoted; *at && *at != '\n' && *at != (quoted ? '"' : ' ') && written + 1 < size; at++)
            out[written++] = quoted && *at == '\\' ? fake_escaped(&at) : *at;
        out[written] = 0;
        return 1;
    }
    return 0;
}

FAKE_UNUSED static long long fake_number(const char *line, const char *key, long long otherwise) {
    char value[64];
    return fake_value(line, key, value, sizeof value) ? strtoll(value, NULL, 0) : otherwise;
}

/* The rest of the line that begins with this word, up to its end, into `out`; `otherwise` where no line does. */
FAKE_UNUSED static void fake_setting(const char *word, const char *otherwise, char *out, size_t size) {
    snprintf(out, size, "%s", otherwise);
    for (const char *line = fake_script(FAKE_VARIABLE); *line; line = fake_next_line(line)) {
        const char *rest = fake_rest(line, word);
        if (rest) snprintf(out, size, "%.*s", (int)strcspn(rest, "\n"), rest);
    }
}

/* One line appended to the file that FAKE_LOG names, if it is set. */
FAKE_UNUSED static void fake_log(const char *what, const char *which) {
    const char *path = getenv("FAKE_LOG");
    FILE *file = path ? fopen(path, "a") : NULL;
    if (!file) return;
    fprintf(file, "%s %s\n", what, which);
    fclose(file);
}

FAKE_UNUSED static void fake_never_return(void) {
    signal(SIGTERM, SIG_IGN);
    signal(SIGALRM, SIG_DFL);
    alarm(FAKE_PATIENCE);
    for (;;) pause();
}

FAKE_UNUSED static void fake_write(int descriptor, const char *text, size_t length) {
    while (length) {
        ssize_t written = write(descriptor, text, length);
        if (written <= 0) return;
        text += written;
        length -= (size_t)written;
    }
}

FAKE_UNUSED static void fake_print(long long bytes) {
    static char noise[65536];
    memset(noise, '.', sizeof noise);
    for (size_t at = 79; at < sizeof noise; at += 80) noise[at] = '\n';
    for (; bytes > 0; bytes -= (long long)sizeof noise) {
        size_t length = bytes < (long long)sizeof noise ? (size_t)bytes : sizeof noise;
        fake_write(1, noise, length);
        fake_write(2, noise, length);
    }
}

/* Its name is the value of FAKE_MARK, since its environment is gone. */
FAKE_UNUSED static void fake_daemon(int is_holding) {
    char *nothing[] = {NULL}, patience[16];
    const char *mark = getenv("FAKE_MARK");
    snprintf(patience, sizeof patience, "%d", FAKE_PATIENCE);
    pid_t between = fork();
    if (between) {
        waitpid(between, NULL, 0);
        return;
    }
    setsid();
    if (fork()) _exit(0);
    for (int descriptor = is_holding ? 3 : 0; descriptor < 64; descriptor++) close(descriptor);
    execle("/bin/sleep", mark ? mark : "sleep", patience, (char *)NULL, nothing);
    _exit(1);
}

#include "fake_chaos.h"

FAKE_UNUSED static void fake_act(const char *verb, const char *argument) {
    if (!strcmp(verb, "crash")) {
        volatile int *volatile nowhere = NULL;
        *nowhere = 1;
    } else if (!strcmp(verb, "abort")) {
        abort();
    } else if (!strcmp(verb, "exit")) {
        exit(atoi(argument));
    } else if (!strcmp(verb, "hang")) {
        fake_never_return();
    } else if (!strcmp(verb, "stop")) {
        raise(SIGSTOP);
    } else if (!strcmp(verb, "sleep")) {
        struct timespec pause_for = {atol(argument) / 1000, atol(argument) % 1000 * 1000000};
        nanosleep(&pause_for, NULL);
    } else if (!strcmp(verb, "orphan")) {
        if (fork() == 0) {
            setsid();
            fake_never_return();
        }
    } else if (!strcmp(verb, "daemon")) {
        fake_daemon(!strcmp(argument, "holding"));
    } else if (!strcmp(verb, "print")) {
        fake_print(atoll(argument));
    } else if (!strcmp(verb, "rubbish")) {
        for (int descriptor = 3; descriptor <= 20; descriptor++) fake_write(descriptor, "no JSON {\n", 10);
    } else if (!strcmp(verb, "say")) {
        dprintf(2, "%.*s\n", (int)strcspn(argument, "\n"), argument);
    } else if (!strcmp(verb, "chaos")) {
        fake_chaos(argument);
    }
}

/* How often a function was asked, this time included. */
FAKE_UNUSED static int fake_count(const char *function) {
    static struct { char name[64]; int count; } seen[64];
    for (int i = 0; i < 64; i++) {
        if (!seen[i].name[0]) snprintf(seen[i].name, sizeof seen[i].name, "%s", function);
        if (!strcmp(seen[i].name, function)) return ++seen[i].count;
    }
    return 0;
}

static int fake_is_silent;

/* Does what the script asks for in this function and gives the scripted error code, or 0. */
FAKE_UNUSED static int fake_at(const char *function) {
    int code = 0, count = fake_count(function), wanted;
    char verb[16], name[64], argument[256];
    fake_is_silent = 0;
    for (const char *line = fake_script(FAKE_VARIABLE); *line; line = fake_next_line(line)) {
        char copy[512];
        snprintf(copy, sizeof copy, "%.*s", (int)strcspn(line, "\n"), line);
        argument[0] = 0;
        if (sscanf(copy, "%15s %63s %255[^\n]", verb, name, argument) < 2) continue;
        char *at = strchr(name, '@');
        wanted = at ? atoi(at + 1) : count;
        if (at) *at = 0;
        if (strcmp(name, function) || wanted != count) continue;
        if (!strcmp(verb, "error")) code = (int)strtol(argument, NULL, 0);
        else if (!strcmp(verb, "silent")) fake_is_silent = 1;
        else fake_act(verb, argument);
    }
    return code;
}

/* For functions that answer 0 for success: carries out the script and returns early where it says so. */
#define FAKE_OR_RETURN()                                   \
    do {                                                   \
        int fake_code = fake_at(__func__);                 \
        if (fake_code || fake_is_silent) return fake_code; \
    } while (0)

__attribute__((constructor)) static void fake_loaded(void) { fake_at("load"); }

#endif
