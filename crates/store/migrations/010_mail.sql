-- Sealed bundles: what lies in `mail/` for others and of our own, what was taken up, and how a correspondent stands.

-- A bundle on its way; its file is named like the row. Ours until the recipient answers, others' within a limit.
CREATE TABLE mail (
    name      TEXT PRIMARY KEY,
    recipient BLOB NOT NULL,
    sender    BLOB NOT NULL,
    bytes     INTEGER NOT NULL,
    number    INTEGER NOT NULL,
    part      INTEGER NOT NULL,
    parts     INTEGER NOT NULL,
    made      INTEGER NOT NULL,
    got_at    INTEGER NOT NULL,
    -- Of our own: a hash of what is inside, so that the same is not sealed twice, and how many changes.
    content   BLOB,
    changes   INTEGER NOT NULL DEFAULT 0,
    -- It was written to a stick. What only answers is not written again unless it is asked for again.
    handed    INTEGER NOT NULL DEFAULT 0
);

-- A bundle that was for this node: the recipient's answer names it. `refused` is a code, 0 when it was taken.
CREATE TABLE mail_taken (
    turn    INTEGER PRIMARY KEY,
    name    TEXT NOT NULL UNIQUE,
    sender  BLOB NOT NULL,
    refused INTEGER NOT NULL,
    at      INTEGER NOT NULL
);
CREATE INDEX mail_taken_of ON mail_taken (sender, turn);

-- A device that bundles go to or come from. `owed`: it waits for an answer. `heard`: the highest number of a
-- bundle of its present store. `roll`: the roll that it said it has. `verdicts`: what it is to hear of (postcard).
CREATE TABLE mail_peer (
    node     BLOB PRIMARY KEY,
    owed     INTEGER NOT NULL DEFAULT 0,
    store    BLOB,
    heard    INTEGER,
    roll     BLOB,
    verdicts BLOB
);
