-- Signing up, resetting passwords, two-factor authentication, throttling and mail. As before: identifiers are 16 bytes,
-- digests 32, times microseconds since the Unix epoch, and nothing cascades.

-- Asked for, and made when the mailed link is followed. Not unique: it occupies neither username nor address.
CREATE TABLE sign_ups (
    digest BLOB NOT NULL PRIMARY KEY CHECK (length(digest) = 32),
    username TEXT NOT NULL,
    email TEXT NOT NULL,
    email_canonical TEXT NOT NULL,
    password_hash TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX sign_ups_by_email ON sign_ups (email_canonical);
CREATE INDEX sign_ups_by_expiry ON sign_ups (expires_at);

CREATE TABLE password_resets (
    digest BLOB NOT NULL PRIMARY KEY CHECK (length(digest) = 32),
    user_id BLOB NOT NULL REFERENCES users (id) ON DELETE RESTRICT,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX password_resets_by_user ON password_resets (user_id);
CREATE INDEX password_resets_by_expiry ON password_resets (expires_at);

CREATE TABLE totps (
    user_id BLOB NOT NULL PRIMARY KEY REFERENCES users (id) ON DELETE RESTRICT,
    secret BLOB NOT NULL,
    enabled_at INTEGER,
    last_step INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE recovery_codes (
    user_id BLOB NOT NULL REFERENCES users (id) ON DELETE RESTRICT,
    digest BLOB NOT NULL CHECK (length(digest) = 32),
    PRIMARY KEY (user_id, digest)
) STRICT, WITHOUT ROWID;

-- Secrets of the installation itself, encrypted under the key file.
CREATE TABLE secrets (
    name TEXT NOT NULL PRIMARY KEY,
    sealed BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- `user_id` is the account that is counted for, where there is one: the row goes with it.
CREATE TABLE throttles (
    key BLOB NOT NULL PRIMARY KEY CHECK (length(key) = 32),
    user_id BLOB REFERENCES users (id) ON DELETE RESTRICT,
    failures INTEGER NOT NULL CHECK (failures BETWEEN 0 AND 4294967295),
    last_failure_at INTEGER NOT NULL,
    trusted INTEGER NOT NULL CHECK (trusted IN (0, 1))
) STRICT, WITHOUT ROWID;

CREATE INDEX throttles_by_user ON throttles (user_id) WHERE user_id IS NOT NULL;
CREATE INDEX throttles_by_age ON throttles (last_failure_at) WHERE trusted = 0;

CREATE TABLE mails (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    sealed BLOB NOT NULL,
    attempts INTEGER NOT NULL CHECK (attempts BETWEEN 0 AND 4294967295),
    next_attempt_at INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX mails_by_next_attempt ON mails (next_attempt_at, id);

-- Who has left an application by themselves.
CREATE TABLE departures (
    application_id BLOB NOT NULL REFERENCES applications (id) ON DELETE RESTRICT,
    user_id BLOB NOT NULL REFERENCES users (id) ON DELETE RESTRICT,
    PRIMARY KEY (application_id, user_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX departures_by_user ON departures (user_id, application_id);

-- Events are read by whom and what they concern, newest first: each index ends in `seq`.
CREATE INDEX events_by_actor ON events (actor) WHERE actor IS NOT NULL;
CREATE INDEX events_by_user ON events (user_id) WHERE user_id IS NOT NULL;
CREATE INDEX events_by_application ON events (application_id) WHERE application_id IS NOT NULL;
