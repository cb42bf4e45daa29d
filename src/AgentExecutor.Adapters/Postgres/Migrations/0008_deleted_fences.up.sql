-- A new thread starts with a fencing token higher than that of any deleted thread, so that no worker of a deleted thread can change a new
-- thread with the same id.
CREATE TABLE deleted_fences (fence bigint NOT NULL);
INSERT INTO deleted_fences (fence) SELECT coalesce(max(fence), 0) FROM threads;
