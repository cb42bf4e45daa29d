DROP INDEX runs_by_definition;
