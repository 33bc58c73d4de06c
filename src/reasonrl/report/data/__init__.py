"""What a person sees of a data set: its page, its card, its funnel, and a sheet to fill in."""
