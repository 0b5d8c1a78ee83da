-- What the county's dashboard shows is kept beside the rows that it is counted from: one more record costs the same on
-- the last day of a year as on its first.

CREATE TABLE tally (
    kind   TEXT NOT NULL,                   -- session, attendance, claim; decided: claims with a decision
    school TEXT NOT NULL,
    n      INTEGER NOT NULL,
    PRIMARY KEY (kind, school)
) STRICT, WITHOUT ROWID;

-- Where each person stands in the cycle, by the rules in use.
CREATE TABLE standing (
    school TEXT NOT NULL,
    person TEXT NOT NULL,
    row    TEXT NOT NULL,                   -- JSON: office::Standing
    PRIMARY KEY (school, person)
) STRICT, WITHOUT ROWID;

-- Whose standing must be computed again. An empty person: all of the school; an empty school: everybody.
CREATE TABLE stale (
    school TEXT NOT NULL,
    person TEXT NOT NULL,
    turn   INTEGER NOT NULL,                -- grows with every reason, so that none is lost while it is computed
    PRIMARY KEY (school, person)
) STRICT, WITHOUT ROWID;
INSERT INTO stale VALUES ('', '', 0);

INSERT INTO tally
    SELECT kind, school, COUNT(*) FROM record
    WHERE kind IN ('session', 'attendance', 'claim') AND school IS NOT NULL GROUP BY kind, school
    UNION ALL
    SELECT 'decided', school, COUNT(DISTINCT doc || '/' || about) FROM record
    WHERE kind = 'decision' AND school IS NOT NULL AND about IS NOT NULL AND doc_key LIKE 'ledger/%' GROUP BY school;

-- A row that comes, one that goes, and one of which kind or subject changes. Of several decisions on one claim one
-- counts.
CREATE TRIGGER tally_come AFTER INSERT ON record WHEN NEW.school IS NOT NULL BEGIN
    INSERT INTO tally SELECT NEW.kind, NEW.school, 1 WHERE NEW.kind IN ('session', 'attendance', 'claim')
        ON CONFLICT (kind, school) DO UPDATE SET n = n + 1;
    INSERT INTO tally SELECT 'decided', NEW.school, 1
        WHERE NEW.kind = 'decision' AND NEW.about IS NOT NULL AND NEW.doc_key LIKE 'ledger/%'
          AND NOT EXISTS (SELECT 1 FROM record WHERE kind = 'decision' AND about = NEW.about AND school = NEW.school
                          AND doc = NEW.doc AND id <> NEW.id)
        ON CONFLICT (kind, school) DO UPDATE SET n = n + 1;
END;
CREATE TRIGGER tally_go AFTER DELETE ON record WHEN OLD.school IS NOT NULL BEGIN
    UPDATE tally SET n = n - 1
        WHERE kind = OLD.kind AND school = OLD.school AND OLD.kind IN ('session', 'attendance', 'claim');
    UPDATE tally SET n = n - 1
        WHERE kind = 'decided' AND school = OLD.school
          AND OLD.kind = 'decision' AND OLD.about IS NOT NULL AND OLD.doc_key LIKE 'ledger/%'
          AND NOT EXISTS (SELECT 1 FROM record WHERE kind = 'decision' AND about = OLD.about AND school = OLD.school
                          AND doc = OLD.doc AND id <> OLD.id);
END;
CREATE TRIGGER tally_turn AFTER UPDATE OF kind, about ON record
WHEN NEW.school IS NOT NULL AND (OLD.kind <> NEW.kind OR OLD.about IS NOT NEW.about) BEGIN
    UPDATE tally SET n = n - 1
        WHERE kind = OLD.kind AND school = OLD.school AND OLD.kind IN ('session', 'attendance', 'claim');
    INSERT INTO tally SELECT NEW.kind, NEW.school, 1 WHERE NEW.kind IN ('session', 'attendance', 'claim')
        ON CONFLICT (kind, school) DO UPDATE SET n = n + 1;
    UPDATE tally SET n = n - 1
        WHERE kind = 'decided' AND school = OLD.school
          AND OLD.kind = 'decision' AND OLD.about IS NOT NULL AND OLD.doc_key LIKE 'ledger/%'
          AND NOT EXISTS (SELECT 1 FROM record WHERE kind = 'decision' AND about = OLD.about AND school = OLD.school
                          AND doc = OLD.doc AND id <> OLD.id);
    INSERT INTO tally SELECT 'decided', NEW.school, 1
        WHERE NEW.kind = 'decision' AND NEW.about IS NOT NULL AND NEW.doc_key LIKE 'ledger/%'
          AND NOT EXISTS (SELECT 1 FROM record WHERE kind = 'decision' AND about = NEW.about AND school = NEW.school
                          AND doc = NEW.doc AND id <> NEW.id)
        ON CONFLICT (kind, school) DO UPDATE SET n = n + 1;
END;

-- A row that came, went or changed, for the one list of what it touches. SQLite has no trigger for several events.
CREATE VIEW touched AS SELECT school, kind, id, person, about FROM record WHERE 0;
CREATE TRIGGER stale_touched INSTEAD OF INSERT ON touched BEGIN
    -- What a person's figures are made of.
    INSERT INTO stale SELECT NEW.school, IIF(NEW.kind = 'person', NEW.id, COALESCE(NEW.person, '')), 0
        WHERE NEW.school IS NOT NULL
          AND NEW.kind IN ('person', 'staff_fact', 'waiver', 'opening_balance', 'carried_credit')
        ON CONFLICT DO UPDATE SET turn = turn + 1;
    -- What stands behind a claim, once the county has decided on it: before, it counts nothing.
    INSERT INTO stale SELECT c.school, c.person, 0 FROM record c
        WHERE NEW.kind = 'attendance' AND c.kind = 'claim' AND c.school = NEW.school AND c.person = NEW.person
          AND c.about = NEW.about
          AND EXISTS (SELECT 1 FROM record d WHERE d.kind = 'decision' AND d.about = c.id AND d.school = c.school)
        ON CONFLICT DO UPDATE SET turn = turn + 1;
    INSERT INTO stale SELECT c.school, c.person, 0 FROM record c
        WHERE NEW.kind IN ('session', 'session_part', 'evidence', 'assessment') AND c.kind = 'claim'
          AND c.about = IIF(NEW.kind = 'session', NEW.id, NEW.about) AND +c.school = NEW.school AND +c.person IS NOT NULL
          AND EXISTS (SELECT 1 FROM record d WHERE d.kind = 'decision' AND d.about = c.id AND d.school = c.school)
        ON CONFLICT DO UPDATE SET turn = turn + 1;
    INSERT INTO stale SELECT NEW.school, NEW.person, 0
        WHERE NEW.kind = 'claim' AND NEW.school IS NOT NULL AND NEW.person IS NOT NULL
          AND EXISTS (SELECT 1 FROM record WHERE kind = 'decision' AND about = NEW.id AND school = NEW.school)
        ON CONFLICT DO UPDATE SET turn = turn + 1;
    -- What is said about a claim, a balance or a waiver.
    INSERT INTO stale SELECT o.school, o.person, 0 FROM record o
        WHERE NEW.kind IN ('decision', 'signature') AND (NEW.kind = 'decision' OR o.kind = 'waiver')
          AND o.id = NEW.about AND o.school = NEW.school AND o.person IS NOT NULL
        ON CONFLICT DO UPDATE SET turn = turn + 1;
    -- What is of a whole school, or of all.
    INSERT INTO stale SELECT NEW.school, '', 0
        WHERE NEW.school IS NOT NULL AND NEW.kind IN ('filing_package', 'filing_decision', 'settlement', 'year_close', 'correction')
        ON CONFLICT DO UPDATE SET turn = turn + 1;
    INSERT INTO stale SELECT '', '', 0
        WHERE NEW.kind IN ('transfer_order', 'same_person', 'course', 'organisation', 'published')
        ON CONFLICT DO UPDATE SET turn = turn + 1;
END;

CREATE TRIGGER stale_come AFTER INSERT ON record BEGIN
    INSERT INTO touched VALUES (NEW.school, NEW.kind, NEW.id, NEW.person, NEW.about);
END;
CREATE TRIGGER stale_go AFTER DELETE ON record BEGIN
    INSERT INTO touched VALUES (OLD.school, OLD.kind, OLD.id, OLD.person, OLD.about);
END;
CREATE TRIGGER stale_turn AFTER UPDATE ON record BEGIN
    INSERT INTO touched VALUES (NEW.school, NEW.kind, NEW.id, NEW.person, NEW.about);
END;
CREATE TRIGGER stale_left AFTER UPDATE ON record
WHEN OLD.kind <> NEW.kind OR OLD.person IS NOT NEW.person OR OLD.about IS NOT NEW.about BEGIN
    INSERT INTO touched VALUES (OLD.school, OLD.kind, OLD.id, OLD.person, OLD.about);
END;
