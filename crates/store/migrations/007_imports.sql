-- Tables that people imported on this computer: what each wrote, so that it can be taken back, and which rows of
-- which file were taken, so that none is taken twice. Local: what was written travels as records like any other.

CREATE TABLE import (
    id        TEXT PRIMARY KEY,
    what      TEXT NOT NULL,      -- roster, attendance, outside, passes
    about     TEXT NOT NULL,      -- the session that the list is of, or empty
    file      TEXT NOT NULL,
    hash      TEXT NOT NULL,      -- SHA-256 of the file, hexadecimal
    account   TEXT NOT NULL,
    at        INTEGER NOT NULL,
    undone_at INTEGER,            -- the last time that something of it was taken back
    undone_by TEXT,
    reason    TEXT
) STRICT;

CREATE INDEX import_hash ON import (hash);

CREATE TABLE import_row (
    import  TEXT NOT NULL REFERENCES import (id),
    place   INTEGER NOT NULL,     -- order of writing
    row_key TEXT NOT NULL,        -- where the row stands in the file: 签到表!5
    record  TEXT NOT NULL,
    kind    TEXT NOT NULL,
    made    INTEGER NOT NULL,     -- the record began with it
    before  TEXT NOT NULL,        -- JSON: what stood in each field that was written, null = nothing
    after   TEXT NOT NULL,        -- JSON: what was written
    undone  INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (import, place)
) STRICT, WITHOUT ROWID;
