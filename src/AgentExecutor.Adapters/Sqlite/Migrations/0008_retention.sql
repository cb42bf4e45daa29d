-- Indexes for listing threads page by page, and for finding definitions that no run refers to.
CREATE INDEX runs_listed ON runs (created_at, thread_id, run_id);
CREATE INDEX runs_ended ON runs (finished_at, thread_id, run_id) WHERE finished_at IS NOT NULL;
CREATE INDEX runs_by_definition ON runs (definition_hash);
