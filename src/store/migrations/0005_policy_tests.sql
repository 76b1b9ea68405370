-- How many tests a generation went by when it came into force; NULL where none were to be run, and for those before.
ALTER TABLE policy_generations ADD COLUMN tests INTEGER CHECK (tests >= 0);
