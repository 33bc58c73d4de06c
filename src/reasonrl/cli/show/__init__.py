"""Tables and lines for a person at a terminal. Each module shows the results of one command."""
