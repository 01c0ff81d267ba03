/* Preloaded into a real llama-server: where it meets an instruction that this processor lacks, it stays as it stands.
 *
 * A wheel is compiled for one processor (AVX-VNNI, AMX), and the machine that runs the tests may be another one. By then the model
 * is loaded, its buffers are said, and its port is open: all that a look from outside can see.
 */
#include <signal.h>
#include <unistd.h>

static void stay(int number) {
    (void)number;
    for (;;) pause();
}

__attribute__((constructor)) static void begin(void) {
    struct sigaction action = {0};
    action.sa_handler = stay;
    sigaction(SIGILL, &action, 0);
}
