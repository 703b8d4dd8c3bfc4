"""Made-up outcome rows with a law in them: what the router may learn, and nothing else."""

import random

from jouline.lab.outcomes import Row

EASY, HARD, NOISE = FEATURES = ("in_string", "in_comment", "indent")  # names that the product knows, values of our own


def made_up(count: int, *, seed: int = 0, groups: int = 4) -> list[Row]:
    """Return rows of `groups` packages: `easy` places both models get right, `hard` ones mostly only the large one.

    The small model costs 1, the large one 2, and 1.5 after the small one's draft.
    """
    rng = random.Random(seed)
    return [_row(f"{seed}-{number}", f"package-{seed}-{number % groups}", rng) for number in range(count)]


def _row(query_id: str, group: str, rng: random.Random) -> Row:
    kind = rng.choice(("easy", "hard", "hopeless"))
    luck = rng.random()  # the same for both: what one can do, the other mostly can
    small = luck < {"easy": 0.93, "hard": 0.05, "hopeless": 0.03}[kind]
    large = luck < {"easy": 0.93, "hard": 0.8, "hopeless": 0.03}[kind] and rng.random() < 0.99
    features = {EASY: float(kind == "easy"), HARD: float(kind == "hard"), NOISE: rng.random()}
    return {
        "query_id": query_id,
        "group": group,
        "task": "rest-of-line",
        "prefix": "value = 1\nprint(",
        "suffix": "\n",
        "language": "python",
        "cost_unit": "cpu_seconds",
        "features": features,
        "outcomes": {
            "small": _outcome(rng, right=small, cost=1.0),
            "large": _outcome(rng, right=large, cost=2.0) | {"cost_after": {"small": 1.5}},
        },
    }


def _outcome(rng: random.Random, *, right: bool, cost: float) -> Row:
    sure = -0.1 if right else -1.0
    logprobs = [round(sure * rng.uniform(0.5, 1.5), 4) for _ in range(4)]
    return {
        "quality": float(right),
        "cost": cost,
        "tokens_out": 4,
        "prompt_share": 0.25,
        "completion": "value)" if right else "other(",
        "stop": "line",
        "logprobs": logprobs,
        "margins": [0.5] * 4,
        "evidence": {"parses": float(right or rng.random() < 0.5)},
    }
