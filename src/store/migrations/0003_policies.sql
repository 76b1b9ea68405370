-- The history of the policies: what was in force since when, who brought it in, and all files of it. Times are
-- microseconds since the Unix epoch.

-- `user_id` refers to nothing: accounts go, and what they did stays told.
CREATE TABLE policy_generations (
    number INTEGER NOT NULL PRIMARY KEY CHECK (number > 0),
    at INTEGER NOT NULL,
    cause TEXT NOT NULL,
    user_id BLOB CHECK (length(user_id) = 16),
    digest BLOB NOT NULL CHECK (length(digest) = 32)
) STRICT;

CREATE TABLE policy_files (
    generation INTEGER NOT NULL REFERENCES policy_generations (number) ON DELETE RESTRICT,
    folder TEXT NOT NULL CHECK (folder IN ('policies', 'schema')),
    name TEXT NOT NULL,
    content TEXT NOT NULL,
    PRIMARY KEY (generation, folder, name)
) STRICT;
