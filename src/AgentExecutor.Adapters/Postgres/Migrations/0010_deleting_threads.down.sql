DROP INDEX threads_deleting;
