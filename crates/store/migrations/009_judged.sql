-- What a change names of other people's is looked at since this version (`documents.rs`, well_founded): every
-- document is read anew once, so that old and new programs come to the same judgement.

UPDATE document SET viewed = -1;
