"""Language models and their tokenizers: sources, attention layouts and leaner layers."""
