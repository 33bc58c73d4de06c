"""The part of math verification that needs a computer algebra system. Runs only in workers."""
