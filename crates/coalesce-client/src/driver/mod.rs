//! Runs the pool: its lock, its timer, and the tasks that do its outputs.
