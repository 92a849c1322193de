"""Constants of a program as holes, and the solver that fits them to transitions."""
