/* The double of AMD's HIP runtime as the real libggml-hip wants it: the symbols of fake_hip.c and whatever else it imports, in
 * the version nodes of AMD's own library (tests/ggml_world.py reads both from the build). Like the real one it starts at the first
 * call that needs it. No kernel ever runs.
 *
 * -DSTUBS=X(name)…: what nobody here implements; each answers 0 and does nothing.
 */
#define hipGetDeviceCount count_devices
#define hipMemGetInfo memory_of_current
#include "fake_hip.c"
#undef hipGetDeviceCount
#undef hipMemGetInfo

#define X(name) int name(void) { return 0; }
STUBS

int hipGetDeviceCount(int *number) {
    FAKE_OR_RETURN();
    int code = hipInit(0);
    if (!code) code = count_devices(number);
    return code == 101 ? 100 : code;
}

int hipMemGetInfo(size_t *available, size_t *total) {
    FAKE_OR_RETURN();
    if (current < 0) current = 0; /* a program that names no device has the first one */
    return memory_of_current(available, total);
}

int hipGetDevice(int *device) {
    *device = current < 0 ? 0 : current;
    return 0;
}

int hipDeviceGetAttribute(int *value, int attribute, int device) {
    (void)attribute, (void)device;
    FAKE_OR_RETURN();
    *value = 0; /* no virtual memory, no cooperative launches */
    return 0;
}

const char *hipGetErrorString(int code) { return code == 100 ? "no ROCm-capable device is detected" : "an error of the double"; }
