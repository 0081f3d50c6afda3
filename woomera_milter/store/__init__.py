"""S3, the only database: objects, their keys and documents, claims on work, and links."""
