-- From which change on an actor is left out of a document because Automerge cannot take it. Apart from its
-- quarantine, which keeps the first evidence whatever it was.

CREATE TABLE unreadable (
    document  TEXT NOT NULL,
    actor     BLOB NOT NULL,
    actor_seq INTEGER NOT NULL,
    PRIMARY KEY (document, actor)
) STRICT, WITHOUT ROWID;

INSERT INTO unreadable SELECT document, actor, actor_seq FROM quarantine WHERE fault = 'Unreadable';
