/* The thunk (libhsakmt.so.1) below AMD's real HSA runtime 5: one processor and three GPUs, of which the last has no unique id.
 *
 * The runtime filters by ROCR_VISIBLE_DEVICES before it asks for the memory of each GPU that it keeps; stderr says in which
 * order it asks. It does not survive long behind this. Offsets: hsakmttypes.h of libhsakmt-dev 5.2.3 (packed).
 * -DSTUBS=X(name)…: whatever else the runtime wants to be there.
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { NODES = 4, NODE_SIZE = 356, MEMORY_SIZE = 32 };

#define X(name) int name(void) { return 0; }
STUBS

static void put(void *record, int offset, uint32_t value) { memcpy((char *)record + offset, &value, sizeof value); }

int hsaKmtGetVersion(void *version) { return put(version, 0, 1), put(version, 4, 11), 0; }
int hsaKmtAcquireSystemProperties(void *properties) { return put(properties, 0, NODES), 0; }

int hsaKmtGetNodeProperties(uint32_t node, void *properties) {
    uint64_t unique = node == NODES - 1 ? 0 : 0xaaaa000000000000u + node;
    memset(properties, 0, NODE_SIZE);
    put(properties, 8, 1); /* NumMemoryBanks */
    if (!node) return put(properties, 0, 4), 0; /* NumCPUCores */
    put(properties, 4, 64); /* NumFComputeCores */
    put(properties, 32, 10); /* MaxWavesPerSIMD */
    put(properties, 44, 64); /* WaveFrontSize */
    put(properties, 48, 4); /* NumShaderBanks */
    put(properties, 60, 4); /* NumSIMDPerCU */
    put(properties, 68, 9 << 10 | 100); /* EngineId: gfx900 */
    put(properties, 72, 0x1002);
    put(properties, 76, node << 8); /* LocationId */
    memcpy((char *)properties + 328, &unique, sizeof unique);
    return 0;
}

int hsaKmtGetNodeMemoryProperties(uint32_t node, uint32_t banks, void *properties) {
    if (node) fprintf(stderr, "looks at %u\n", node - 1);
    memset(properties, 0, (size_t)banks * MEMORY_SIZE);
    put(properties, 0, node != 0); /* HeapType */
    put(properties, 8, 2); /* SizeInBytes: 8 GiB */
    return 0;
}
