"""Which of bitsandbytes' files is loaded, of which there is one for each release of CUDA and of ROCm."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from gpuprobe.facts import FoundSoftware
from gpuprobe.survey.frameworks import Part

_NAMED_BY = {"CUDA": ("BNB_CUDA_VERSION", "cuda"), "ROCm": ("BNB_ROCM_VERSION", "rocm")}


def chosen(paths: Sequence[str], part: Part, torch: FoundSoftware | None, environ: Mapping[str, str]) -> list[str]:
    """bitsandbytes 0.50 takes the file that a variable names, whether it is there or not; else that of torch's own release,
    the next lower of its major version, the next higher. Without torch, or its release, none is chosen yet: all are there."""
    if torch is None:
        return list(paths)
    if torch.library is None or torch.library != part.library:
        return []
    name = _named(torch, environ)
    if name is not None:
        return [path for path in paths if path.rpartition("/")[2] == name]
    wanted = _numbers(torch.release)
    if wanted is None:
        return list(paths)
    known = {_of_file(path): path for path in paths}
    same = sorted(release for release in known if release and release[0] == wanted[0])
    lower = [release for release in same if release <= wanted]
    return [known[lower[-1] if lower else same[0]]] if same else []


def none_because(torch: FoundSoftware | None, environ: Mapping[str, str]) -> str | None:
    """Why none of the files that are there is loaded: a clause; None where torch would take one."""
    if torch is None:
        return None
    if torch.library is None:
        return "the torch beside it is for the CPU alone, and so none of its libraries for GPUs is loaded"
    name = _named(torch, environ)
    if name is None:
        return f"it has no library for the {torch.library} {torch.release or ''}".rstrip() + " of the torch beside it"
    variable = _NAMED_BY[torch.library][0]
    return f"`{variable}={environ[variable]}` makes it load `{name}`, which is not there; `unset {variable}` lets it choose"


def chosen_because(torch: FoundSoftware | None, environ: Mapping[str, str]) -> str | None:
    """That a variable and not torch decides, as a clause; None: none does."""
    if torch is None or _named(torch, environ) is None:
        return None
    variable = _NAMED_BY[torch.library or ""][0]
    return f"`{variable}={environ[variable]}` chose its library, and `unset {variable}` lets it choose by torch"


def _named(torch: FoundSoftware, environ: Mapping[str, str]) -> str | None:
    """What a variable makes it load. It counts also where it is empty or no number: then the import fails."""
    variable, kind = _NAMED_BY.get(torch.library or "", ("", ""))
    return f"libbitsandbytes_{kind}{environ[variable]}.so" if variable in environ else None


def _of_file(path: str) -> tuple[int, int] | None:
    """`cuda130` is 13.0, and `rocm714` 7.14: CUDA's minor versions have one digit, ROCm's major ones."""
    found = re.search(r"_(cuda|rocm)([0-9]{2,4})\.so", path)
    if found is None:
        return None
    cut = len(found[2]) - 1 if found[1] == "cuda" else 1
    return int(found[2][:cut]), int(found[2][cut:])


def _numbers(release: str | None) -> tuple[int, int] | None:
    found = re.match(r"([0-9]{1,4})\.([0-9]{1,4})", release or "")
    return (int(found[1]), int(found[2])) if found else None
