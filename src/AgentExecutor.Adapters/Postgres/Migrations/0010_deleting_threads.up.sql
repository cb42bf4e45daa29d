-- An index for finding threads whose deletion has not finished. Each index on a large table has a migration of its own, so that no lock is
-- held while another index is built.
CREATE INDEX threads_deleting ON threads (thread_id) WHERE deletion_started_at IS NOT NULL;
