"""The way out for mail that we send (RFC 6409): by a mail server, or by the API of SES."""
