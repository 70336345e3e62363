"""Read table files: recognise how they are written, read their rows, and store them."""
