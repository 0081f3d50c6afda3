"""Messages to send: to the byte, and of every kind."""
