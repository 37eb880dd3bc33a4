"""The file for `serve deploy`."""

import yaml
from ray.serve.schema import ServeDeploySchema

from deploy.ray.application import Arguments
from tests.e2e.conftest import ROOT


def test_ray_takes_the_configuration() -> None:
    """As it stands, and with the arguments of the application."""
    given = yaml.safe_load((ROOT / "deploy" / "ray" / "config.yaml").read_text())
    (application,) = ServeDeploySchema.model_validate(given).applications
    arguments = Arguments.model_validate(application.args)
    assert (arguments.models_per_replica, arguments.cpus) == (0, 2)
