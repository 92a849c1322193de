"""The state base: states of expert episodes with the actions before and after them."""
