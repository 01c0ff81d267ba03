#!/usr/bin/env bash
# gpuprobe/machinecode/cuda_fatbin.py: cuobjdump's list of images says "sm_100" of code for the family of 10.0 (`sm_100f`), as of
# code for 10.0 alone. It tells `sm_100a` apart, and names PTX for a family. The flags in the image's header say which it is.
set -uo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m pip download --quiet --no-deps --only-binary :all: --dest "$work" --platform manylinux2014_x86_64 \
  nvidia-cuda-nvcc==13.5.37 nvidia-cuda-cuobjdump==13.5.37 || exit 75
for wheel in "$work"/*.whl; do python3 -m zipfile -e "$wheel" "$work"; done
tools=$work/nvidia/cu13/bin
chmod +x "$tools"/*
cd "$work" || exit 75

images=()
for target in sm_100 sm_100a sm_100f; do
  printf '.version 9.0\n.target %s\n.address_size 64\n.visible .entry kernel() { ret; }\n' "$target" >"$target.ptx"
  "$tools/ptxas" -arch "$target" -o "$target.cubin" "$target.ptx" || exit 75
  images+=("--image3=kind=elf,sm=${target#sm_},file=$target.cubin")
done
"$tools/fatbinary" -64 "${images[@]}" --image3=kind=ptx,sm=100f,file=sm_100f.ptx --create kernels.fatbin || exit 75

"$tools/cuobjdump" --version | tail -2
echo "The images were made for 100, 100a and 100f, and PTX for 100f; the list says:"
"$tools/cuobjdump" --list-elf --list-ptx kernels.fatbin | tee listed
names=$(sed -n 's/.*\.\(sm_[0-9a-z]*\)\.\(cubin\|ptx\)$/\1.\2/p' listed | tr '\n' ' ')
[ "$names" = "sm_100.cubin sm_100a.cubin sm_100.cubin sm_100f.ptx " ]
