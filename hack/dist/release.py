"""What the scripts that describe a release take: where its files will be, its version, its archives. Standard library only."""

import argparse
import pathlib


def arguments():
    """`--url BASE --version vX.Y.Z ARCHIVE...`, parsed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    parser.add_argument("--version", required=True)
    parser.add_argument("archives", nargs="+", type=pathlib.Path)
    return parser.parse_args()
