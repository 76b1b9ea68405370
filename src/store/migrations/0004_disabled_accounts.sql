-- Since when an account is disabled: none of its credentials counts until it is enabled again.

ALTER TABLE users ADD COLUMN disabled_at INTEGER;

-- Events are read by the organization that they concern as well.
CREATE INDEX events_by_organization ON events (organization_id) WHERE organization_id IS NOT NULL;
