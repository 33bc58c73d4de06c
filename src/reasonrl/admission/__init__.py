"""Can a model be trained here, and does it compute what it should? `reasonrl model check`."""
