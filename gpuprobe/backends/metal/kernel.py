"""The known kernel for Metal, as source: the system's own compiler makes the program of it."""

from __future__ import annotations

from gpuprobe.backends.known_kernel import ADDEND, FACTOR, NAME

SOURCE = f"""#include <metal_stdlib>
kernel void {NAME}(device uint *elements [[buffer(0)]], uint place [[thread_position_in_grid]]) {{
    elements[place] = {FACTOR} * elements[place] + {ADDEND} + place;
}}
"""
