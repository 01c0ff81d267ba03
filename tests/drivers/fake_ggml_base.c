/* ggml's base library (libggml-base.so) as far as gpuprobe calls it, with a matrix product of its own: behind it a backend's
 * double computes. Acts by `<this library>.script` or FAKE_GGML; see fake.h.
 *
 *   version 0.25.1            what ggml_version says          commit 0ad4a86            what ggml_commit says
 *   spoil INDEX               one element of every product is wrong
 *   keeps 0                   a tensor that is written reads as zeros
 *   refuses 1                 the backend supports no product
 *
 * `error ggml_backend_graph_compute 1` and `error ggml_backend_alloc_ctx_tensors 1` (which then answers no buffer).
 * -DWITHOUT_VERSION: before ggml_version.  -DWITHOUT_PRODUCT: without ggml_mul_mat.
 * -DWITHOUT_BUFFERS: without ggml_backend_alloc_ctx_tensors.
 */
#include <stdarg.h>
#include <stdbool.h>

#include "fake_ggml.h"

static void (*hears)(int, const char *, void *);
static void *hears_with;

void ggml_log_set(void (*callback)(int, const char *, void *), void *context) {
    hears = callback;
    hears_with = context;
}

void ggml_log_internal(int level, const char *format, ...) {
    char text[1024];
    va_list values;
    va_start(values, format);
    vsnprintf(text, sizeof text, format, values);
    va_end(values);
    if (hears) hears(level, text, hears_with);
    else fputs(text, stderr);
}

#ifndef WITHOUT_VERSION
const char *ggml_version(void) {
    static char text[64];
    fake_setting("version", "0.25.1", text, sizeof text);
    return text;
}

const char *ggml_commit(void) {
    static char text[64];
    fake_setting("commit", "0ad4a86", text, sizeof text);
    return text;
}
#endif

const char *ggml_backend_reg_name(struct registry *of) { return of->name(of); }
size_t ggml_backend_reg_dev_count(struct registry *of) { return of->count(of); }
struct device *ggml_backend_reg_dev_get(struct registry *of, size_t which) { return of->device(of, which); }
void *ggml_backend_reg_get_proc_address(struct registry *of, const char *name) { return of->address(of, name); }
const char *ggml_backend_dev_name(struct device *device) { return device->name(device); }
const char *ggml_backend_dev_description(struct device *device) { return device->description(device); }
int ggml_backend_dev_type(struct device *device) { return device->type(device); }
void ggml_backend_dev_memory(struct device *device, size_t *available, size_t *total) { device->memory(device, available, total); }

void ggml_backend_dev_get_props(struct device *device, char *out) { device->properties(device, out); }

struct backend *ggml_backend_dev_init(struct device *device, const char *parameters) { return device->start(device, parameters); }

void ggml_backend_free(struct backend *backend) {
    if (!fake_at(__func__)) backend->end(backend);
}

/* A context is a list of tensors; nothing but their own functions looks into them. */
struct tensor {
    int64_t wide, high;
    struct tensor *one, *other;
    float *values;
};
struct context { struct tensor tensors[16]; int count; };
struct parameters { size_t size; void *buffer; bool no_alloc; };
struct buffer { size_t size; };

size_t ggml_tensor_overhead(void) { return sizeof(struct tensor); }
size_t ggml_graph_overhead(void) { return sizeof(struct tensor *); }

struct context *ggml_init(struct parameters given) {
    return given.no_alloc && given.size >= ggml_tensor_overhead() ? calloc(1, sizeof(struct context)) : NULL;
}

void ggml_free(struct context *context) { free(context); }

struct tensor *ggml_new_tensor_2d(struct context *context, int type, int64_t wide, int64_t high) {
    if (type || context->count == 16) abort();
    struct tensor *made = &context->tensors[context->count++];
    *made = (struct tensor){wide, high, NULL, NULL, NULL};
    return made;
}

#ifndef WITHOUT_PRODUCT
struct tensor *ggml_mul_mat(struct context *context, struct tensor *one, struct tensor *other) {
    if (one->wide != other->wide) abort();
    struct tensor *made = ggml_new_tensor_2d(context, 0, one->high, other->high);
    made->one = one;
    made->other = other;
    return made;
}
#endif

struct tensor **ggml_new_graph(struct context *context) {
    (void)context;
    return calloc(1, sizeof(struct tensor *));
}

void ggml_build_forward_expand(struct tensor **graph, struct tensor *last) { *graph = last; }

bool ggml_backend_dev_supports_op(struct device *device, const struct tensor *product) {
    char refuses[8];
    (void)device, (void)product;
    fake_setting("refuses", "0", refuses, sizeof refuses);
    return *refuses == '0';
}

static size_t bytes_of(const struct tensor *tensor) { return (size_t)(tensor->wide * tensor->high) * sizeof(float); }
size_t ggml_nbytes(const struct tensor *tensor) { return bytes_of(tensor); }

#ifndef WITHOUT_BUFFERS
struct buffer *ggml_backend_alloc_ctx_tensors(struct context *context, struct backend *backend) {
    if (fake_at(__func__) || !backend) return NULL;
    struct buffer *made = calloc(1, sizeof *made);
    for (int i = 0; i < context->count; i++) {
        context->tensors[i].values = calloc(1, bytes_of(&context->tensors[i]));
        made->size += bytes_of(&context->tensors[i]);
    }
    return made;
}
#endif

size_t ggml_backend_buffer_get_size(struct buffer *buffer) { return buffer->size; }
void ggml_backend_buffer_free(struct buffer *buffer) { free(buffer); }

void ggml_backend_tensor_set(struct tensor *tensor, const void *from, size_t offset, size_t size) {
    char keeps[8];
    fake_setting("keeps", "1", keeps, sizeof keeps);
    if (*keeps == '1') memcpy((char *)tensor->values + offset, from, size);
}

void ggml_backend_tensor_get(const struct tensor *tensor, void *to, size_t offset, size_t size) {
    memcpy(to, (const char *)tensor->values + offset, size);
}

int ggml_backend_graph_compute(struct backend *backend, struct tensor **graph) {
    const struct tensor *made = *graph;
    char spoil[32];
    FAKE_OR_RETURN();
    fake_setting("spoil", "-1", spoil, sizeof spoil);
    for (int64_t i = 0; backend && i < made->wide * made->high; i++) {
        const float *row = made->one->values + i % made->wide * made->one->wide;
        const float *column = made->other->values + i / made->wide * made->one->wide;
        for (int64_t k = 0; k < made->one->wide; k++) made->values[i] += row[k] * column[k];
        if (i == atoll(spoil)) made->values[i] += 1;
    }
    return 0;
}
