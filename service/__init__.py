"""Striate's service: classifies images over HTTP, and returns the feature maps of any layer.

A request reads top-down: `http/routes` -> `registry` -> `scheduler` -> `classification` or `feature_maps` -> `image`,
`model` -> `runtime` -> `prediction` or `encoding`.  `engine` builds the parts, `command_line` is the command `striate`.
"""

__version__ = "0.1.0"
