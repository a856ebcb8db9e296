"""Task integrations, one file each."""
