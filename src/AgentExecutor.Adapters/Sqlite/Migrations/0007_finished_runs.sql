-- A finished run cannot become runnable, and only a running run can be held. The constraint rejects all other changes.
ALTER TABLE runs ADD COLUMN finished_at TEXT CHECK (
    (finished_at IS NULL OR status IN ('completed', 'failed', 'cancelled')) AND (NOT is_held OR status = 'running'));

UPDATE runs SET finished_at = updated_at WHERE status IN ('completed', 'failed', 'cancelled');
