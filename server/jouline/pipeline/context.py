"""Which part of a document a model sees.

The window's start moves in steps, at line starts, so that typing only ever appends to the prompt and the keys and
values of what stands before stay good.
"""


def window_start(text: str, offset: int, budget_chars: int, step_chars: int) -> int:
    """Return where a prefix of at most `budget_chars` before `offset` should begin.

    It is 0 while all fits; then the first line start at or after a multiple of `step_chars`, so that it moves only when
    the cursor has gone a whole step on. A single line longer than the budget is cut where the step falls.
    """
    if offset <= budget_chars:
        return 0
    earliest = offset - budget_chars
    anchor = -(-earliest // step_chars) * step_chars
    line = text.find("\n", max(anchor - 1, 0), offset) + 1
    return line if 0 < line < offset else min(max(anchor, earliest), offset)


def suffix_window(suffix: str, budget_chars: int) -> str:
    """Return the whole lines at the suffix's beginning that fit, or a part of its first line if that is too long."""
    if len(suffix) <= budget_chars:
        return suffix
    end = suffix.rfind("\n", 0, budget_chars)
    return suffix[: end + 1] if end > 0 else suffix[:budget_chars]
