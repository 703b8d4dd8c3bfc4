"""pass@1 of answered infilling rows: what a model wrote is put between prompt and suffix, and the tests are run.

Rows are those of openai/human-eval-infilling (Bavarian et al. 2022, arXiv 2207.14255) as `jouline infill` answers them.
Each program runs in a Python of its own with limits on time, memory and files, in an empty folder. That keeps accidents
away, not attacks: score only what models wrote for these problems.

    scripts/train_models humaneval --human-eval SingleLine.jsonl.gz RandomSpan.jsonl.gz [--pair FRONT BACK]

asks both models of a pair by `jouline infill` and scores what they wrote; rows answered elsewhere are scored by

    python -m jouline.lab.pair.humaneval ANSWERED.jsonl
"""

import argparse
import gzip
import hashlib
import json
import os
import resource
import secrets
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import partial
from pathlib import Path

from jouline.completion import Tier
from jouline.errors import JoulineError
from jouline.lab.pair import home
from jouline.lab.pair.estimates import Estimate, interval
from jouline.lab.pair.evaluate import TIERS

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


def figures(front: Path, back: Path, sources: Sequence[Path], folder: Path, *, most: int) -> dict[str, object]:
    """Return pass@1 of both models on at most `most` rows of every source, as plain values.

    What was answered lies in `folder`, by the files' checksums; a second call goes on where the first one stopped.
    """
    work = folder / hashlib.sha256(front.read_bytes() + back.read_bytes()).hexdigest()[:12]
    home.lay_out(work, front, back)
    found: dict[str, object] = {}
    for source in sources:
        name = source.name.partition(".")[0]
        rows = _spread(_lines(source), most)
        asked = work / f"{name}-{len(rows)}.jsonl"
        asked.write_text("".join(f"{row}\n" for row in rows), "utf-8")
        with ThreadPoolExecutor(len(TIERS)) as both:
            scores = list(both.map(partial(_score, asked, work), TIERS))
        small, large = map(asdict, scores)
        found[name] = {"rows": len(rows), "small": small, "large": large}
    return found


def _lines(source: Path) -> list[str]:
    packed = source.read_bytes()
    text = gzip.decompress(packed) if source.suffix == ".gz" else packed
    return [line for line in text.decode("utf-8").split("\n") if line.strip()]


def _spread(rows: Sequence[str], most: int) -> list[str]:
    """Return at most `most` rows, evenly over all."""
    count = min(most, len(rows))
    return [rows[i * len(rows) // count] for i in range(count)]


def _answered(asked: Path, home_folder: Path, tier: Tier) -> Path:
    target = asked.with_name(f"{asked.stem}-{tier}.jsonl")
    command = [sys.executable, "-m", "jouline", "infill", f"--in={asked}", f"--out={target}", f"--route={tier}"]
    environment = os.environ | {"JOULINE_HOME": str(home_folder)}
    if subprocess.run(command, env=environment, check=False).returncode:
        raise JoulineError(f"the rows of {asked} could not be answered; `jouline infill` says why above")
    return target


def _score(asked: Path, home_folder: Path, tier: Tier) -> Estimate:
    answered = _answered(asked, home_folder, tier)
    return pass_at_1([json.loads(line) for line in answered.read_text("utf-8").split("\n") if line])


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
