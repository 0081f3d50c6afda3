"""`woomera report`: what the bucket tells of a period, mailed to administrators once."""
