"""Tables and lines that a person reads in a terminal. Each module shows one command's results."""
