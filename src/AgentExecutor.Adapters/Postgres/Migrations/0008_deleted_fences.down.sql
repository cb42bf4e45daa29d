DROP TABLE deleted_fences;
