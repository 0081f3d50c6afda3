"""`python -m woomera_milter`: the same as the command `woomera`."""

from woomera_milter.cli.main import main

if __name__ == "__main__":
    main()
