-- What a commit tells takes up to a few kilobytes. In a table with row ids such rows share pages; without, each spills over into a page of its own.
CREATE TABLE event_rows (
    thread_id TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    json BLOB NOT NULL,
    PRIMARY KEY (thread_id, sequence)
);

INSERT INTO event_rows SELECT thread_id, sequence, json FROM events ORDER BY thread_id, sequence;

DROP TABLE events;

ALTER TABLE event_rows RENAME TO events;
