-- The changes of the state that belong to the outcome of a tool call, as a JSON array of pairs of channel and update.
ALTER TABLE tool_calls ADD COLUMN updates TEXT;
