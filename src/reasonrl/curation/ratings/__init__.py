"""How hard and how good a problem is: a model's attempts, judges' votes, and their ledger."""
