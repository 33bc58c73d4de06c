"""Language models and their tokenizers: where they come from and how they attend."""
