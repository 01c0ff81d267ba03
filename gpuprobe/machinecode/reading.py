"""Which parts of a file hold code for a GPU, and what all of them say together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from gpuprobe.machinecode.content import Content, Unread, bounded
from gpuprobe.machinecode.cuda_fatbin import CUDA_MAGIC, cuda_modules
from gpuprobe.machinecode.hip_bundle import HIP_COMPRESSED, HIP_PLAIN, hip_modules
from gpuprobe.machinecode.sections import sections
from gpuprobe.machinecode.sycl_image import SYCL_SECTION, sycl_modules
from gpuprobe.machinecode.targets import Container, Image, Module, Target, Targets, in_order

Images = Iterator[tuple[Image, ...]]

# PE cuts names after 8 bytes. `__nv_relfatbin` is not here on purpose: see cuda_fatbin.py.
_CUDA = (b".nv_fatbin", b".nv_fatb")
_HIP = (b".hip_fatbin", b".hip_fat")
_KPACK = b".rocm_kpack_ref"
_SYCL_IN_PE = SYCL_SECTION[:8]

# onnxruntime's 219 MB take 3,300 pages, and no file met has more than two such sections.
_MOST_PAGES, _MOST_PARTS = 1 << 20, 16
# Real files have fewer than ten different sets; a file with more is not one of a compiler.
_MOST_SETS = 1024


class _Gathered:
    """What was met, as it comes."""

    def __init__(self) -> None:
        self.containers: dict[Container, None] = {}
        self.sets: Counter[tuple[Target, ...]] = Counter()
        self.compressions: dict[str, None] = {}
        self.ptx: tuple[int, int] | None = None
        self.problems: dict[str, None] = {}

    def take_all(self, container: Container, images: Images) -> None:
        """As much as can be read."""
        try:
            for module in images:
                self.take(container, module)
        except Unread as unread:
            self.containers.setdefault(container)
            self.problems.setdefault(str(unread))

    def take(self, container: Container, images: tuple[Image, ...]) -> None:
        self.containers.setdefault(container)
        targets = in_order({image.target for image in images})
        if len(self.sets) >= _MOST_SETS and targets not in self.sets:
            raise Unread("its modules differ more than those of any compiler")
        self.sets[targets] += 1
        for image in images:
            if image.compression is not None:
                self.compressions.setdefault(image.compression)
            if image.ptx is not None:
                self.ptx = max(self.ptx or image.ptx, image.ptx)


def targets_in(path: str, file: Content) -> Targets:
    """What is in an open file; `path` is what it is called by."""
    gathered = _Gathered()
    try:
        for number, (container, images) in enumerate(_parts(bounded(file, _MOST_PAGES))):
            if number >= _MOST_PARTS:
                raise Unread("it has more sections with code than are read")
            gathered.take_all(container, images)
    except Unread as unread:  # the file itself, and not what lies in it
        gathered.problems.setdefault(str(unread))
    return Targets(
        path,
        containers=tuple(gathered.containers),
        modules=tuple(Module(targets, times) for targets, times in gathered.sets.most_common()),
        unread="; ".join(gathered.problems) or None,
        compressions=tuple(sorted(gathered.compressions)),
        ptx=gathered.ptx,
    )


def _parts(file: Content) -> Iterator[tuple[Container, Images]]:
    """A fat binary can lie in a section, or be a file of its own."""
    beginning = file.at(0, len(HIP_PLAIN))
    if beginning.startswith(CUDA_MAGIC):
        yield Container.CUDA_FATBIN, cuda_modules(file)
    elif beginning.startswith((HIP_PLAIN, HIP_COMPRESSED)):
        yield Container.HIP_BUNDLE, hip_modules(file)
    else:
        for section in sections(file):
            content = file.part(section.offset, section.size)
            for container, images in _part(section.name, content):
                yield container, images if content.size == section.size else _cut_off(images)


def _part(name: bytes, content: Content) -> Iterator[tuple[Container, Images]]:
    if name in _CUDA:
        yield Container.CUDA_FATBIN, cuda_modules(content)
    elif name in _HIP:
        yield Container.HIP_BUNDLE, hip_modules(content)
    elif name == _KPACK:
        yield Container.HIP_BUNDLE, _elsewhere("its code for AMD's GPUs lies in a kpack archive, which is not read")
    elif name.startswith(SYCL_SECTION):
        yield Container.SYCL, sycl_modules(name, content)
    elif name == _SYCL_IN_PE:
        yield Container.SYCL, _elsewhere("it has SYCL images, and a Windows file does not say for what")


def _cut_off(images: Images) -> Images:
    """The file can end between two modules."""
    yield from images
    raise Unread("the file is cut off")


def _elsewhere(problem: str) -> Images:
    raise Unread(problem)
    yield ()
