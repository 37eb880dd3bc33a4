"""`python -m service` is the command `striate`."""

import gc

# Importing makes hardly any garbage, and looking for it takes a tenth of the time.
gc.disable()
from service import command_line  # noqa: E402


def main() -> None:
    """Run the command.  What was imported stays, so that the garbage collector never looks at it again."""
    gc.freeze()
    gc.enable()
    command_line.main()


if __name__ == "__main__":
    main()
