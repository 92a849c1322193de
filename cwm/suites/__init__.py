"""Problems for programs with unit tests: where they come from."""
