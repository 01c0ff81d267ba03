"""The Objective-C runtime through ctypes: messages to objects, each with the exact types of its method.

`objc_msgSend` has no signature of its own: it jumps to the method, so it must be called as that method is. Called as a C
function with variable arguments it reads the wrong registers on Apple's processors.
"""

from __future__ import annotations

from ctypes import CFUNCTYPE, addressof, c_bool, c_char_p, c_uint64, c_void_p, cast

from gpuprobe.backends import calling

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ctypes import CDLL
    from typing import Any

    from gpuprobe.backends.calling import Announce

RUNTIME = "/usr/lib/libobjc.A.dylib"


class Runtime:
    """Sends messages, each announced before it is sent. An exception that nobody catches ends the process with SIGABRT."""

    def __init__(self, framework: CDLL, announce: Announce) -> None:
        # dlsym looks through what a library was linked with too, and every framework is linked with the runtime.
        linked = calling.optional(framework, "objc_msgSend") is not None
        library = framework if linked else calling.load([RUNTIME], needs="objc_msgSend")
        self.announce = announce
        self._send = cast(library.objc_msgSend, c_void_p).value or 0
        self._selector = CFUNCTYPE(c_void_p, c_char_p)(("sel_registerName", library))
        self._push = CFUNCTYPE(c_void_p)(("objc_autoreleasePoolPush", library))
        self._class = CFUNCTYPE(c_void_p, c_char_p)(("objc_getClass", library))

    def open_pool(self) -> None:
        """What methods give back without "new" or "Copy" in their names stays alive in the pool, until the process ends."""
        self._push()

    def number(self, receiver: int, selector: str, *arguments: Any) -> int:
        return self._sent(c_uint64, receiver, selector, *arguments) or 0

    def truth(self, receiver: int, selector: str, *arguments: Any) -> bool:
        return bool(self._sent(c_bool, receiver, selector, *arguments))

    def object(self, receiver: int, selector: str, *arguments: Any) -> int | None:
        """The address of an object; None for nil."""
        return self._sent(c_void_p, receiver, selector, *arguments)  # type: ignore[no-any-return]

    def text(self, receiver: int, selector: str) -> str | None:
        """What a method that gives an NSString says; None for nil and for an empty one."""
        words = self.object(receiver, selector)
        return calling.text(self._sent(c_char_p, words, "UTF8String") or b"") if words is not None else None

    def string(self, text: str) -> c_void_p:
        """A text of ours as an NSString."""
        kind = self._class(b"NSString")
        return c_void_p(self._sent(c_void_p, kind, "stringWithUTF8String:", c_char_p(text.encode())) if kind else None)

    def made(self, receiver: int, selector: str, *arguments: Any) -> tuple[int | None, str]:
        """What a method makes whose last argument takes an NSError, and that error's words; "" where there are none."""
        error = c_void_p()
        answer = self.object(receiver, selector, *arguments, c_void_p(addressof(error)))
        words = self.text(error.value, "localizedDescription") if answer is None and error.value else None
        return answer, words or ""

    def answers(self, receiver: int, selector: str) -> bool:
        """Whether the object has this method: releases of the system differ, and an unknown one would end the process."""
        return self._sent(c_bool, receiver, "respondsToSelector:", c_void_p(self._selector(selector.encode()))) is True

    def _sent(self, answer: Any, receiver: int, selector: str, *arguments: Any) -> Any:
        self.announce(selector)
        method = CFUNCTYPE(answer, c_void_p, c_void_p, *map(type, arguments))(self._send)
        return method(receiver, self._selector(selector.encode()), *arguments)
