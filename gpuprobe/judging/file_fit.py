"""Whether the code in a framework's files runs on a card: an answer per file, since a package's files differ."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gpuprobe import knowledge
from gpuprobe.facts import CodeFile, FoundSoftware
from gpuprobe.judging import architecture
from gpuprobe.judging.architecture import UNKNOWN, UNSUPPORTED, Fit
from gpuprobe.model import Device
from gpuprobe.record_classes import NamedTuple

_FEW = 4  # less than one module in so many


class FileFit(NamedTuple):
    file: CodeFile
    fit: Fit


def of_files(device: Device, files: Sequence[CodeFile]) -> Fit | None:
    """The best answer among the main files: any of them is enough to compute. None: there is none with code."""
    answers = [of_file(device, file) for file in files if file.main]
    return min(answers, key=lambda fit: fit.answer.rank, default=None)


def of_one(device: Device, files: Sequence[CodeFile]) -> Fit | None:
    """The answer where one of the main files is loaded and which is not known: certain only where they agree."""
    fits = {fit.answer is UNSUPPORTED: fit for fit in (of_file(device, file) for file in files if file.main)}
    if len(fits) < 2:
        return of_files(device, files)
    return Fit(UNKNOWN, "which of its files it loads depends on the torch beside it, and none was found")


def each_file(device: Device, found: FoundSoftware) -> tuple[FileFit, ...]:
    return tuple(FileFit(file, of_file(device, file)) for file in found.files)


def of_file(device: Device, file: CodeFile) -> Fit:
    """A file that could not be read to its end is never one without code for the card."""
    name = file.path.rpartition("/")[2]
    if not file.architectures:
        return Fit(UNKNOWN, f"what `{name}` was compiled for is not known: {file.unread or 'no section of it holds code'}")
    fit = architecture.of_device(device, file.architectures)
    if file.unread is not None and fit.answer is UNSUPPORTED:
        return Fit(UNKNOWN, f"the code that could be read in `{name}` does not run on it, and not all could be: {file.unread}")
    if fit.by_compiler:
        fit = fit._replace(toolkit=next((row.toolkit for row in knowledge.ptx() if row.version == file.ptx), None))
    lacking = _lacking(device, file) if fit.answer is not UNSUPPORTED else None
    return fit if lacking is None else fit._replace(because=f"{fit.because}; {lacking}")


def _lacking(device: Device, file: CodeFile) -> str | None:
    """That few of the file's kernels are for this card. Some for other cards alone are in most files: half of those of
    onnxruntime-gpu 1.31 are for one architecture."""
    fitting = [each for each in file.sets if architecture.of_device(device, each.architectures).answer is not UNSUPPORTED]
    few, many = (sum(each.modules for each in sets) for sets in (fitting, file.sets))
    return f"only {few} of its {many} modules have" if few * _FEW < many else None


def for_one_alone(architectures: Sequence[str]) -> bool:
    """Whether all are of the kind that runs on exactly one capability: such kernels are written for that card."""
    known = [architecture.compiled(text) for text in architectures]
    return bool(known) and all(one is not None and one.suffix == "a" for one in known)


def without_code(device: Device, found: FoundSoftware) -> Iterator[CodeFile]:
    """The parts that do not run on a card on which the whole does."""
    for file, fit in each_file(device, found):
        if fit.answer is UNSUPPORTED and not for_one_alone(file.architectures):
            yield file
