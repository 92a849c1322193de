"""Induction of programs over integers: grids, codes, flags, tables, card draws."""
