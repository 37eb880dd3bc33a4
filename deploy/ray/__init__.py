"""The service as an application of Ray Serve.

    serve run deploy.ray.application:app models=models
    serve deploy deploy/ray/config.yaml

Nothing else imports Ray.
"""
