"""Programs that run beside the daemon: started, watched, stopped, and gone with it."""
