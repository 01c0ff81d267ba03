/* rocBLAS as far as gpuprobe calls it. Acts by the script in FAKE_ROCBLAS; see fake.h. It is linked with the double of HIP.
 *
 *   targets gfx942 gfx1100    the architectures it has kernels for; without this line every one
 *   spoil 5                   element 5 of a product comes out wrong
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

int rocblas_sgemm(void *handle, int left_turned, int right_turned, int m, int n, int k, const float *alpha, const float *left,
                  int left_rows, const float *right, int right_rows, const float *beta, float *product, int product_rows) {
    char text[32];
    FAKE_OR_RETURN();
    if (!handle) return 1;
    if (left_turned != 111 || right_turned != 111 || *beta != 0) return 11;
    for (int column = 0; column < n; column++)
        for (int row = 0; row < m; row++) {
            float sum = 0;
            for (int i = 0; i < k; i++) sum += left[i * left_rows + row] * right[column * right_rows + i];
            product[column * product_rows + row] = *alpha * sum;
        }
    fake_setting("spoil", "-1", text, sizeof text);
    if (atoi(text) >= 0) product[atoi(text)] += 1;
    return 0;
}
