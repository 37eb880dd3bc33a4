"""`python -m service` is the command `striate`."""

from service.command_line import main

if __name__ == "__main__":
    main()
