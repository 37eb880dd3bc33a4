"""What a cluster needs."""
