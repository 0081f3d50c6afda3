"""What the milter costs: `python -m bench`, or `make bench`. docs/benchmarks.md says what it measures."""
