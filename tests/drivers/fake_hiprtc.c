/* AMD's run-time compiler (libhiprtc.so.6), by the script in FAKE_HIPRTC; see fake_hiprtc.h. */
#define FAKE_VARIABLE "FAKE_HIPRTC"
#include "fake.h"

#include "fake_hiprtc.h"
