"""``python -m noisyfit``."""

from noisyfit.command_line import main

if __name__ == "__main__":
    raise SystemExit(main())
