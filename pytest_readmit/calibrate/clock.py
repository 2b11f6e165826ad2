"""How long a calibration may still take."""

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field


@dataclass(slots=True)
class Clock:
    """
    How long deciding and searching took so far.

    Args:
        replicates: Windows to decide on.
        searched: Windows to search on.
        spent: Seconds for both.
        done: Windows for both.
    """

    replicates: int
    searched: int
    spent: list[float] = field(default_factory=lambda: [0.0, 0.0])
    done: list[int] = field(default_factory=lambda: [0, 0])

    def deciding(self) -> AbstractContextManager[None]:
        """Time a window that is decided on."""
        return self._timed(0)

    def searching(self) -> AbstractContextManager[None]:
        """Time a window that is searched on."""
        return self._timed(1)

    def left(self) -> float:
        """Return the seconds that the rest may take."""
        ahead = (self.replicates - self.done[0], self.searched - self.done[1])
        each = zip(self.spent, self.done, ahead, strict=True)
        return sum(spent / done * rest for spent, done, rest in each if done)

    @contextmanager
    def _timed(self, which: int) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.spent[which] += time.perf_counter() - started
        self.done[which] += 1
