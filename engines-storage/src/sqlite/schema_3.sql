-- Schema version 3: the keys that were called `place` are called `rowkey`. SQLite changes the indexes and views that use
-- them.
ALTER TABLE stream_events RENAME COLUMN place TO rowkey;
ALTER TABLE audit RENAME COLUMN place TO rowkey;
ALTER TABLE once RENAME COLUMN place TO rowkey;
ALTER TABLE once_index RENAME COLUMN place TO rowkey;
