"""When two problems are the same: words, fingerprints, pairs, and the steps that drop copies."""
