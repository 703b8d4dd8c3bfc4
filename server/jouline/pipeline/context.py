"""Which part of a document a model sees.

The window's start moves in steps, at line starts, so that typing only ever appends to the prompt and the keys and
values of what stands before stay good.
"""


def window_start(text: str, offset: int, budget_chars: int, step_chars: int) -> int:
    """Return where a prefix of at most `budget_chars` before `offset` should begin.

    It is 0 while all fits; then the first line start within a step behind a multiple of the step, so that it moves only
    when the cursor has gone a whole step on. Where that stretch has no line start, a long line is cut at the multiple.
    The step is `step_chars`, or a third of the budget if that is less, so that at least a third of it is always used.
    """
    if offset <= budget_chars:
        return 0
    step = max(1, min(step_chars, budget_chars // 3))
    anchor = -(-(offset - budget_chars) // step) * step
    line = text.find("\n", anchor - 1, min(anchor + step, offset) - 1) + 1
    return line or anchor


def suffix_window(suffix: str, budget_chars: int) -> str:
    """Return the whole lines at the suffix's beginning that fit, or a part of its first line if that is too long."""
    if len(suffix) <= budget_chars:
        return suffix
    end = suffix.rfind("\n", 0, budget_chars)
    return suffix[: end + 1] if end > 0 else suffix[:budget_chars]
