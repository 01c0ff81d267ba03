"""`suppress` and `closing` as `contextlib` has them, whose loading takes three more modules along: 3 ms of each start."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from contextlib import closing, suppress

__all__ = ["closing", "suppress"]

if not TYPE_CHECKING:

    class suppress:  # noqa: N801 - its name there
        """Ends the block at one of these exceptions, and goes on behind it."""

        __slots__ = ("_exceptions",)

        def __init__(self, *exceptions: type[BaseException]) -> None:
            self._exceptions = exceptions

        def __enter__(self) -> None:
            return None

        def __exit__(self, kind: type[BaseException] | None, *problem: object) -> bool:
            return kind is not None and issubclass(kind, self._exceptions)

    class closing:  # noqa: N801 - its name there
        """Closes at the end of the block, whatever ended it."""

        __slots__ = ("_thing",)

        def __init__(self, thing: object) -> None:
            self._thing = thing

        def __enter__(self) -> object:
            return self._thing

        def __exit__(self, *problem: object) -> None:
            self._thing.close()
