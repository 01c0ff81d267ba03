"""What holds the clocks of an NVIDIA card back, as NVML numbers it for its own listing and for the witness beside CUDA."""

from __future__ import annotations

# nvml.h, nvmlClocksEventReason*; 0x1, that the card is idle, holds nothing back.
HELD_BACK_BY = {
    0x2: "application_clocks",
    0x4: "software_power_cap",
    0x8: "hardware_slowdown",
    0x10: "sync_boost",
    0x20: "software_thermal",
    0x40: "hardware_thermal",
    0x80: "power_brake",
    0x100: "display_clocks",
}
# Of these those that a healthy card does not have: neither a setting of its owner nor a limit that every card reaches at work.
SLOWED_DOWN = 0x8 | 0x20 | 0x40 | 0x80
