#!/usr/bin/env bash
# gpuprobe/machinecode/sections.py: cuobjdump for Linux says of a Windows library that it "does not contain device code"; it does
# not say that it cannot read the format. The section is there, cut to eight letters.
set -uo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
get() { python3 -m pip download --quiet --no-deps --only-binary :all: --dest "$work" --python-version 3.12 --platform "$@"; }
get manylinux2014_x86_64 nvidia-cuda-cuobjdump==13.5.37 && get win_amd64 ctranslate2==4.8.5 || exit 75
for wheel in "$work"/*.whl; do python3 -m zipfile -e "$wheel" "$work"; done
cuobjdump=$work/nvidia/cu13/bin/cuobjdump
chmod +x "$cuobjdump"
cd "$work" || exit 75

"$cuobjdump" --version | tail -2
said=$("$cuobjdump" --list-elf ctranslate2/ctranslate2.dll 2>&1)
echo "exit code $?: $said"
echo "Its sections: $(objdump -h ctranslate2/ctranslate2.dll | grep -oE '\.nv[A-Za-z_]+ +[0-9a-f]+' | tr -s ' \n' ' ')"
grep -q "does not contain device code" <<<"$said" && objdump -h ctranslate2/ctranslate2.dll | grep -q '\.nv_fatb '
