-- Schema version 2: streams can be deleted, and receipts are found by their scope.

-- 0 for a stream that was not deleted. For a deleted stream, the place in `once` from which on its receipts are still to
-- be deleted, and -1 when none is left. The row stays, so that the stream's name cannot be used again.
ALTER TABLE streams ADD COLUMN deleted INTEGER NOT NULL DEFAULT 0;
CREATE INDEX streams_deleted ON streams (scope_id, deleted) WHERE deleted > 0;

-- The receipts of a scope in the order of writing: an entry of the index contains the place too.
CREATE INDEX once_by_scope ON once (scope_id);

-- Present while the files may contain removed content. A file of schema version 1 was never checked for it.
INSERT INTO meta (name, value) VALUES ('erasure', 'pending');
