-- The changes of the state that belong to the outcome of a tool call, as a JSON array of pairs of channel and update. They are bytes,
-- because a tool may write a NUL character, which text cannot hold.
ALTER TABLE tool_calls ADD COLUMN updates bytea;
