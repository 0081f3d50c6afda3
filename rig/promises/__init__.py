"""What happened to a message, held against the promises of the design."""
