"""The use case: a message in hand -> in S3, with links that last as long as they say."""
