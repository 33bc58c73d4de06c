"""Put a command together and start it: engines, judges, models and files meet here."""
