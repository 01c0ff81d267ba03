#!/usr/bin/env bash
# gpuprobe/machinecode: cuobjdump of CUDA 13.5 gives up on whole files that older toolkits compiled and that are in use: one image
# for sm_35 in CatBoost ends the list before its first line, and code that CUDA 12.1 compiled is an "Invalid ELF" (bitsandbytes).
# The headers of the images are the same as everywhere, and readable.
set -uo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m pip download --quiet --no-deps --only-binary :all: --dest "$work" --python-version 3.12 --platform manylinux2014_x86_64 \
  --platform manylinux_2_24_x86_64 nvidia-cuda-cuobjdump==13.5.37 bitsandbytes==0.50.2 catboost==1.2.10 || exit 75
for wheel in "$work"/*.whl; do python3 -m zipfile -e "$wheel" "$work"; done
cuobjdump=$work/nvidia/cu13/bin/cuobjdump
chmod +x "$cuobjdump"
cd "$work" || exit 75

"$cuobjdump" --version | tail -2
changed=0
refused() { # FILE MESSAGE
  "$cuobjdump" --list-elf "$1" >listed 2>said
  echo "$1: exit code $?, $(grep -c cubin listed) images listed: $(tail -1 said)"
  grep -qF "$2" said || changed=1
}
refused catboost/_catboost.so "Support for 'sm_35' has been removed"
refused bitsandbytes/libbitsandbytes_cuda121.so "Invalid ELF"

echo "What the headers of the same images say (architecture: number of images):"
for file in catboost/_catboost.so bitsandbytes/libbitsandbytes_cuda121.so; do
  python3 - "$file" <<'PYTHON' || changed=1
import struct, subprocess, sys
from collections import Counter

table = subprocess.run(["readelf", "-SW", sys.argv[1]], capture_output=True, text=True, check=True).stdout
line = next(line.split("]")[1].split() for line in table.splitlines() if "] .nv_fatbin " in line)
offset, size = int(line[3], 16), int(line[4], 16)
with open(sys.argv[1], "rb") as file:
    file.seek(offset)
    section = file.read(size)
found, at = Counter(), 0
while at < size:
    magic, _, header, entries = struct.unpack_from("<IHHQ", section, at)
    if magic == 0:
        at += 8
        continue
    end = at + header + entries
    at += header
    while at < end:
        kind, _, start, length, _, _, _, architecture = struct.unpack_from("<HHIQIIII", section, at)
        found[architecture] += 1
        at += start + length
print(f"{sys.argv[1]}: {dict(sorted(found.items()))}")
sys.exit(at != size or len(found) < 7)
PYTHON
done
exit $changed
