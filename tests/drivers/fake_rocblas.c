/* rocBLAS as far as gpuprobe calls it. Acts by the script in FAKE_ROCBLAS; see fake.h. It is linked with the double of HIP.
 *
 *   targets gfx942 gfx1100    the architectures it has kernels for; without this line every one
 *
 * Like the real one it starts on every device that HIP lists, and aborts where one of them is of another architecture.
 */
#define FAKE_VARIABLE "FAKE_ROCBLAS"
#include "fake.h"

int hipGetDeviceCount(int *number);
int hipGetDevicePropertiesR0600(char *structure, int device);

static void look_for_kernels(void) {
    char targets[1024], structure[4096];
    int number = 0;
    fake_setting("targets", "", targets, sizeof targets);
    if (!targets[0] || hipGetDeviceCount(&number)) return;
    for (int device = 0; device < number; device++) {
        if (hipGetDevicePropertiesR0600(structure, device)) continue;
        char *arch = structure + 1160;
        arch[strcspn(arch, ":")] = 0;
        char *found = strstr(targets, arch);
        if (found && (found[strlen(arch)] == ' ' || !found[strlen(arch)])) continue;
        fprintf(stderr, "\nrocBLAS error: Cannot read TensileLibrary.dat: Illegal seek for GPU arch : %s\n", arch);
        abort();
    }
}

void rocblas_initialize(void) {
    if (!fake_at(__func__)) look_for_kernels();
}

int rocblas_create_handle(void **handle) {
    FAKE_OR_RETURN();
    look_for_kernels();
    *handle = malloc(1);
    return 0;
}

int rocblas_destroy_handle(void *handle) {
    FAKE_OR_RETURN();
    free(handle);
    return 0;
}
