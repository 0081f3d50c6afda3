"""`make chaos`: mail while everything dies and fails."""
