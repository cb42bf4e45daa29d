DELETE FROM messages WHERE stream IN ('inbox', 'toolrequests');
DROP INDEX messages_inbox;
