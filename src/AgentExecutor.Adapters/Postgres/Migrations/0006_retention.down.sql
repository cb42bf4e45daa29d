DROP TABLE upkeep;
DROP INDEX definitions_by_check;
ALTER TABLE definitions DROP COLUMN retired_at, DROP COLUMN checked_at;
DROP INDEX threads_listed;
