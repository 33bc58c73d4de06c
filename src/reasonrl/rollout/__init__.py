"""From problems to judged groups: encode prompts, collect rollouts, check what sources hold."""
