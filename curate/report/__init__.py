"""Looking at what the stages made."""
