-- What a node keeps. Changes, statements and receipts are the truth; `record` and `record_fts`-like
-- tables are views that can be rebuilt at any time. Keys, hashes and signatures are raw bytes.

CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;

CREATE TABLE document (
    id     INTEGER PRIMARY KEY,
    key    TEXT NOT NULL UNIQUE,
    heads  BLOB NOT NULL DEFAULT x'',       -- sorted change hashes, 32 bytes each
    viewed INTEGER NOT NULL DEFAULT 0       -- views hold changes up to this local sequence; -1: rebuild
) STRICT;

CREATE TABLE change (
    seq       INTEGER PRIMARY KEY AUTOINCREMENT,   -- local sequence: the order of commits at this node
    doc       INTEGER NOT NULL REFERENCES document(id),
    hash      BLOB NOT NULL,
    actor     BLOB NOT NULL,                -- device key 32, incarnation 4
    actor_seq INTEGER NOT NULL,
    start_op  INTEGER NOT NULL,
    ops       INTEGER NOT NULL,
    deps      BLOB NOT NULL,                -- 32 bytes each
    body      BLOB NOT NULL,
    tip       BLOB,                         -- the author's signature, 64 bytes
    from_peer BLOB,                         -- NULL: written here
    at        INTEGER NOT NULL,             -- unix seconds by this node's clock, for people only
    UNIQUE (doc, hash),
    UNIQUE (doc, actor, actor_seq)
) STRICT;

CREATE TABLE held (
    id        INTEGER PRIMARY KEY,
    document  TEXT NOT NULL,
    hash      BLOB NOT NULL,
    actor     BLOB NOT NULL,
    actor_seq INTEGER NOT NULL,
    wait      TEXT NOT NULL,
    body      BLOB NOT NULL,
    tip       BLOB,
    from_peer BLOB,
    at        INTEGER NOT NULL,
    UNIQUE (document, hash)
) STRICT;

CREATE TABLE quarantine (
    document  TEXT NOT NULL,
    actor     BLOB NOT NULL,
    fault     TEXT NOT NULL,
    actor_seq INTEGER NOT NULL,
    body      BLOB NOT NULL,                -- the evidence: the faulty change…
    tip       BLOB,                         -- …and its author's signature
    from_peer BLOB,
    at        INTEGER NOT NULL,
    PRIMARY KEY (document, actor)
) STRICT, WITHOUT ROWID;

CREATE TABLE statement (
    id    INTEGER PRIMARY KEY AUTOINCREMENT,
    hash  BLOB NOT NULL UNIQUE,
    bytes BLOB NOT NULL,
    at    INTEGER NOT NULL
) STRICT;

CREATE TABLE peer (
    node       BLOB PRIMARY KEY,
    store      BLOB,                        -- its store id when last seen
    acked      INTEGER,                     -- our local sequence that this store has acknowledged
    scope      BLOB,                        -- hash of what it may read; another scope voids `acked`
    address    TEXT,
    seen_at    INTEGER,                     -- unix seconds
    in_sync_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE address (
    address TEXT PRIMARY KEY,               -- host:port that a person typed
    at      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE receipt (
    node  BLOB NOT NULL,
    store BLOB NOT NULL,
    doc   INTEGER NOT NULL REFERENCES document(id),
    actor BLOB NOT NULL,
    seq   INTEGER NOT NULL,
    hash  BLOB NOT NULL,
    at    INTEGER NOT NULL,
    PRIMARY KEY (node, store, doc, actor)
) STRICT, WITHOUT ROWID;

CREATE TABLE event (
    id       INTEGER PRIMARY KEY,
    at       INTEGER NOT NULL,
    code     TEXT NOT NULL,
    peer     BLOB NOT NULL DEFAULT x'',
    document TEXT NOT NULL DEFAULT '',
    detail   TEXT NOT NULL DEFAULT '',
    count    INTEGER NOT NULL DEFAULT 1,
    UNIQUE (code, peer, document, detail)
) STRICT;

CREATE TABLE wish (
    node  BLOB PRIMARY KEY,
    label TEXT NOT NULL,
    at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE record (
    doc      INTEGER NOT NULL REFERENCES document(id),
    doc_key  TEXT NOT NULL,
    school   TEXT,
    year     INTEGER,
    id       TEXT NOT NULL,
    kind     TEXT NOT NULL,
    version  INTEGER NOT NULL,
    person   TEXT,
    about    TEXT,
    date     TEXT,
    fields   TEXT NOT NULL,                 -- JSON object of the winning values
    others   TEXT,                          -- JSON object: field -> all concurrent values
    disputed INTEGER NOT NULL,
    author   BLOB NOT NULL,                 -- device of the newest value
    parts    BLOB NOT NULL,                 -- (actor 36, actor_seq u64 be) of the changes its values stand in
    PRIMARY KEY (doc, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX record_id ON record (id);
CREATE INDEX record_school ON record (kind, school, date);
CREATE INDEX record_person ON record (kind, person);
CREATE INDEX record_about ON record (kind, about);

CREATE TABLE account (
    id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, role TEXT NOT NULL, secret TEXT NOT NULL, person TEXT,
    created_at INTEGER NOT NULL, failures INTEGER NOT NULL DEFAULT 0, locked_until INTEGER NOT NULL DEFAULT 0,
    active INTEGER NOT NULL DEFAULT 1
) STRICT;
CREATE TABLE web_session (
    token_hash BLOB PRIMARY KEY, account TEXT NOT NULL, csrf TEXT NOT NULL,
    created_at INTEGER NOT NULL, seen_at INTEGER NOT NULL
) STRICT;
CREATE TABLE setup_link (token_hash BLOB PRIMARY KEY, created_at INTEGER NOT NULL, used_at INTEGER) STRICT;
CREATE TABLE access_log (
    at INTEGER NOT NULL, account TEXT, name TEXT, act TEXT NOT NULL, object TEXT, remote TEXT
) STRICT;
CREATE INDEX access_log_at ON access_log (at);
