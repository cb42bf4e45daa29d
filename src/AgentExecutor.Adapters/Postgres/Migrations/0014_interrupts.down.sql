-- The previous version of the program does not know runs that wait only for external tools. It treats them as interrupted.
UPDATE threads SET status = 'interrupted' WHERE status = 'waiting';
UPDATE runs SET status = 'interrupted' WHERE status = 'waiting';
DROP TABLE notices;
DROP TABLE interrupts;
