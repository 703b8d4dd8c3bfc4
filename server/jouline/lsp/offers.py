"""What was offered lately, and what the person did with it.

A client that can tell sends `jouline/didShow` and the like; from one that cannot, an answer that was not cancelled
counts as shown. Each outcome of an offer is reported once.
"""

from collections import OrderedDict
from dataclasses import dataclass, field, replace

from jouline.completion import Completion, Feedback
from jouline.lsp.positions import code_points

REMEMBERED = 100


@dataclass(slots=True, kw_only=True)
class _Offer:
    lead: str
    texts: tuple[str, ...]
    told: set[str] = field(default_factory=set)


class Offers:
    """The latest offers by the ids of their items. Every method returns the feedback to pass on, None if no news."""

    def __init__(self) -> None:
        self._offers: OrderedDict[str, _Offer] = OrderedDict()
        self._client_tells = False

    def offered(self, completion: Completion, lead: str) -> Feedback | None:
        """Remember an answer that went out; `lead` is the part of its items before their own text."""
        texts = (completion.text, *(other.text for other in completion.others))
        self._offers[completion.id] = _Offer(lead=lead, texts=texts)
        while len(self._offers) > REMEMBERED:
            self._offers.popitem(last=False)
        return None if self._client_tells else self._once(completion.id, "shown", 0)

    def shown(self, item: str) -> Feedback | None:
        """Note that the client showed it, and that this client tells."""
        self._client_tells = True
        return self._once(_completion(item), "shown", 0)

    def accepted(self, item: str) -> Feedback | None:
        """Note that all of it was taken."""
        text = self._text(item)
        return None if text is None else self._once(_completion(item), "accepted", len(text))

    def partially_accepted(self, item: str, accepted_length: int) -> Feedback | None:
        """Note that the item's first `accepted_length` UTF-16 units were taken; each time it grows is news."""
        completion_id, text = _completion(item), self._text(item)
        offer = self._offers.get(completion_id)
        if offer is None or text is None or "accepted" in offer.told:
            return None
        chars = code_points(offer.lead + text, accepted_length, "utf-16") - len(offer.lead)
        feedback = self._once(completion_id, "partial", chars, f"partial {chars}") if chars > 0 else None
        return replace(feedback, candidate=_number(item)) if feedback else None

    def rejected(self, item: str) -> Feedback | None:
        """Note that it was turned away, with all its candidates; what was accepted before stays accepted."""
        completion_id = _completion(item)
        offer = self._offers.get(completion_id)
        return None if offer is None or "accepted" in offer.told else self._once(completion_id, "rejected", 0)

    def _text(self, item: str) -> str | None:
        """Return the text of an item, None if nothing of that id was offered."""
        offer = self._offers.get(_completion(item))
        number = _number(item)
        return offer.texts[number] if offer and 0 <= number < len(offer.texts) else None

    def _once(self, completion_id: str, outcome: str, chars: int, mark: str = "") -> Feedback | None:
        offer = self._offers.get(completion_id)
        if offer is None or (mark or outcome) in offer.told:
            return None
        offer.told.add(mark or outcome)
        return Feedback(completion_id=completion_id, outcome=outcome, chars=chars)  # type: ignore[arg-type]


def _number(item: str) -> int:
    """Return which of a completion's candidates an item is, -1 where its id is none of ours."""
    number = item.partition(".")[2] or "0"
    return int(number) if number.isdecimal() and len(number) < 3 else -1


def _completion(item: str) -> str:
    """Return the id of the completion that an item belongs to: what stands before a candidate's number."""
    return item.partition(".")[0]
