-- Files beside the documents (`sync::blob`). Names are multihashes in hexadecimal.

-- What lies whole in the folder `blobs`; made to agree with it at each opening.
CREATE TABLE blob (
    name  TEXT PRIMARY KEY,
    bytes INTEGER NOT NULL,
    at    INTEGER NOT NULL                  -- unix seconds
) STRICT, WITHOUT ROWID;

-- In whose stores a blob lies, signed by them.
CREATE TABLE blob_receipt (
    name      TEXT NOT NULL,
    node      BLOB NOT NULL,
    store     BLOB NOT NULL,
    signature BLOB NOT NULL,
    at        INTEGER NOT NULL,
    PRIMARY KEY (name, node)
) STRICT, WITHOUT ROWID;

-- Originals that somebody here has asked for.
CREATE TABLE blob_wish (
    name TEXT PRIMARY KEY,
    at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Which record names a blob, in each of the three sizes.
CREATE INDEX evidence_copy ON record (fields ->> 'hash') WHERE kind = 'evidence';
CREATE INDEX evidence_preview ON record (fields ->> 'preview') WHERE kind = 'evidence';
CREATE INDEX evidence_original ON record (fields ->> 'original') WHERE kind = 'evidence';
