"""What a run looks like: one self-contained page, and one picture for a README."""
