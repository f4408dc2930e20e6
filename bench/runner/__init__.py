"""The runner: builds the adapters, runs them in turn, and says what came out."""
