/* Preloaded into llama-server: a device of ggml-rpc-server answers as a graphics card does, where that changes what goes where.
 *
 * A plain RPC device takes no single operation whose weights are on the host, has no memory on the host that both sides reach,
 * and no events. A card takes an operation from 32 rows on, has such memory, and events. Every function here has the name of
 * the one it stands before in libggml-base; what is no device of a card goes on to that one.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { CPU = 0, FROM_ROWS = 32 };

struct tensor { /* the beginning of ggml's own */
    int type;
    void *buffer;
    int64_t ne[4];
    size_t nb[4];
    int op;
};

struct properties {
    const char *name, *description;
    size_t memory_free, memory_total;
    int type;
    const char *device_id;
    bool async, host_buffer, buffer_from_host_ptr, events, more[8];
};

extern const char *ggml_op_name(int op);
extern int ggml_backend_dev_type(void *device);
extern void *ggml_backend_cpu_buffer_type(void);

static void *next(const char *name) { return dlsym(RTLD_NEXT, name); }

static int64_t rows(const struct tensor *tensor) {
    const char *name = ggml_op_name(tensor->op);
    if (strcmp(name, "GET_ROWS") == 0) return 0;
    if (strcmp(name, "MUL_MAT") == 0) return tensor->ne[1];
    if (strcmp(name, "MUL_MAT_ID") == 0 || strcmp(name, "ROPE") == 0 || strcmp(name, "ROPE_BACK") == 0) return tensor->ne[2];
    return tensor->ne[1] * tensor->ne[2] * tensor->ne[3];
}

bool ggml_backend_dev_offload_op(void *device, const struct tensor *tensor) {
    return ggml_backend_dev_type(device) != CPU && rows(tensor) >= FROM_ROWS;
}

void ggml_backend_dev_get_props(void *device, struct properties *properties) {
    void (*real)(void *, struct properties *) = (void (*)(void *, struct properties *))next("ggml_backend_dev_get_props");
    real(device, properties);
    if (ggml_backend_dev_type(device) != CPU) properties->async = properties->host_buffer = properties->events = true;
}

void *ggml_backend_dev_host_buffer_type(void *device) {
    void *(*real)(void *) = (void *(*)(void *))next("ggml_backend_dev_host_buffer_type");
    return ggml_backend_dev_type(device) != CPU ? ggml_backend_cpu_buffer_type() : real(device);
}
