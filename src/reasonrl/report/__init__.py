"""What a person sees of a run, an evaluation, a data set and an exported model: pages, pictures,
model cards."""
