"""Fuzzing of everything that reads a sender's octets: `python -m rig.fuzz`."""
