-- Schema version 1 as the first Voxgates made it, with a little of everything. {signal_id} differs by database.
CREATE TABLE api_keys (
    id VARCHAR NOT NULL,
    name VARCHAR NOT NULL,
    role VARCHAR NOT NULL,
    project VARCHAR,
    key_hash VARCHAR NOT NULL,
    key_hint VARCHAR NOT NULL,
    created_at VARCHAR NOT NULL,
    expires_at VARCHAR,
    revoked_at VARCHAR,
    last_used_at VARCHAR,
    PRIMARY KEY (id),
    UNIQUE (key_hash)
);
CREATE TABLE credentials (
    id VARCHAR NOT NULL,
    model JSON,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    project VARCHAR,
    logging JSON,
    metadata JSON NOT NULL,
    minted_by VARCHAR,
    scopes JSON NOT NULL,
    revoked_at BIGINT,
    PRIMARY KEY (id)
);
CREATE INDEX credentials_newest ON credentials (created_at, id);
CREATE INDEX credentials_revoked ON credentials (revoked_at);
CREATE TABLE schema_version (
    version INTEGER NOT NULL,
    PRIMARY KEY (version)
);
CREATE TABLE sessions (
    id VARCHAR NOT NULL,
    project VARCHAR NOT NULL,
    model VARCHAR NOT NULL,
    provider VARCHAR NOT NULL,
    status VARCHAR NOT NULL,
    started_at VARCHAR NOT NULL,
    ended_at VARCHAR,
    duration_ms FLOAT,
    turns INTEGER,
    interruptions INTEGER,
    cost_usd FLOAT,
    tags JSON NOT NULL,
    metadata JSON NOT NULL,
    credential_id VARCHAR,
    title VARCHAR,
    data JSON NOT NULL,
    metrics JSON NOT NULL,
    errors INTEGER,
    user_id VARCHAR,
    title_folded VARCHAR,
    revision BIGINT NOT NULL,
    PRIMARY KEY (id)
);
CREATE INDEX sessions_newest ON sessions (started_at, id);
CREATE INDEX sessions_newest_of_project ON sessions (project, started_at, id);
CREATE INDEX sessions_of_credential ON sessions (credential_id);
CREATE INDEX sessions_of_status ON sessions (status);
CREATE INDEX sessions_of_user ON sessions (user_id);
CREATE TABLE signals (
    id {signal_id},
    kind VARCHAR NOT NULL,
    target VARCHAR NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX signals_by_age ON signals (created_at);
CREATE TABLE session_tags (
    session_id VARCHAR NOT NULL,
    tag VARCHAR NOT NULL,
    PRIMARY KEY (session_id, tag),
    FOREIGN KEY(session_id) REFERENCES sessions (id) ON DELETE CASCADE
);
CREATE INDEX session_tags_by_tag ON session_tags (tag);
CREATE TABLE spans (
    session_id VARCHAR NOT NULL,
    id VARCHAR NOT NULL,
    position INTEGER NOT NULL,
    parent_id VARCHAR,
    type VARCHAR NOT NULL,
    name VARCHAR NOT NULL,
    start_ms FLOAT,
    end_ms FLOAT,
    status VARCHAR,
    error JSON,
    input JSON,
    output JSON,
    usage JSON,
    cost_usd FLOAT,
    metrics JSON NOT NULL,
    attachments JSON NOT NULL,
    PRIMARY KEY (session_id, id),
    FOREIGN KEY(session_id) REFERENCES sessions (id) ON DELETE CASCADE
);
INSERT INTO schema_version (version) VALUES (1);
INSERT INTO sessions (id, project, model, provider, status, started_at, ended_at, duration_ms, turns, interruptions, cost_usd,
    tags, metadata, credential_id, title, data, metrics, errors, user_id, title_folded, revision)
VALUES ('sess_old', 'shop', 'gpt-realtime', 'openai', 'complete', '2026-11-01T10:00:00.000Z', '2026-11-01T10:01:00.000Z',
    60000.5, 3, 1, 0.25, '["vip"]', '{"user_id":"u1"}', 'cred_old', 'Refund, please', '{"metrics":{"turns":3}}',
    '{"turns":3}', 0, 'u1', 'refund, please', 7);
INSERT INTO session_tags (session_id, tag) VALUES ('sess_old', 'vip');
INSERT INTO spans (session_id, id, position, parent_id, type, name, start_ms, end_ms, status, error, input, output, usage,
    cost_usd, metrics, attachments)
VALUES ('sess_old', 'span_old', 0, NULL, 'turn', 'turn 1', 0.5, 900, 'ok', NULL, '{"text":"Hello"}', NULL, NULL, NULL, '{}', '[]');
INSERT INTO api_keys (id, name, role, project, key_hash, key_hint, created_at, expires_at, revoked_at, last_used_at)
VALUES ('key_old', 'ci', 'read', NULL, 'hash of ci', 'vg_ab…yz', '2026-11-01T09:00:00.000Z', NULL, NULL, NULL);
INSERT INTO credentials (id, model, created_at, expires_at, project, logging, metadata, minted_by, scopes, revoked_at)
VALUES ('cred_old', '"gpt-realtime"', 100, 99999999999, 'shop', NULL, '{}', 'key_old', '{"uses":3}', 200);
INSERT INTO signals (kind, target, created_at) VALUES ('end_session', 'sess_old', 100);
