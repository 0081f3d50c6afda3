"""A sender's HTML: as text, and as HTML that runs nothing; linear in its length, whatever it is."""
