#!/usr/bin/env bash
# gpuprobe/judging/consumers.py: `ROCR_VISIBLE_DEVICES=-1` hides every card from ROCm, and torch 2.14 counts one: it takes the number
# of entries, where it reads HIP's list entry by entry and ends at -1. So `torch.cuda.device_count()` says 1 where the first use
# fails. Shown with torch's own function, out of the smallest of its wheels; it needs no library.
set -uo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m pip download --quiet --no-deps --only-binary :all: --dest "$work" --python-version 3.12 --platform macosx_14_0_arm64 \
  torch==2.14.1 || exit 75

python3 - "$work"/torch-*.whl <<'PYTHON'
import ast
import os
import sys
import types
import typing
import zipfile

text = zipfile.ZipFile(sys.argv[1]).read("torch/cuda/__init__.py").decode()
tree = ast.parse(text)
tree.body = [each for each in tree.body if isinstance(each, ast.FunctionDef) and each.name == "_parse_visible_devices"]
torch = types.SimpleNamespace(version=types.SimpleNamespace(hip="7.0"))
known = {"os": os, "cast": typing.cast, "torch": torch}
exec(compile(tree, "torch/cuda/__init__.py", "exec"), known)
print(os.path.basename(sys.argv[1]))
found = {}
for name in ("ROCR_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES"):
    os.environ[name] = "-1"
    found[name] = known["_parse_visible_devices"]()
    print(f"{name}=-1: torch for ROCm sees the devices {found[name]}")
    del os.environ[name]
sys.exit(found != {"ROCR_VISIBLE_DEVICES": [0], "HIP_VISIBLE_DEVICES": []})
PYTHON
