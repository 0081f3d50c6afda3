"""`woomera milter`. A callback is in connection.py, what is decided of a message in session.py."""
