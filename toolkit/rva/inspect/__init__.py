"""What a built file says of itself. One file a format; check.py compares the facts with a row's promises."""
