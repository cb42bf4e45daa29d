-- An index for checking whether a run refers to a definition.
CREATE INDEX runs_by_definition ON runs (definition_hash);
