"""What the service is compared with: the least that a FastAPI application can do.

empty.py       a route that reads the body
classifier.py  a route that classifies, in front of the same two networks
"""
