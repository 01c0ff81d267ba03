#!/usr/bin/env bash
# gpuprobe/machinecode/targets.py: cuFFT 12.5 has no section for GPU code. Thousands of fat binaries lie among its data, and
# cuobjdump says that it "does not contain device code". A list of images that is empty proves nothing.
set -uo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m pip download --quiet --no-deps --only-binary :all: --dest "$work" --platform manylinux_2_28_x86_64 \
  --platform manylinux2014_x86_64 nvidia-cufft==12.5.0.14 nvidia-cuda-cuobjdump==13.5.37 || exit 75
for wheel in "$work"/*.whl; do python3 -m zipfile -e "$wheel" "$work"; done
cuobjdump=$work/nvidia/cu13/bin/cuobjdump
chmod +x "$cuobjdump"
cd "$work/nvidia/cu13/lib" || exit 75

"$cuobjdump" --version | tail -2
said=$("$cuobjdump" --list-elf --list-ptx libcufft.so.12 2>&1)
echo "exit code $?: ${said//$work/…}"
echo "Sections for GPU code: $(readelf -SW libcufft.so.12 | grep -cE 'nv_fatbin|nv_relfatbin')"
python3 - <<'PYTHON' || exit 1
import struct, sys
from collections import Counter

with open("libcufft.so.12", "rb") as file:
    whole = file.read()
containers, images, at = 0, Counter(), 0
while (at := whole.find(b"\x50\xed\x55\xba", at)) >= 0:
    _, version, header, size = struct.unpack_from("<IHHQ", whole, at)
    entry, end = at + header, at + header + size
    if (version, header) == (1, 16) and end <= len(whole):
        containers += 1
        while entry < end:
            kind, _, start, length, _, _, _, architecture = struct.unpack_from("<HHIQIIII", whole, entry)
            images[{1: "PTX", 2: "code"}.get(kind, f"kind {kind}"), architecture] += 1
            entry += start + length
    at += 4
print(f"{containers} fat binaries in the file, with {images.total()} images:")
print(", ".join(f"{times} × {kind} {architecture}" for (kind, architecture), times in sorted(images.items())))
sys.exit(containers < 1000)
PYTHON
grep -q "does not contain device code" <<<"$said"
