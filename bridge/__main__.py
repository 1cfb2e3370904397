"""`python -m bridge` is `packbridge`."""

from bridge.cli.main import main

if __name__ == "__main__":
    main()
