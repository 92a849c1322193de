"""World models of other kinds than programs, behind the same protocols."""
