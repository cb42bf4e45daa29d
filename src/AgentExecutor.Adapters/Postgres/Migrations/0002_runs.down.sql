DROP TABLE outbox;
DROP TABLE tool_calls;
DROP TABLE events;
DROP TABLE runs;
DROP TABLE threads;
DROP TABLE definitions;
