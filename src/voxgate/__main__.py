"""`python -m voxgate` is the same program as `voxgate`."""

from voxgate.cli.main import main

if __name__ == "__main__":
    main()
