"""Loading what a process needs: hundreds of modules, all of which stay. Python would look through them for
garbage again and again while they come, which is a tenth of the time that a start takes.
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def loading() -> Iterator[None]:
    """Around imports."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
