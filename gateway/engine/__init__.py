"""The trio shell around the language core: everything that changes an execution goes through here."""
