-- Credit statements that were issued on this computer, as files.
CREATE TABLE credit_file (
    id TEXT PRIMARY KEY, file TEXT NOT NULL
) STRICT, WITHOUT ROWID;
-- Tokens of other systems (the JSON API): kept as SHA-256 alone.
CREATE TABLE api_token (
    id TEXT PRIMARY KEY, hash BLOB NOT NULL UNIQUE, label TEXT NOT NULL, scopes TEXT NOT NULL,
    made_at INTEGER NOT NULL, made_by TEXT NOT NULL, expires_at INTEGER NOT NULL,
    used_at INTEGER, revoked_at INTEGER, revoked_by TEXT
) STRICT, WITHOUT ROWID;
-- What a key of an import has been answered with: the same key with the same content is answered so again.
CREATE TABLE api_import (
    token TEXT NOT NULL REFERENCES api_token (id), key TEXT NOT NULL, digest BLOB NOT NULL,
    answer TEXT NOT NULL, at INTEGER NOT NULL,
    PRIMARY KEY (token, key)
) STRICT, WITHOUT ROWID;
-- The page of the access log asks for sorts of acts and for people.
CREATE INDEX access_log_act ON access_log (act);
