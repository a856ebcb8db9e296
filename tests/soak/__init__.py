"""The daemon under a steady mixed load for as long as one likes, with a short ``keep``: its memory,
its files and its database must stay as large as they were, and nothing may be lost."""
