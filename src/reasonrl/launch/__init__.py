"""Put a command together and start it: the only room that names concrete engines and files."""
