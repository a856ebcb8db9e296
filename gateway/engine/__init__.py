"""The trio shell around the language core: whatever changes an execution goes through here."""
