"""The state types, one file each; a type knows only its own idea."""
