"""One folder for each library, and at the top what they share; all of it runs in the child that `runner.py` is.

A library's folder imports itself and the top, nothing else. In each of them the same role has the same file and name:

listing.py   `load(candidates, paths)`, `devices(library, announce, facts)` and, where it computes, `validate(library, announce,
             facts, device)`: what the runner calls. `start` starts the library, `find` gives the wanted device.
             Optional: `readings(library, announce, facts, kept)` (what is watched; `kept` is its own from answer to answer),
             `loaded_path`, `LOADS_WITH` (what more of the request `load` takes).
card.py      `Card`: one device while it is listed or put to work.
stages.py    The full validation, imported for nothing else: `Work`, what its stages hand on to each other, and `STAGES`, a
             tuple of (stage, function) in the order of `backends.stages.STAGE_NAMES`, which `backends.stages.walk` takes.
results.py   `NAMES` of the library's result numbers, and `failure`: what one means and decides.
structs.py   What lies where in the C structures that are read or filled.
kernel.py    The known kernel in the language that this library takes.
activity.py  What changes all the time: `activity`.

`check` (a function or a method) is a call of the library that must succeed; every call is announced before it is made.
A file is there where the library has that role; `tests/test_backend_folders.py` says which must be.

Every import is paid by every child, so modules name types for mypy alone: `TYPE_CHECKING = False`, then `if TYPE_CHECKING:`
with the imports behind it. mypy takes the name for true; `from typing import TYPE_CHECKING` would load `typing` first.
"""
