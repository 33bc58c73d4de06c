"""One run directory: the names of its files (layout), and the modules that write and read them."""
