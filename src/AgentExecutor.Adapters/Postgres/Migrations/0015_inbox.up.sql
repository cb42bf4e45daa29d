-- The answers and tool results that wait to be taken.
CREATE INDEX messages_inbox ON messages (due_at) WHERE stream = 'inbox' AND NOT is_done;
