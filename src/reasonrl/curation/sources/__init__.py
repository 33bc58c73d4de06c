"""Raw rows in, candidates out: an adapter for each known source, and the step that reads it."""
