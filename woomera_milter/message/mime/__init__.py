"""What is in a message: its MIME tree (RFC 2045, RFC 2046), its text, its files, how it is protected."""
