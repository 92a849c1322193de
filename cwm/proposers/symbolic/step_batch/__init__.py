"""Array forms of induced programs: `step_batch` beside `step`."""
