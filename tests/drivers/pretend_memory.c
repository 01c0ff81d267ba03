/* Preloaded into ggml-rpc-server: its device has as much memory as PRETEND_MIB says, so that splits by memory are the same on
 * every machine. The server takes the size from sysconf(). */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>

long sysconf(int name) {
    long (*real)(int) = (long (*)(int))dlsym(RTLD_NEXT, "sysconf");
    const char *mebibytes = getenv("PRETEND_MIB");
    if (name != _SC_PHYS_PAGES || !mebibytes) return real(name);
    return atol(mebibytes) * (1024L * 1024L / real(_SC_PAGE_SIZE));
}
