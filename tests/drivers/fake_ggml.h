/* The part of ggml's inner interface that its base library and its backends share, as far as both doubles and the real
 * libggml-base need it (API 2; the fields up to the last one used). Names and order: ggml-backend-impl.h of llama.cpp. */
#ifndef FAKE_GGML_H
#define FAKE_GGML_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#define FAKE_VARIABLE fake_place()
static const char *fake_place(void);
#include "fake.h"

/* The script is the file `<this library>.script` where that exists, so that several builds can differ, else FAKE_GGML's. */
static const char *fake_place(void) {
    static char variable[4096];
    char path[4096];
    Dl_info own;
    if (variable[0]) return variable;
    snprintf(variable, sizeof variable, "FAKE_GGML");
    if (!dladdr((void *)fake_place, &own)) return variable;
    snprintf(path, sizeof path, "%s.script", own.dli_fname);
    if (access(path, R_OK) == 0) {
        snprintf(variable, sizeof variable, "FAKE_GGML:%s", path); /* fake.h takes the script by the variable's name */
        setenv(variable, path, 1);
    }
    return variable;
}

struct registry;
struct device;
struct backend;

struct registry {
    int api_version;
    const char *(*name)(struct registry *);
    size_t (*count)(struct registry *);
    struct device *(*device)(struct registry *, size_t);
    void *(*address)(struct registry *, const char *);
    void *context;
};

struct device {
    const char *(*name)(struct device *);
    const char *(*description)(struct device *);
    void (*memory)(struct device *, size_t *, size_t *);
    int (*type)(struct device *);
    void (*properties)(struct device *, char *);
    struct backend *(*start)(struct device *, const char *);
    void *(*buffer_type)(struct device *);
    void *rest[8]; /* host_buffer_type, buffer_from_host_ptr, supports_op, supports_buft, offload_op, event_new, _free, _synchronize */
    struct registry *registry;
    void *context;
};

struct backend {
    void *guid;
    const char *(*name)(struct backend *);
    void (*end)(struct backend *);
    void *rest[32];
};

#endif
