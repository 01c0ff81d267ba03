"""What the checks of NVIDIA's cards share: what they look at, and how it is put."""
