-- An index for listing threads page by page, by the creation of their newest run. A later migration adds one for their end. No step of a
-- running run changes a column of these indexes. Because of the collation only lists use the index, which state it in their queries.
-- Otherwise the planner would find the threads of a commit by the status 'running' instead of by their ids, which costs more the more
-- threads are running.
CREATE INDEX threads_listed ON threads (status COLLATE "C", created_at, thread_id);

-- A definition that no run refers to is retired first and deleted an hour later, so that a concurrent submission of it can keep it.
ALTER TABLE definitions ADD COLUMN checked_at timestamptz NOT NULL DEFAULT now(), ADD COLUMN retired_at timestamptz;
CREATE INDEX definitions_by_check ON definitions (checked_at);

-- Leases for maintenance tasks, each of which only one process at a time executes.
CREATE TABLE upkeep (
    name text COLLATE "C" PRIMARY KEY,
    holder text COLLATE "C" NOT NULL,
    lease_until timestamptz NOT NULL
);
