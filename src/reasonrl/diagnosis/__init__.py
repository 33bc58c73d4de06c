"""What a run's numbers say about its health. Pure, so that a live run and a doctor agree."""
