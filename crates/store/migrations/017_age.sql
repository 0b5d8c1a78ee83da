-- How old a bundle on its way is, and how many copies of it may be handed to whoever has no reason to be given it.
-- `born`: when it was made, on this store's clock that only goes forward (`mail_clock` in `meta`); NULL in a row of an
-- older program, until the clock is looked at the next time.
ALTER TABLE mail ADD COLUMN born INTEGER;
ALTER TABLE mail ADD COLUMN copies INTEGER NOT NULL DEFAULT 1;
-- Our own, made by an older program.
UPDATE mail SET copies = 8 WHERE content IS NOT NULL;

-- Originals that other devices ask for, as they said when they were met last. `hops`: links between whoever asks and
-- this node.
CREATE TABLE blob_asked (
    name TEXT NOT NULL,
    node BLOB NOT NULL,
    hops INTEGER NOT NULL,
    at   INTEGER NOT NULL,                  -- unix seconds
    PRIMARY KEY (name, node)
) STRICT, WITHOUT ROWID;

-- Devices that were told of originals that are asked for: they are told as well when nothing is asked for any more.
CREATE TABLE blob_told (
    node BLOB PRIMARY KEY
) STRICT, WITHOUT ROWID;
