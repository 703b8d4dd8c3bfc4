"""How much of a timeline a new prompt can keep."""

from collections.abc import Sequence

_NEAR_THE_END = 64


def common_prefix(left: Sequence[int], right: Sequence[int]) -> int:
    """Return the length of the longest common prefix; both must be of one type, list or tuple.

    Compares slices by halving, so that no token costs a Python loop, and first all but the end, where a prompt that
    grew differs from the timeline.
    """
    high = min(len(left), len(right))
    near = max(0, high - _NEAR_THE_END)
    low, high = (near, high) if left[:near] == right[:near] else (0, near)
    while low < high:
        middle = (low + high + 1) // 2
        if left[low:middle] == right[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
