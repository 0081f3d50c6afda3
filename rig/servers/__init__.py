"""What is at the other ends: S3 servers, the stand-ins for SES, and servers that fail on demand."""
