"""The equations, pure: numbers in, numbers out. No config, device choice, rank, logger, file or clock."""
