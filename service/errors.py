"""Everything that can go wrong, as one tree.

    StriateError
    ├── SettingsError                a setting is unknown, malformed or out of range
    ├── MissingCommandError          a command of `striate` is not installed
    ├── HealthError                  the service on this machine is not ready, not alive, or not there
    ├── DeviceError                  the device that was demanded does not come up
    ├── RequestError                 what the caller sent cannot be used
    │   ├── MalformedRequestError    it does not have the form of a request
    │   ├── ParameterError           a parameter or field is unknown or out of range
    │   ├── NotAcceptableError       no form that the caller accepts can be given
    │   ├── SlowRequestError         the body did not arrive in time
    │   ├── RequestTooLargeError     more bytes, images or pixels than accepted
    │   ├── AnswerTooLargeError      the answer would be larger than allowed
    │   ├── ImageTypeError           the bytes are no image of an accepted type
    │   └── ImageDecodeError         an image of an accepted type is damaged
    ├── NotFoundError                a name that is not known, with the nearest ones
    │   ├── UnknownModelError
    │   ├── UnknownVersionError
    │   └── UnknownLayerError
    ├── ModelError                   a model cannot serve
    │   ├── ModelFileError           its files are missing, damaged or unsupported
    │   ├── ModelNotReadyError       it is loading, or it failed to load
    │   └── ModelTaskError           it is served, but not for this kind of request
    ├── AccessError                  the caller may not do this
    │   ├── KeyRequiredError         it takes a key: none was sent, or a wrong one
    │   ├── KeyRoleError             the key is not good for this
    │   ├── RateError                the caller asks too often
    │   └── SwitchedOffError         the operator has not switched it on
    ├── OverloadError                the service has no room for the request
    │   ├── QueueFullError
    │   ├── EndingError              it was told to end
    │   ├── NoRoomError              bodies and answers of others take all the memory that they may
    │   └── DeadlineError
    ├── AbandonedError               nobody waits for the answer any more
    ├── PostponedError               a job needs more memory than it may take: it starts anew when there is room
    └── ExecutionError               the runtime failed while computing
        └── DeviceLostError          and will until the process is started again

None of them knows about HTTP: `service.http.problems` holds the one table that gives each its
status.  A message says what was wrong, where, and what would be accepted.
"""

import math
from collections.abc import Sequence


class StriateError(Exception):
    """The root of every error that Striate raises on purpose."""


class SettingsError(StriateError):
    """A setting is unknown, malformed or out of range."""


class MissingCommandError(StriateError):
    """A command of `striate` is not installed."""


class HealthError(StriateError):
    """The service on this machine is not ready, not alive, or not there."""


class DeviceError(StriateError):
    """The device that was demanded does not come up."""


class RequestError(StriateError):
    """What the caller sent cannot be used."""


class MalformedRequestError(RequestError):
    """The request does not have the form of a request."""


class ParameterError(RequestError):
    """A parameter or field is unknown or out of range."""


class NotAcceptableError(RequestError):
    """No form that the caller accepts can be given."""


class SlowRequestError(RequestError):
    """The body did not arrive in time."""


class RequestTooLargeError(RequestError):
    """More bytes, images or pixels than accepted."""


class AnswerTooLargeError(RequestError):
    """The answer would be larger than allowed."""


class _ImageError(RequestError):
    """Something is wrong with one image of a request.

    Args:
        message: What is wrong with the image.
        index: Which image of the request it is, from 0; None where there is only one.
    """

    def __init__(self, message: str, *, index: int | None = None) -> None:
        super().__init__(message if index is None else f"image {index}: {message}")
        self.message = message
        self.index = index


class ImageTypeError(_ImageError):
    """The bytes are no image of an accepted type."""


class ImageDecodeError(_ImageError):
    """An image of an accepted type is damaged."""


class NotFoundError(StriateError):
    """A name is not known.

    Args:
        message: What was asked for, and where.
        nearest: Known names that look most like it, the best first.
    """

    def __init__(self, message: str, *, nearest: Sequence[str] = ()) -> None:
        hint = f"; the nearest: {', '.join(nearest)}" if nearest else ""
        super().__init__(message + hint)
        self.nearest = tuple(nearest)


class UnknownModelError(NotFoundError):
    """No model has this name."""


class UnknownVersionError(NotFoundError):
    """The model has no such version."""


class UnknownLayerError(NotFoundError):
    """The model has no such layer."""


class ModelError(StriateError):
    """A model cannot serve."""


class ModelFileError(ModelError):
    """The files of a model are missing, damaged or unsupported."""


class ModelNotReadyError(ModelError):
    """The model is loading, or it failed to load."""


class ModelTaskError(ModelError):
    """The model is served, but not for this kind of request."""


class AccessError(StriateError):
    """The caller may not do this."""


class KeyRequiredError(AccessError):
    """It takes a key: none was sent, or a wrong one."""


class KeyRoleError(AccessError):
    """The key that was sent is good, but not for this."""


class RateError(AccessError):
    """The caller asks too often.

    Args:
        message: How often it may.
        wait_seconds: How long it has to wait.
    """

    def __init__(self, message: str, *, wait_seconds: float) -> None:
        self.wait_seconds = max(1, math.ceil(wait_seconds))
        super().__init__(f"{message}; try again in {self.wait_seconds} s")


class SwitchedOffError(AccessError):
    """The operator has not switched it on."""


class OverloadError(StriateError):
    """The service has no room for the request."""


class QueueFullError(OverloadError):
    """The queue is full."""


class EndingError(OverloadError):
    """The service was told to end: it answers what it has accepted, and nothing more."""


class NoRoomError(OverloadError):
    """The bodies and answers of other requests take all the memory that they may."""


class DeadlineError(OverloadError):
    """The deadline passed before the answer was ready."""


class AbandonedError(StriateError):
    """Nobody waits for the answer any more: it is not computed to its end."""


class PostponedError(StriateError):
    """A job needs more memory than it may take: it starts anew when there is room.

    Args:
        count: How many bytes it needs.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        super().__init__(f"{count:,} bytes are needed, and there is no room for them yet")


class ExecutionError(StriateError):
    """The runtime failed while computing."""


class DeviceLostError(ExecutionError):
    """The device computes nothing any more, and will not until the process is started again."""
