"""A message in hand: on disk, measured, and read. Hostile throughout, so linear, and nothing raises."""
