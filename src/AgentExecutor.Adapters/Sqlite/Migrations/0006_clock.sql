-- The clock that decides whether leases have expired and runs are due. It is stored about once a second while something is written. A
-- process that opens the file continues at this time, so that leases and due times stay correct if the system clock was set back.
CREATE TABLE clock (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    now INTEGER NOT NULL
);

INSERT INTO clock (id, now) VALUES (1, 0);
