"""A run looked at again: a step repeated, a rollout drawn again, the whole record audited."""
