"""The safety net's second half: notices for what the milter never saw, and notices sent again."""
