"""The command `reasonrl`: parses what was typed, shows results, sets exit codes."""
