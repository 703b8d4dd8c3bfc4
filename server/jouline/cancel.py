"""Cancellation: one token a request, set from any thread, seen by the decode loop and by llama.cpp itself."""

import threading
from collections.abc import Callable


class Cancelled(BaseException):  # it is an outcome, not an error
    """The request is no longer wanted.

    Derives from BaseException so that no `except Exception` swallows it on its way out.
    """


class CancelToken:
    """A one-way flag with listeners, safe to set from any thread."""

    __slots__ = ("_cancelled", "_listeners", "_lock")

    def __init__(self) -> None:
        self._cancelled = False
        self._listeners: list[Callable[[], None]] = []
        self._lock = threading.Lock()

    @property
    def cancelled(self) -> bool:
        """Whether `cancel` was called."""
        return self._cancelled

    def cancel(self) -> None:
        """Set the flag and call each listener once; later calls do nothing."""
        with self._lock:
            if self._cancelled:
                return
            self._cancelled = True
            listeners, self._listeners = self._listeners, []
            for listener in listeners:
                listener()

    def check(self) -> None:
        """Raise `Cancelled` if the flag is set."""
        if self._cancelled:
            raise Cancelled

    def listen(self, listener: Callable[[], None]) -> None:
        """Call `listener` on cancellation, at once if that has happened already.

        It runs under the token's lock in the cancelling thread, so it must be brief and must not touch the token.
        """
        with self._lock:
            if not self._cancelled:
                self._listeners.append(listener)
                return
            listener()

    def forget(self, listener: Callable[[], None]) -> None:
        """Stop calling `listener`; after return it will not run any more."""
        with self._lock:
            if listener in self._listeners:
                self._listeners.remove(listener)
