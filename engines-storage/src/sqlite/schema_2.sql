-- Schema 2: streams can be deleted, and receipts are found by their scope.

-- 0 for a stream that was not deleted. For a deleted one, the place in `once` from which on its receipts are still to be removed,
-- and -1 when none is left. The row keeps the name taken.
ALTER TABLE streams ADD COLUMN deleted INTEGER NOT NULL DEFAULT 0;
CREATE INDEX streams_deleted ON streams (scope_id, deleted) WHERE deleted > 0;

-- A scope's receipts in the order they were written: the index holds the place too.
CREATE INDEX once_by_scope ON once (scope_id);

-- There while the files may hold content that was removed. A file of schema 1 was never looked through.
INSERT INTO meta (name, value) VALUES ('erasure', 'pending');
