"""Real sendmail, and what speaks SMTP or the milter protocol with it, or in its stead."""
