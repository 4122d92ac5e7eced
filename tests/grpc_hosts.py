"""What is known of ``grpc_provider`` by those who can't import it: it needs grpcio."""

HOSTS = ("us-central1-aiplatform.googleapis.com", "api.x.ai", "docs-abc123.svc.aped-4627-b74a.pinecone.io")
READ_UNITS = 6
"""Of each of Pinecone's answers."""
