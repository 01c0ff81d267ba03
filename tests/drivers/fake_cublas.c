/* NVIDIA's cuBLAS as far as gpuprobe calls it, on the memory of fake_cuda.c's cards, which is the process's own.
 *
 * Acts by the script in FAKE_CUBLAS; see fake.h. Settings: `version 120804` (the default), `spoil 5` (element 5 of a product
 * comes out wrong). -DVERSION=130002 gives another default; -DREFUSES=1 makes cublasCreate_v2 answer this, -DSPOILS is `spoil 5`.
 */
#define FAKE_VARIABLE "FAKE_CUBLAS"
#include "fake.h"

#ifndef VERSION
#define VERSION 120804
#endif
#ifndef REFUSES
#define REFUSES 0
#endif

#ifdef SPOILS
#define SPOILED "5"
#else
#define SPOILED "-1"
#endif

static int handle;

int cublasCreate_v2(void **made) {
    FAKE_OR_RETURN();
    if (REFUSES) return REFUSES;
    *made = &handle;
    return 0;
}

int cublasDestroy_v2(void *made) {
    FAKE_OR_RETURN();
    return made != &handle;
}

int cublasGetVersion_v2(void *made, int *version) {
    char text[32];
    FAKE_OR_RETURN();
    if (made != &handle) return 1;
    fake_setting("version", "", text, sizeof text);
    *version = text[0] ? atoi(text) : VERSION;
    return 0;
}

int cublasSgemm_v2(void *made, int left_turned, int right_turned, int m, int n, int k, const float *alpha, const float *left,
                   int left_rows, const float *right, int right_rows, const float *beta, float *product, int product_rows) {
    char text[32];
    FAKE_OR_RETURN();
    if (made != &handle) return 1;
    if (left_turned || right_turned || *beta != 0) return 15;
    for (int column = 0; column < n; column++)
        for (int row = 0; row < m; row++) {
            float sum = 0;
            for (int i = 0; i < k; i++) sum += left[i * left_rows + row] * right[column * right_rows + i];
            product[column * product_rows + row] = *alpha * sum;
        }
    fake_setting("spoil", SPOILED, text, sizeof text);
    if (atoi(text) >= 0) product[atoi(text)] += 1;
    return 0;
}
