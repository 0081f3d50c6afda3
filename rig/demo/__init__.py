"""`make demo`: the main job, shown end to end."""
