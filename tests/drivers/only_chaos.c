/* The faults of fake_chaos.h for doubles that are no C: `only_chaos(WORD)`. */
#define FAKE_VARIABLE "FAKE_ONLY_CHAOS"
#include "fake.h"

void only_chaos(const char *fault) { fake_chaos(fault); }
