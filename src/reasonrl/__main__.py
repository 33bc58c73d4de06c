"""Run the command line as `python -m reasonrl`."""

from reasonrl.cli.app import main

if __name__ == "__main__":  # the verifier's worker processes import this file again
    main()
