-- The queue contains the next run, by due_at and run_id, of each thread that nobody holds, so that the cost of a claim depends only on what
-- it claims. A run is ready, or the limit of its concurrency key has been reached (full), or it has a key and is not due yet (delayed). A
-- position of its key is reserved for a ready run, so a claim does not lock keys. Triggers update the table in the transactions that change
-- runs and threads, so no other statement has to do so.
CREATE TABLE queue (
    thread_id text COLLATE "C" PRIMARY KEY,
    run_id text COLLATE "C" NOT NULL,
    priority smallint NOT NULL,
    due_at timestamptz NOT NULL,
    concurrency_key text COLLATE "C",
    concurrency_limit integer NOT NULL,
    state text COLLATE "C" NOT NULL CHECK (state IN ('ready', 'full', 'delayed'))
);

CREATE INDEX queue_ready ON queue (priority, due_at) WHERE state = 'ready';
CREATE INDEX queue_by_key ON queue (concurrency_key, state, priority, due_at) WHERE concurrency_key IS NOT NULL;
CREATE INDEX queue_delayed ON queue (due_at) WHERE state = 'delayed';

-- True if a second run was ever submitted to the thread. In the common case a thread has only one run. When such a thread becomes free, no
-- run can wait for it, so the trigger that looks for the next run does not fire. For existing threads the column is true.
ALTER TABLE threads ADD COLUMN is_followed boolean NOT NULL DEFAULT true;
ALTER TABLE threads ALTER COLUMN is_followed SET DEFAULT false;

-- The transaction that makes runs of a key ready locks the row of the key. A key whose runs have all ended has no row.
CREATE TABLE queue_keys (
    concurrency_key text COLLATE "C" PRIMARY KEY
);

-- Keys that may have a free position because a run has ended, or a new run because its thread became free. The next claim checks them. A
-- run that ends does not lock its key, because the lock would last until its batch of commits is durable.
CREATE TABLE queue_openings (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    concurrency_key text COLLATE "C" NOT NULL
);

-- Makes runs of a key ready up to its limit, most urgent first. A more urgent run replaces a ready one that no worker has claimed yet. If
-- the limits of the runs differ, each applies to its own run. The caller has locked the row of the key. Rows that other transactions have
-- locked are left for the next claim.
CREATE FUNCTION queue_balance(key text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    taken bigint;
    best queue;
    worst queue;
BEGIN
    SELECT (SELECT count(*) FROM threads AS t WHERE t.concurrency_key = key AND t.is_held)
        + (SELECT count(*) FROM queue AS q WHERE q.concurrency_key = key AND q.state = 'ready') INTO taken;
    LOOP
        SELECT c.* INTO best FROM (
            SELECT * FROM queue AS q WHERE q.concurrency_key = key AND q.state = 'full' ORDER BY q.priority, q.due_at LIMIT 50) AS c
        WHERE c.concurrency_limit > taken ORDER BY c.priority, c.due_at LIMIT 1;
        EXIT WHEN NOT FOUND;
        PERFORM 1 FROM queue AS q
        WHERE q.thread_id = best.thread_id AND q.run_id = best.run_id AND q.state = 'full' FOR UPDATE SKIP LOCKED;
        IF NOT FOUND THEN
            INSERT INTO queue_openings (concurrency_key) VALUES (key);
            RETURN;
        END IF;
        UPDATE queue AS q SET state = 'ready' WHERE q.thread_id = best.thread_id;
        taken := taken + 1;
    END LOOP;
    LOOP
        SELECT * INTO best FROM queue AS q WHERE q.concurrency_key = key AND q.state = 'full' ORDER BY q.priority, q.due_at LIMIT 1;
        EXIT WHEN NOT FOUND OR best.concurrency_limit < taken;
        SELECT * INTO worst FROM queue AS q
        WHERE q.concurrency_key = key AND q.state = 'ready' AND (q.priority, q.due_at) > (best.priority, best.due_at)
        ORDER BY q.priority DESC, q.due_at DESC LIMIT 1 FOR UPDATE SKIP LOCKED;
        EXIT WHEN NOT FOUND;
        PERFORM 1 FROM queue AS q
        WHERE q.thread_id = best.thread_id AND q.run_id = best.run_id AND q.state = 'full' FOR UPDATE SKIP LOCKED;
        EXIT WHEN NOT FOUND;
        UPDATE queue AS q SET state = 'full' WHERE q.thread_id = worst.thread_id;
        UPDATE queue AS q SET state = 'ready' WHERE q.thread_id = best.thread_id;
    END LOOP;
END
$$;

-- Updates the row of a thread, whose row in threads the caller has locked. may_wait is true if the function may wait for the row of a key,
-- which is only safe if the caller locks keys in their order and locks no thread afterwards.
CREATE FUNCTION queue_settle(thread text, may_wait boolean) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    it record;
BEGIN
    SELECT q.run_id AS queued, q.concurrency_key AS queued_key, t.is_held, t.run_id AS held, t.concurrency_key AS held_key,
        r.run_id, r.priority, r.due_at, r.concurrency_key, r.concurrency_limit
    FROM (SELECT) AS one
    LEFT JOIN threads AS t ON t.thread_id = thread
    LEFT JOIN queue AS q ON q.thread_id = thread
    LEFT JOIN LATERAL (
        SELECT * FROM runs WHERE NOT t.is_held AND t.deletion_started_at IS NULL AND thread_id = thread AND status = 'pending' AND is_queued
        ORDER BY due_at, run_id LIMIT 1) AS r ON true
    INTO it;
    IF it.queued IS NOT DISTINCT FROM it.run_id THEN
        RETURN;
    END IF;
    IF may_wait AND it.concurrency_key IS NOT NULL THEN
        LOOP
            PERFORM 1 FROM queue_keys AS k WHERE k.concurrency_key = it.concurrency_key FOR UPDATE;
            EXIT WHEN FOUND;
            INSERT INTO queue_keys (concurrency_key) VALUES (it.concurrency_key) ON CONFLICT DO NOTHING;
        END LOOP;
    END IF;
    IF it.queued IS NOT NULL THEN
        DELETE FROM queue AS q WHERE q.thread_id = thread;
        -- A claimed run keeps its position.
        IF it.queued_key IS NOT NULL AND NOT coalesce(it.is_held AND it.held = it.queued AND it.held_key = it.queued_key, false) THEN
            INSERT INTO queue_openings (concurrency_key) VALUES (it.queued_key);
        END IF;
    END IF;
    IF it.run_id IS NULL THEN
        RETURN;
    END IF;
    INSERT INTO queue (thread_id, run_id, priority, due_at, concurrency_key, concurrency_limit, state)
    VALUES (thread, it.run_id, it.priority, it.due_at, it.concurrency_key, it.concurrency_limit,
        CASE WHEN it.concurrency_key IS NULL THEN 'ready' WHEN it.due_at > now() THEN 'delayed' ELSE 'full' END);
    IF it.concurrency_key IS NOT NULL AND it.due_at <= now() THEN
        IF may_wait THEN
            PERFORM queue_balance(it.concurrency_key);
        ELSE
            INSERT INTO queue_openings (concurrency_key) VALUES (it.concurrency_key);
        END IF;
    END IF;
END
$$;

-- Is called after a claim and updates the rows of threads whose runs could not be claimed. Otherwise an incorrect row would stay first in
-- the queue forever. A thread that another transaction has locked is skipped, because that transaction updates its row.
CREATE FUNCTION queue_repair(refused text[]) RETURNS void LANGUAGE plpgsql
    SET search_path FROM CURRENT SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off AS $$
DECLARE
    thread text;
BEGIN
    FOREACH thread IN ARRAY refused LOOP
        PERFORM 1 FROM threads AS t WHERE t.thread_id = thread FOR NO KEY UPDATE SKIP LOCKED;
        CONTINUE WHEN NOT FOUND AND EXISTS (SELECT 1 FROM threads AS t WHERE t.thread_id = thread);
        PERFORM queue_settle(thread, false);
    END LOOP;
END
$$;

-- Is called before a claim and handles runs with a key that have become due, and keys that may have free positions, up to this number of
-- each. Returns how many there were. It does not wait for locks.
CREATE FUNCTION queue_advance(at_most integer) RETURNS integer LANGUAGE plpgsql
    SET search_path FROM CURRENT SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off AS $$
DECLARE
    opening record;
    looked integer;
BEGIN
    WITH due AS (
        SELECT q.thread_id FROM queue AS q
        WHERE q.state = 'delayed' AND q.due_at <= now()
        ORDER BY q.due_at LIMIT at_most FOR UPDATE SKIP LOCKED),
    u AS (UPDATE queue AS q SET state = 'full' FROM due WHERE q.thread_id = due.thread_id RETURNING q.concurrency_key)
    INSERT INTO queue_openings (concurrency_key) SELECT DISTINCT u.concurrency_key FROM u;
    GET DIAGNOSTICS looked = ROW_COUNT;
    FOR opening IN
        SELECT o.concurrency_key AS key, array_agg(o.id) AS ids FROM (SELECT * FROM queue_openings ORDER BY id LIMIT at_most) AS o
        GROUP BY o.concurrency_key ORDER BY o.concurrency_key
    LOOP
        IF NOT EXISTS (SELECT 1 FROM queue_keys AS k WHERE k.concurrency_key = opening.key) THEN
            INSERT INTO queue_keys (concurrency_key) VALUES (opening.key) ON CONFLICT DO NOTHING;
        END IF;
        PERFORM 1 FROM queue_keys AS k WHERE k.concurrency_key = opening.key FOR UPDATE SKIP LOCKED;
        -- The transaction that has locked the key may not see the change that freed a position, so the opening is kept for the next claim.
        CONTINUE WHEN NOT FOUND;
        DELETE FROM queue_openings AS o WHERE o.id = ANY (opening.ids);
        PERFORM queue_balance(opening.key);
        DELETE FROM queue_keys AS k WHERE k.concurrency_key = opening.key
            AND NOT EXISTS (SELECT 1 FROM queue AS q WHERE q.concurrency_key = opening.key)
            AND NOT EXISTS (SELECT 1 FROM threads AS t WHERE t.concurrency_key = opening.key AND t.is_held);
        looked := looked + 1;
    END LOOP;
    RETURN looked;
END
$$;

CREATE FUNCTION queue_on_thread() RETURNS trigger LANGUAGE plpgsql
    SET search_path FROM CURRENT SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off AS $$
BEGIN
    IF OLD.is_held AND OLD.concurrency_key IS NOT NULL
        AND (TG_OP = 'DELETE' OR NOT NEW.is_held OR NEW.concurrency_key IS DISTINCT FROM OLD.concurrency_key) THEN
        INSERT INTO queue_openings (concurrency_key) VALUES (OLD.concurrency_key);
    END IF;
    PERFORM queue_settle(OLD.thread_id, false);
    RETURN NULL;
END
$$;

-- A transaction that adds a run has locked the row of its thread. Therefore either a worker that releases the thread sees that it is
-- followed, or the transaction of the new run sees that the thread is free.
CREATE FUNCTION queue_on_run() RETURNS trigger LANGUAGE plpgsql
    SET search_path FROM CURRENT SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        UPDATE threads AS t SET is_followed = true WHERE t.thread_id = NEW.thread_id AND t.run_id <> NEW.run_id AND NOT t.is_followed;
    END IF;
    PERFORM queue_settle(coalesce(NEW.thread_id, OLD.thread_id), TG_OP = 'INSERT');
    RETURN NULL;
END
$$;

CREATE FUNCTION queue_on_truncate() RETURNS trigger LANGUAGE plpgsql
    SET search_path FROM CURRENT SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off AS $$
BEGIN
    DELETE FROM queue;
    DELETE FROM queue_openings;
    RETURN NULL;
END
$$;

-- None of these triggers fires for a step, for a run that is claimed when it is submitted, or when the only run of a thread ends.
CREATE TRIGGER queue_thread_changed AFTER UPDATE OF is_held, concurrency_key, deletion_started_at ON threads FOR EACH ROW
    WHEN (NOT OLD.is_held AND NEW.is_held OR OLD.is_held AND NOT NEW.is_held AND (NEW.is_followed OR OLD.concurrency_key IS NOT NULL)
        OR (OLD.deletion_started_at IS NULL) <> (NEW.deletion_started_at IS NULL)
        OR (OLD.is_held AND OLD.concurrency_key IS DISTINCT FROM NEW.concurrency_key))
    EXECUTE FUNCTION queue_on_thread();
CREATE TRIGGER queue_thread_deleted AFTER DELETE ON threads FOR EACH ROW
    WHEN (OLD.is_held AND OLD.concurrency_key IS NOT NULL) EXECUTE FUNCTION queue_on_thread();
CREATE TRIGGER queue_run_added AFTER INSERT ON runs FOR EACH ROW
    WHEN (NEW.status = 'pending' AND NEW.is_queued) EXECUTE FUNCTION queue_on_run();
CREATE TRIGGER queue_run_changed AFTER UPDATE OF status ON runs FOR EACH ROW
    WHEN (NEW.is_queued AND (OLD.status = 'pending') <> (NEW.status = 'pending') AND NEW.status <> 'running')
    EXECUTE FUNCTION queue_on_run();
CREATE TRIGGER queue_run_deleted AFTER DELETE ON runs FOR EACH ROW
    WHEN (OLD.status = 'pending' AND OLD.is_queued) EXECUTE FUNCTION queue_on_run();
CREATE TRIGGER queue_runs_truncated AFTER TRUNCATE ON runs EXECUTE FUNCTION queue_on_truncate();

-- Rebuilds the queue from the waiting runs, and locks the tables meanwhile. Later claims make the runs with keys ready.
CREATE FUNCTION queue_rebuild() RETURNS void LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    LOCK TABLE threads, runs IN SHARE ROW EXCLUSIVE MODE;
    DELETE FROM queue;
    INSERT INTO queue (thread_id, run_id, priority, due_at, concurrency_key, concurrency_limit, state)
    SELECT DISTINCT ON (r.thread_id) r.thread_id, r.run_id, r.priority, r.due_at, r.concurrency_key, r.concurrency_limit,
        CASE WHEN r.concurrency_key IS NULL THEN 'ready' WHEN r.due_at > now() THEN 'delayed' ELSE 'full' END
    FROM runs AS r JOIN threads AS t USING (thread_id)
    WHERE r.status = 'pending' AND r.is_queued AND NOT t.is_held AND t.deletion_started_at IS NULL
    ORDER BY r.thread_id, r.due_at, r.run_id;
    INSERT INTO queue_openings (concurrency_key) SELECT DISTINCT concurrency_key FROM queue WHERE state = 'full' ORDER BY concurrency_key;
END
$$;

-- The indexes runs_due and runs_due_by_key are kept, because the previous version of the program uses them to claim runs.
SELECT queue_rebuild();
