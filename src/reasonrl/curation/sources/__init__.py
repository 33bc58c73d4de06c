"""Raw rows in, candidates out: one adapter for each known source, and the step that reads them."""
