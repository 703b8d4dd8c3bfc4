"""Early exit: traces of an exit pair, the agent trained on them, what it saves and what it costs."""
