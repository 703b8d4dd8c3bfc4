"""Standard input and output, kept for the protocol alone."""

import os
import sys
from typing import BinaryIO


def claim_stdio() -> tuple[BinaryIO, BinaryIO]:
    """Return the streams of the protocol, and keep everyone else off them.

    After this, descriptor 0 reads nothing and descriptor 1 is stderr, so whatever a library prints, from Python or
    from C, cannot get between the messages. Call it before anything that may print is imported.
    """
    sys.stdout.flush()
    stdin, stdout = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return os.fdopen(stdin, "rb"), os.fdopen(stdout, "wb")
