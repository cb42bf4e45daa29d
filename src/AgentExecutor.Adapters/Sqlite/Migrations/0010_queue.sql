-- The queue contains the next run, by due_at and job, of each thread that no worker holds. A claim reads only the rows that are ready, so
-- its cost does not depend on how many runs wait for their threads or for their concurrency keys. The states of a row are
--   new: it has a concurrency key, and no claim has considered it since it became due;
--   full: the limit of its key has been reached;
--   ready: it has no key, or one of the positions of its key is reserved for it.
-- Triggers update the table in the transaction that changes a run. Each change of a row changes the state of at most one other row with the
-- same key.
CREATE TABLE queue (
    thread_id TEXT NOT NULL PRIMARY KEY,
    run_id TEXT NOT NULL,
    priority INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    job INTEGER NOT NULL,
    concurrency_key TEXT,
    concurrency_limit INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('new', 'full', 'ready'))
) WITHOUT ROWID;

CREATE INDEX queue_ready ON queue (priority, due_at, job) WHERE state = 'ready';
CREATE INDEX queue_new ON queue (due_at) WHERE state = 'new';
CREATE INDEX queue_full ON queue (concurrency_key, priority, due_at, job) WHERE state = 'full';
CREATE INDEX queue_reserved ON queue (concurrency_key, priority, due_at, job) WHERE state = 'ready' AND concurrency_key IS NOT NULL;

-- For each key, the number of runs that workers hold and of rows that are ready. A key without either has no row.
CREATE TABLE queue_keys (
    concurrency_key TEXT NOT NULL PRIMARY KEY,
    taken INTEGER NOT NULL
) WITHOUT ROWID;

-- Views that determine which index is used, because a trigger cannot do that.
CREATE VIEW queue_held AS SELECT thread_id FROM runs INDEXED BY runs_held WHERE is_held;
CREATE VIEW queue_waiting AS
    SELECT thread_id, run_id, priority, due_at, job, concurrency_key, concurrency_limit
    FROM runs INDEXED BY runs_waiting
    WHERE status = 'pending' AND job IS NOT NULL;

-- The following views serve as procedures. Inserting a row into one of them calls it.
CREATE VIEW queue_settle AS SELECT '' AS thread_id;
CREATE VIEW queue_count AS SELECT '' AS concurrency_key, 0 AS places;
CREATE VIEW queue_promote AS SELECT '' AS concurrency_key;

-- Updates the row of a thread.
CREATE TRIGGER queue_settles INSTEAD OF INSERT ON queue_settle BEGIN
    DELETE FROM queue WHERE thread_id = NEW.thread_id AND (
        thread_id IN (SELECT thread_id FROM queue_held WHERE thread_id = NEW.thread_id)
        OR run_id IS NOT (SELECT w.run_id FROM queue_waiting AS w WHERE w.thread_id = NEW.thread_id ORDER BY w.due_at, w.job LIMIT 1));
    INSERT INTO queue (thread_id, run_id, priority, due_at, job, concurrency_key, concurrency_limit, state)
    SELECT w.thread_id, w.run_id, w.priority, w.due_at, w.job, w.concurrency_key, w.concurrency_limit,
        CASE WHEN w.concurrency_key IS NULL THEN 'ready' ELSE 'new' END
    FROM queue_waiting AS w
    WHERE w.thread_id = NEW.thread_id AND NOT EXISTS (SELECT 1 FROM queue_held AS h WHERE h.thread_id = NEW.thread_id)
        AND NOT EXISTS (SELECT 1 FROM queue AS q WHERE q.thread_id = NEW.thread_id)
    ORDER BY w.due_at, w.job LIMIT 1;
END;

CREATE TRIGGER queue_counts INSTEAD OF INSERT ON queue_count WHEN NEW.concurrency_key IS NOT NULL BEGIN
    INSERT INTO queue_keys (concurrency_key, taken) VALUES (NEW.concurrency_key, NEW.places)
        ON CONFLICT (concurrency_key) DO UPDATE SET taken = taken + excluded.taken;
    DELETE FROM queue_keys WHERE concurrency_key = NEW.concurrency_key AND taken <= 0;
END;

-- Makes the most urgent run of a key ready for which the key has a free position. The limits of its runs may differ, so 50 runs are
-- considered.
CREATE TRIGGER queue_promotes INSTEAD OF INSERT ON queue_promote WHEN NEW.concurrency_key IS NOT NULL BEGIN
    UPDATE queue SET state = 'ready' WHERE thread_id = (
        SELECT f.thread_id FROM (
            SELECT * FROM queue WHERE concurrency_key = NEW.concurrency_key AND state = 'full' ORDER BY priority, due_at, job LIMIT 50) AS f
        WHERE f.concurrency_limit > coalesce((SELECT k.taken FROM queue_keys AS k WHERE k.concurrency_key = NEW.concurrency_key), 0)
        ORDER BY f.priority, f.due_at, f.job LIMIT 1);
END;

-- A row that a claim considers becomes ready if its key has a free position, or if it is more urgent than a ready row that no worker has
-- claimed yet, which then loses its position.
CREATE TRIGGER queue_row_considered AFTER UPDATE OF state ON queue WHEN OLD.state = 'new' AND NEW.state = 'full' BEGIN
    UPDATE queue SET state = 'full' WHERE thread_id = (
        SELECT q.thread_id FROM queue AS q
        WHERE q.concurrency_key = NEW.concurrency_key AND q.state = 'ready'
            AND (q.priority, q.due_at, q.job) > (NEW.priority, NEW.due_at, NEW.job)
            AND NEW.concurrency_limit = (SELECT k.taken FROM queue_keys AS k WHERE k.concurrency_key = NEW.concurrency_key)
        ORDER BY q.priority DESC, q.due_at DESC, q.job DESC LIMIT 1);
    UPDATE queue SET state = 'ready' WHERE thread_id = NEW.thread_id
        AND concurrency_limit > coalesce((SELECT k.taken FROM queue_keys AS k WHERE k.concurrency_key = NEW.concurrency_key), 0);
END;

CREATE TRIGGER queue_place_reserved AFTER UPDATE OF state ON queue WHEN OLD.state <> 'ready' AND NEW.state = 'ready' BEGIN
    INSERT INTO queue_count VALUES (NEW.concurrency_key, 1);
END;

CREATE TRIGGER queue_place_given_up AFTER UPDATE OF state ON queue WHEN OLD.state = 'ready' AND NEW.state <> 'ready' BEGIN
    INSERT INTO queue_count VALUES (NEW.concurrency_key, -1);
END;

CREATE TRIGGER queue_row_removed AFTER DELETE ON queue WHEN OLD.state = 'ready' AND OLD.concurrency_key IS NOT NULL BEGIN
    INSERT INTO queue_count VALUES (OLD.concurrency_key, -1);
    INSERT INTO queue_promote VALUES (OLD.concurrency_key);
END;

-- None of the following triggers fires for a step. A claimed run is counted before its row is deleted, so that it keeps its position.
CREATE TRIGGER queue_run_added AFTER INSERT ON runs WHEN NEW.is_held OR (NEW.status = 'pending' AND NEW.job IS NOT NULL) BEGIN
    INSERT INTO queue_count SELECT NEW.concurrency_key, 1 WHERE NEW.is_held;
    INSERT INTO queue_settle VALUES (NEW.thread_id);
END;

CREATE TRIGGER queue_run_changed AFTER UPDATE OF status, is_held ON runs
WHEN OLD.is_held <> NEW.is_held OR (NEW.job IS NOT NULL AND (OLD.status = 'pending') <> (NEW.status = 'pending')) BEGIN
    INSERT INTO queue_count SELECT NEW.concurrency_key, NEW.is_held - OLD.is_held WHERE NEW.is_held <> OLD.is_held;
    INSERT INTO queue_promote SELECT NEW.concurrency_key WHERE OLD.is_held AND NOT NEW.is_held;
    INSERT INTO queue_settle VALUES (NEW.thread_id);
END;

CREATE TRIGGER queue_run_removed AFTER DELETE ON runs WHEN OLD.is_held OR (OLD.status = 'pending' AND OLD.job IS NOT NULL) BEGIN
    INSERT INTO queue_count SELECT OLD.concurrency_key, -1 WHERE OLD.is_held;
    INSERT INTO queue_promote SELECT OLD.concurrency_key WHERE OLD.is_held;
    INSERT INTO queue_settle VALUES (OLD.thread_id);
END;

INSERT INTO queue_keys (concurrency_key, taken)
SELECT concurrency_key, count(*) FROM runs WHERE is_held AND concurrency_key IS NOT NULL GROUP BY concurrency_key;

INSERT INTO queue (thread_id, run_id, priority, due_at, job, concurrency_key, concurrency_limit, state)
SELECT r.thread_id, r.run_id, r.priority, r.due_at, r.job, r.concurrency_key, r.concurrency_limit,
    CASE WHEN r.concurrency_key IS NULL THEN 'ready' ELSE 'new' END
FROM queue_waiting AS r
WHERE NOT EXISTS (SELECT 1 FROM queue_held AS h WHERE h.thread_id = r.thread_id)
    AND NOT EXISTS (SELECT 1 FROM queue_waiting AS e WHERE e.thread_id = r.thread_id AND (e.due_at, e.job) < (r.due_at, r.job));

DROP INDEX runs_due;
DROP INDEX runs_due_by_key;
DROP INDEX runs_held_by_key;
