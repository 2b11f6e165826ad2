"""Models: where they come from, whether the operator trusts them, and what they predict."""
