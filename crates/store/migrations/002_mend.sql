-- Branches that this node has left, and what is needed to mend a device that was rolled back or copied.
-- Nothing is deleted: a change that no longer stands in `change` stands here, as evidence, and goes back when
-- the roll says so or when what it depends on returns.

CREATE TABLE aside (
    id        INTEGER PRIMARY KEY,
    document  TEXT NOT NULL,
    hash      BLOB NOT NULL,
    actor     BLOB NOT NULL,
    actor_seq INTEGER NOT NULL,
    place     INTEGER NOT NULL,             -- local sequence that it had: their order
    deps      BLOB NOT NULL,
    body      BLOB NOT NULL,
    tip       BLOB,
    from_peer BLOB,                         -- NULL: written here
    why       TEXT NOT NULL,                -- withdrawn, branch, end, past (`store::aside::Why`)
    upto      INTEGER NOT NULL,             -- highest local sequence when it was set aside
    said      INTEGER NOT NULL DEFAULT 0,   -- own ones: 1 when the values have been said again
    at        INTEGER NOT NULL,
    UNIQUE (document, hash)
) STRICT;
CREATE INDEX aside_actor ON aside (document, actor);
CREATE INDEX aside_said ON aside (said, document);

-- Own changes that a peer refused because it holds another branch of this device.
CREATE TABLE fork (
    document  TEXT NOT NULL,
    actor     BLOB NOT NULL,
    seq       INTEGER NOT NULL,             -- lowest refused number; 0: settled
    flips     INTEGER NOT NULL DEFAULT 0,   -- how often this node has changed its branch: bounded
    at        INTEGER NOT NULL,
    PRIMARY KEY (document, actor)
) STRICT, WITHOUT ROWID;
