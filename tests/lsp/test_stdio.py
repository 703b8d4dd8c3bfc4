"""Standard output belongs to the protocol."""

import subprocess
import sys

NOISY = """
import os, subprocess, sys
from jouline.lsp.stdio import claim_stdio
stdin, stdout = claim_stdio()
print("printed")
os.write(1, b"written by C")
subprocess.run([sys.executable, "-c", "print('printed by a child')"])
assert sys.stdin.read() == ""
stdout.write(b"protocol:" + stdin.read())
stdout.close()
"""


def test_nothing_else_reaches_stdout_or_reads_stdin():
    """Prints, writes of C libraries and of children go to stderr; only the protocol's stream reads the input."""
    done = subprocess.run([sys.executable, "-c", NOISY], input=b"message", capture_output=True, check=True)
    assert done.stdout == b"protocol:message"
    assert b"written by C" in done.stderr
    assert b"printed by a child" in done.stderr
