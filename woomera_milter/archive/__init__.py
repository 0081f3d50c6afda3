"""The safety net's first half: a second milter keeps copies, and a job moves them to S3."""
