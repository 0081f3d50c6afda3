"""The commands: options in, results and exit statuses out. The work is in the rooms below."""
