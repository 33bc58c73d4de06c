"""Problems: their sources and the order in which they train."""
