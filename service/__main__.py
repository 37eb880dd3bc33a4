"""`python -m service` is the command `striate`."""

import gc
import os
import signal
import sys
from types import FrameType

# Importing makes hardly any garbage, and looking for it takes a tenth of the time.
gc.disable()
from service import command_line  # noqa: E402
from service.signals import end_now  # noqa: E402


def main() -> None:
    """Run the command.  What was imported stays, so that the garbage collector never looks at it again."""
    if os.getpid() == 1:
        # The first process of a container is sent no signal that it does not ask for, and importing takes a while.
        signal.signal(signal.SIGTERM, _end)
    app = command_line.build(sys.argv[1:])
    gc.freeze()
    gc.enable()
    command_line.run(app)


def _end(number: int, _: FrameType | None) -> None:
    end_now(number)


if __name__ == "__main__":
    main()
