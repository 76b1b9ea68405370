-- Identifiers are the 16 bytes of a UUIDv7, times are microseconds since the Unix epoch in UTC.
--
-- Nothing cascades: whatever is deleted is deleted by a statement that also records the change, so that no cache keeps
-- what a cascade took away unseen.

CREATE TABLE users (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    username TEXT NOT NULL,
    username_canonical TEXT NOT NULL UNIQUE,
    email TEXT NOT NULL,
    email_canonical TEXT NOT NULL UNIQUE,
    password_hash TEXT,
    installation_administrator INTEGER NOT NULL CHECK (installation_administrator IN (0, 1)),
    tokens_not_before INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE organizations (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    name TEXT NOT NULL,
    plan TEXT NOT NULL CHECK (plan IN ('free', 'paid')),
    personal_to BLOB UNIQUE REFERENCES users (id) ON DELETE RESTRICT,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE organization_administrators (
    organization_id BLOB NOT NULL REFERENCES organizations (id) ON DELETE RESTRICT,
    user_id BLOB NOT NULL REFERENCES users (id) ON DELETE RESTRICT,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (organization_id, user_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX organization_administrators_by_user ON organization_administrators (user_id, organization_id);

CREATE TABLE applications (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    name TEXT NOT NULL,
    application_type TEXT NOT NULL CHECK (application_type IN ('starter', 'standard')),
    organization_id BLOB NOT NULL REFERENCES organizations (id) ON DELETE RESTRICT,
    owner_id BLOB NOT NULL REFERENCES users (id) ON DELETE RESTRICT,
    created_at INTEGER NOT NULL,
    UNIQUE (organization_id, name)
) STRICT, WITHOUT ROWID;

CREATE INDEX applications_by_owner ON applications (owner_id);

CREATE TABLE memberships (
    application_id BLOB NOT NULL REFERENCES applications (id) ON DELETE RESTRICT,
    user_id BLOB NOT NULL REFERENCES users (id) ON DELETE RESTRICT,
    role TEXT NOT NULL CHECK (role IN ('administrator', 'developer', 'operator', 'observer')),
    created_at INTEGER NOT NULL,
    PRIMARY KEY (application_id, user_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX memberships_by_user ON memberships (user_id, application_id);

CREATE TABLE devices (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    application_id BLOB NOT NULL REFERENCES applications (id) ON DELETE RESTRICT,
    name TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX devices_by_application ON devices (application_id, id);

-- Keyed by the digest, which is what a request brings: the look-up is one descent of one tree.
CREATE TABLE api_keys (
    digest BLOB NOT NULL PRIMARY KEY CHECK (length(digest) = 32),
    id BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
    user_id BLOB NOT NULL REFERENCES users (id) ON DELETE RESTRICT,
    name TEXT NOT NULL,
    description TEXT,
    prefix TEXT NOT NULL,
    scopes TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    last_used_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX api_keys_by_user ON api_keys (user_id, id);

CREATE TABLE signing_keys (
    id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    private BLOB NOT NULL,
    public BLOB NOT NULL CHECK (length(public) = 32),
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Events outlive what they tell of, so nothing is referred to. `seq` is the order of writing, which neither clocks nor
-- identifiers of the same millisecond tell. Kinds and actions are not enumerated here: old rows keep names that a newer
-- version may no longer use.
CREATE TABLE events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
    at INTEGER NOT NULL,
    actor BLOB CHECK (length(actor) = 16),
    credential_kind TEXT NOT NULL,
    credential_id TEXT,
    client TEXT,
    action TEXT NOT NULL,
    user_id BLOB CHECK (length(user_id) = 16),
    application_id BLOB CHECK (length(application_id) = 16),
    organization_id BLOB CHECK (length(organization_id) = 16),
    detail TEXT
) STRICT;

-- What has changed, for the caches of every process that shares this database. `a` and `b` identify what `kind` names.
CREATE TABLE changes (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL CHECK (kind IN (
        'user', 'api_key', 'membership', 'application', 'organization', 'device', 'signing_keys', 'everything'
    )),
    a BLOB,
    b BLOB
) STRICT;
