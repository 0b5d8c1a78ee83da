-- What one person has at a school, and what the county has said of a claim, answered from the index alone: a county
-- asks for both after each change. By person first, they also answer what stands twice (012).
DROP INDEX record_marked_twice;
DROP INDEX record_claimed_twice;
CREATE INDEX record_marks ON record (school, person, about, kind) WHERE kind = 'attendance';
CREATE INDEX record_claims ON record (school, person, about, kind) WHERE kind = 'claim';
CREATE INDEX record_decisions ON record (about, school, kind) WHERE kind = 'decision';
