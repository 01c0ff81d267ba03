/* AMD's HSA runtime as far as the real HIP 5 looks at it before it knows its devices: one processor and three GPUs.
 *
 * HIP filters by its own variables between asking which agents there are and asking for their names; stderr says in which order it
 * asks for names. -DSTUBS=X(name)…: whatever else HIP wants to be there.
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

typedef struct { uint64_t handle; } agent;
enum { PROCESSOR = 100, AGENTS = 4, NAME = 0, DEVICE_TYPE = 17 };

#define X(name) int name(void) { return 0; }
STUBS

int hsa_init(void) { return 0; }
int hsa_shut_down(void) { return 0; }

int hsa_iterate_agents(int (*take)(agent, void *), void *data) {
    int answer = 0;
    for (uint64_t i = 0; i < AGENTS && !answer; i++) answer = take((agent){PROCESSOR + i}, data);
    return answer;
}

int hsa_agent_get_info(agent which, int attribute, void *value) {
    if (attribute == DEVICE_TYPE) {
        *(int *)value = which.handle != PROCESSOR;
        return 0;
    }
    if (attribute == NAME) {
        fprintf(stderr, "looks at %d\n", (int)which.handle - PROCESSOR - 1);
        strcpy(value, "gfx900");
        return 0;
    }
    return 0x1000;
}
