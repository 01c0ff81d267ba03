#!/usr/bin/env bash
# gpuprobe/judging/consumers.py: `CUDA_VISIBLE_DEVICES=-1` hides every device from CUDA, and Ray 2.60 takes it for a list of one: a
# node with a card starts with one GPU, and its tasks are given the device -1. A list of nothing is what hides from both. For AMD
# Ray refuses ROCm's own variable, and takes HIP's.
set -uo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv" && "$work/venv/bin/pip" install --quiet --no-compile ray==2.60.0 || exit 75

"$work/venv/bin/python" - <<'PYTHON'
import os
import sys

import ray
from ray._private.accelerators import AMDGPUAcceleratorManager as amd
from ray._private.accelerators import NvidiaGPUAcceleratorManager as nvidia

print("Ray", ray.__version__)
said = {}
for value in ("-1", ""):
    os.environ["CUDA_VISIBLE_DEVICES"] = value
    said[value] = nvidia.get_current_process_visible_accelerator_ids()
    print(f"CUDA_VISIBLE_DEVICES={value!r}: the devices of this node are {said[value]}")
os.environ["ROCR_VISIBLE_DEVICES"] = "0"
try:
    refused = str(amd.get_current_process_visible_accelerator_ids())
except RuntimeError as problem:
    refused = str(problem)
print(f"ROCR_VISIBLE_DEVICES='0': {refused}")
sys.exit(said != {"-1": ["-1"], "": []} or "instead of ROCR_VISIBLE_DEVICES" not in refused)
PYTHON
