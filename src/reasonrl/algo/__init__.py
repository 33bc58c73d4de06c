"""The equations, pure: numbers in, numbers out. No config, rank, logger, file or clock."""
