/* A function of C++ that throws what nobody catches: the real thing for the fault `throw` of fake_chaos.h. */
#include <stdexcept>

extern "C" void throws() { throw std::runtime_error("a double's exception"); }
