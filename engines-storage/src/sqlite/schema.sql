-- Schema version 1. Times are milliseconds since 1970 (UTC); bodies and attributes are JSON text.

CREATE TABLE meta (
  name  TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- A scope: a tenant in an environment. `events` is the sequence of its last dataset event, `high` the latest time of
-- all its dataset events, and `lag` the largest difference in milliseconds by which one was earlier than one before it.
CREATE TABLE scopes (
  scope_id INTEGER PRIMARY KEY,
  tenant   TEXT NOT NULL,
  env      TEXT NOT NULL,
  events   INTEGER NOT NULL DEFAULT 0,
  high     INTEGER NOT NULL DEFAULT 0,
  lag      INTEGER NOT NULL DEFAULT 0,
  UNIQUE (tenant, env)
) STRICT;

CREATE TABLE documents (
  document_id INTEGER PRIMARY KEY,
  scope_id    INTEGER NOT NULL REFERENCES scopes,
  kind        TEXT NOT NULL,
  id          TEXT NOT NULL,
  version     INTEGER NOT NULL,
  created_at  INTEGER NOT NULL,
  updated_at  INTEGER NOT NULL,
  tags        TEXT NOT NULL,
  body        TEXT NOT NULL,
  UNIQUE (scope_id, kind, id)
) STRICT;
CREATE INDEX documents_by_update ON documents (scope_id, kind, updated_at, id);

CREATE TABLE document_tags (
  scope_id   INTEGER NOT NULL REFERENCES scopes,
  kind       TEXT NOT NULL,
  tag        TEXT NOT NULL,
  id         TEXT NOT NULL,
  updated_at INTEGER NOT NULL,
  PRIMARY KEY (scope_id, kind, tag, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX document_tags_by_update ON document_tags (scope_id, kind, tag, updated_at, id);

-- `head` is the sequence of the last event, `first` that of the oldest readable one. Events before `first` are being
-- deleted; those before `kept` are deleted already.
CREATE TABLE streams (
  stream_id INTEGER PRIMARY KEY,
  scope_id  INTEGER NOT NULL REFERENCES scopes,
  key       TEXT NOT NULL,
  head      INTEGER NOT NULL,
  first     INTEGER NOT NULL DEFAULT 1,
  kept      INTEGER NOT NULL DEFAULT 1,
  UNIQUE (scope_id, key)
) STRICT;
CREATE INDEX streams_to_clear ON streams (stream_id) WHERE kept < first;

-- The events of all streams in one tree, in reading order: place = stream_id * 2^36 + seq.
CREATE TABLE stream_events (
  place      INTEGER PRIMARY KEY,
  event_id   TEXT NOT NULL,
  type       TEXT NOT NULL,
  ts         INTEGER NOT NULL,
  actor_id   TEXT NOT NULL,
  actor_type TEXT NOT NULL,
  attributes TEXT NOT NULL,
  data       TEXT NOT NULL
) STRICT;

-- Scrubbed dataset events. `position` orders the events of all scopes, `seq` those of one scope.
CREATE TABLE dataset_events (
  position   INTEGER PRIMARY KEY AUTOINCREMENT,
  scope_id   INTEGER NOT NULL REFERENCES scopes,
  seq        INTEGER NOT NULL,
  event_id   TEXT NOT NULL,
  ts         INTEGER NOT NULL,
  surface    TEXT NOT NULL,
  agent_id   TEXT NOT NULL,
  type       TEXT,
  trace_id   TEXT NOT NULL,
  actor_id   TEXT NOT NULL,
  actor_type TEXT NOT NULL,
  train_ok   INTEGER NOT NULL,
  pii_flags  TEXT NOT NULL,
  body       TEXT NOT NULL,
  UNIQUE (scope_id, seq)
) STRICT;
CREATE INDEX dataset_events_by_surface ON dataset_events (scope_id, surface, seq);
CREATE INDEX dataset_events_by_agent ON dataset_events (scope_id, agent_id, seq);
CREATE INDEX dataset_events_by_trace ON dataset_events (scope_id, trace_id, seq);
CREATE INDEX dataset_events_by_type ON dataset_events (scope_id, type, seq) WHERE type IS NOT NULL;

-- A mark at every 64th event: no event up to `seq` is later than `high`. `high` never decreases, so the marks lead from
-- a time to sequences.
CREATE TABLE event_marks (
  scope_id INTEGER NOT NULL REFERENCES scopes,
  high     INTEGER NOT NULL,
  seq      INTEGER NOT NULL,
  PRIMARY KEY (scope_id, high, seq)
) STRICT, WITHOUT ROWID;

-- The audit records of all scopes in one tree, in reading order: place = scope_id * 2^40 + number in the scope.
CREATE TABLE audit (
  place      INTEGER PRIMARY KEY,
  audit_id   TEXT NOT NULL,
  ts         INTEGER NOT NULL,
  action     TEXT NOT NULL,
  resource   TEXT NOT NULL,
  outcome    TEXT NOT NULL,
  actor_id   TEXT NOT NULL,
  actor_type TEXT NOT NULL,
  request_id TEXT NOT NULL,
  trace_id   TEXT NOT NULL,
  span_id    TEXT NOT NULL,
  reason     TEXT
) STRICT;

-- Idempotency records in the order of writing. `at` is the time of writing.
CREATE TABLE once (
  place       INTEGER PRIMARY KEY,
  scope_id    INTEGER NOT NULL REFERENCES scopes,
  realm       TEXT NOT NULL,
  key         TEXT NOT NULL,
  fingerprint BLOB NOT NULL,
  receipt     TEXT NOT NULL,
  at          INTEGER NOT NULL
) STRICT;

-- Finds the record of a key by a hash of the key. Complete up to the place that `meta` stores as `once_indexed`.
CREATE TABLE once_index (
  hash  INTEGER NOT NULL,
  place INTEGER NOT NULL,
  PRIMARY KEY (hash, place)
) STRICT, WITHOUT ROWID;

-- Views for people and their tools.
CREATE VIEW stream_log AS
  SELECT tenant, env, key AS stream, place & 0xfffffffff AS seq, event_id, type, ts, actor_id, actor_type, attributes, data
  FROM stream_events JOIN streams ON stream_id = place >> 36 AND first <= place & 0xfffffffff JOIN scopes USING (scope_id);
CREATE VIEW audit_log AS
  SELECT tenant, env, audit_id, ts, action, resource, outcome, actor_id, actor_type, request_id, trace_id, span_id, reason
  FROM audit JOIN scopes ON scope_id = place >> 40;
CREATE VIEW document_list AS
  SELECT tenant, env, kind, id, version, created_at, updated_at, tags, body FROM documents JOIN scopes USING (scope_id);
CREATE VIEW event_list AS
  SELECT tenant, env, seq, event_id, ts, surface, agent_id, type, trace_id, actor_id, actor_type, train_ok, pii_flags, body
  FROM dataset_events JOIN scopes USING (scope_id);
