"""`woomera check`: will this host work? One look a file, all of them findings."""
