-- The events of a commit need up to a few kilobytes. Such rows share pages only in a table with row ids. In a table without them, each row
-- overflows into a page of its own.
CREATE TABLE event_rows (
    thread_id TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    json BLOB NOT NULL,
    PRIMARY KEY (thread_id, sequence)
);

INSERT INTO event_rows SELECT thread_id, sequence, json FROM events ORDER BY thread_id, sequence;

DROP TABLE events;

ALTER TABLE event_rows RENAME TO events;
