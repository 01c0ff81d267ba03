/* NVIDIA's runtime library (libcudart.so.13) as far as the real libggml-cuda calls it before it computes: it asks the double of the
 * driver below it, with which it is linked. Memory is the processor's, and no kernel ever runs. Acts by the script in
 * FAKE_CUDART too; see fake.h.
 *
 * -DSTUBS=X(name)…: whatever else the build wants to be there; each answers 0 and does nothing.
 */
#define FAKE_VARIABLE "FAKE_CUDART"
#include "fake.h"

#define X(name) int name(void) { return 0; }
STUBS

int cuInit(unsigned flags);
int cuDriverGetVersion(int *version);
int cuDeviceGetCount(int *number);
int cuDeviceGetName(char *name, int length, int device);
int cuDeviceTotalMem_v2(size_t *bytes, int device);
int cuDeviceGetAttribute(int *value, int attribute, int device);
int cuDeviceGetPCIBusId(char *address, int length, int device);
int cuDevicePrimaryCtxRetain(void **context, int device);
int cuCtxSetCurrent(void *context);
int cuMemGetInfo_v2(size_t *available, size_t *total);

static int current;

int cudaGetDeviceCount(int *number) {
    FAKE_OR_RETURN();
    int driver = 0, code = cuInit(0);
    if (!code) code = cuDriverGetVersion(&driver);
    if (!code && driver < 13000) code = 35; /* seen: the real one of 13.0 over a driver for 12.0 */
    return code ? code : cuDeviceGetCount(number);
}

int cudaDeviceGetAttribute(int *value, int attribute, int device) {
    FAKE_OR_RETURN();
    return cuDeviceGetAttribute(value, attribute, device);
}

/* cudaDeviceProp of CUDA 13; tests/backends/test_layout_ggml.py compares the offsets with NVIDIA's header. */
enum { SIZE = 1008, MEMORY = 288, SHARED = 296, WARP = 308, MAJOR = 360, MINOR = 364, UNITS = 384, INTEGRATED = 388 };

int cudaGetDeviceProperties(char *properties, int device) {
    static const int places[][2] = {{10, WARP}, {75, MAJOR}, {76, MINOR}, {16, UNITS}, {18, INTEGRATED}};
    size_t memory = 0;
    int code;
    FAKE_OR_RETURN();
    memset(properties, 0, SIZE);
    if ((code = cuDeviceGetName(properties, 256, device)) || (code = cuDeviceTotalMem_v2(&memory, device))) return code;
    memcpy(properties + MEMORY, &memory, sizeof memory);
    memcpy(properties + SHARED, &(size_t){49152}, sizeof(size_t));
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        if ((code = cuDeviceGetAttribute((int *)(properties + places[i][1]), places[i][0], device))) return code;
    return 0;
}

static int use(int device) { /* its primary context, as the runtime makes it where one is needed */
    void *context = NULL;
    int code = cuDevicePrimaryCtxRetain(&context, device);
    if (code) return code;
    current = device;
    return cuCtxSetCurrent(context);
}

int cudaSetDevice(int device) {
    FAKE_OR_RETURN();
    return use(device);
}

int cudaGetDevice(int *device) {
    FAKE_OR_RETURN();
    *device = current;
    return 0;
}

int cudaMemGetInfo(size_t *available, size_t *total) {
    FAKE_OR_RETURN();
    int code = use(current);
    return code ? code : cuMemGetInfo_v2(available, total);
}

int cudaDeviceGetPCIBusId(char *address, int length, int device) {
    FAKE_OR_RETURN();
    return cuDeviceGetPCIBusId(address, length, device);
}

int cudaMalloc(void **memory, size_t bytes) {
    FAKE_OR_RETURN();
    *memory = aligned_alloc(256, (bytes + 255) / 256 * 256); /* as the runtime's is; ggml counts on it */
    return 0;
}

int cudaFree(void *memory) {
    free(memory);
    return 0;
}

int cudaMemset(void *memory, int value, size_t bytes) {
    FAKE_OR_RETURN();
    memset(memory, value, bytes);
    return 0;
}

int cudaMemsetAsync(void *memory, int value, size_t bytes, void *stream) {
    (void)stream;
    return cudaMemset(memory, value, bytes);
}

int cudaMemcpyAsync(void *to, const void *from, size_t bytes, int kind, void *stream) {
    (void)kind, (void)stream;
    FAKE_OR_RETURN();
    memcpy(to, from, bytes);
    return 0;
}

const char *cudaGetErrorString(int code) { /* in the real one's words where something hangs on them */
    static char words[64];
    snprintf(words, sizeof words, "error %d of the double", code);
    if (code == 2) return "out of memory";
    if (code == 35) return "CUDA driver version is insufficient for CUDA runtime version";
    if (code == 46) return "CUDA-capable device(s) is/are busy or unavailable";
    return code == 100 ? "no CUDA-capable device is detected" : words;
}
