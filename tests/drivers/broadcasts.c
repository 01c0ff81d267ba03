/* Preloaded into a real llama-server: `vpbroadcastq xmm, r64` of AVX-512 is done by hand where the processor lacks it.
 *
 * A wheel is compiled for one processor, and the machine that runs the tests may be another one. Until the engine has said what a
 * model would take, its only instruction that an x86-64-v3 lacks is this one, which the compiler puts where two pointers are set.
 * Any other still ends the program.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <ucontext.h>

static const int REGISTERS[] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                                REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};
enum { LENGTH = 6 };

static void by_hand(int number, siginfo_t *reason, void *given) {
    ucontext_t *context = given;
    greg_t *registers = context->uc_mcontext.gregs;
    const uint8_t *code = (const uint8_t *)registers[REG_RIP];
    (void)reason;
    /* EVEX.128.66.0F38.W1 7C /r into one of the first 16 registers, without a mask; R and B of the prefix are inverted. */
    if (code[0] != 0x62 || (code[1] & 0x5f) != 0x52 || code[2] != 0xfd || code[3] != 0x08 || code[4] != 0x7c || code[5] < 0xc0) {
        signal(number, SIG_DFL);
        return;
    }
    uint64_t value = (uint64_t)registers[REGISTERS[(code[5] & 7) | (code[1] & 0x20 ? 0 : 8)]];
    uint64_t both[] = {value, value};
    memcpy(&context->uc_mcontext.fpregs->_xmm[(code[5] >> 3 & 7) | (code[1] & 0x80 ? 0 : 8)], both, sizeof both);
    registers[REG_RIP] += LENGTH;
}

__attribute__((constructor)) static void begin(void) {
    struct sigaction action = {0};
    action.sa_sigaction = by_hand;
    action.sa_flags = SA_SIGINFO;
    sigaction(SIGILL, &action, 0);
}
