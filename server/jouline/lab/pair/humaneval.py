"""pass@1 of answered infilling rows: what a model wrote is put between prompt and suffix, and the tests are run.

Rows are those of openai/human-eval-infilling (Bavarian et al. 2022, arXiv 2207.14255) as `jouline infill` answers them.
Each program runs in a Python of its own with limits on time, memory and files, in an empty folder. That keeps accidents
away, not attacks: score only what models wrote for these problems.

    jouline infill --in SingleLine.jsonl --out answered.jsonl --route small
    python -m jouline.lab.pair.humaneval answered.jsonl
"""

import argparse
import json
import resource
import secrets
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path

from jouline.lab.pair.estimates import Estimate, interval

SECONDS = 5
MEMORY_BYTES = 1 << 30


def program(row: Mapping[str, str]) -> str:
    """Return the whole program of an answered row, tests and their call last."""
    return f"{row['prompt']}{row['completion']}{row['suffix']}\n{row['test']}\ncheck({row['entry_point']})\n"


def passes(source: str) -> bool:
    """Whether a program runs to its last line, without error, within the limits."""
    token = secrets.token_hex(8)  # an early `exit(0)` does not print it
    with tempfile.TemporaryDirectory() as folder:
        try:
            ended = subprocess.run(
                [sys.executable, "-I", "-"],
                input=f"{source}\nprint({token!r})\n".encode("utf-8", "replace"),
                cwd=folder,
                env={},
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                timeout=2 * SECONDS,
                preexec_fn=_limit,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return False
    return ended.returncode == 0 and ended.stdout.endswith(f"{token}\n".encode())


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def pass_at_1(rows: Iterable[Mapping[str, str]]) -> Estimate:
    """Return the share of rows that pass; a row without an answer fails. The interval resamples whole problems."""
    passed: dict[str, float] = defaultdict(float)
    count: dict[str, float] = defaultdict(float)
    for row in rows:
        count[row["entry_point"]] += 1
        passed[row["entry_point"]] += "completion" in row and passes(program(row))
    return interval({name: passed[name] for name in count}, count)


def main() -> int:
    """Print the score of every file named, as one JSON object."""
    parser = argparse.ArgumentParser(prog="humaneval", description="pass@1 of rows that `jouline infill` answered")
    parser.add_argument("answered", type=Path, nargs="+")
    scores = {}
    for path in parser.parse_args().answered:
        rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
        scores[str(path)] = asdict(pass_at_1(rows)) | {"rows": len(rows)}
    print(json.dumps(scores, indent=1))  # noqa: T201 - the result
    return 0


if __name__ == "__main__":
    sys.exit(main())
