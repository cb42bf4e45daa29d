-- The trace context of the run, so that the relay reads only one table. It is null in rows that an older version of the program has
-- written; the trace context is then read from the run.
ALTER TABLE outbox ADD COLUMN trace_parent text;
