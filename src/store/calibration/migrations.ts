/**
 * Tables of calibrations, once for MySQL and MariaDB, once for SQLite. The platform's four tables are as its plan writes them, names, types and indexes. Two
 * things are added to them that are no column: the engine (foreign keys need InnoDB) and a binary collation, without which `Bob` and `bob`
 * would overwrite each other's calibration.
 */

export interface CalibrationMigration {
  /** 1, 2, 3, ... without gaps. */
  version: number;
  name: string;
  mysql: { up: readonly string[]; down: readonly string[] };
  sqlite: { up: string; down: string };
}

const TABLE = 'ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin';

const platform: CalibrationMigration = {
  version: 1,
  name: 'platform_tables',
  mysql: {
    up: [
      `CREATE TABLE calibration_sessions (
        id VARCHAR(36) PRIMARY KEY,
        candidate_id VARCHAR(255) NOT NULL,
        created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
        updated_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
        status ENUM('in_progress', 'completed', 'failed') DEFAULT 'in_progress',
        interview_id VARCHAR(255),
        INDEX idx_candidate_id (candidate_id),
        INDEX idx_status (status)
      ) ${TABLE}`,
      `CREATE TABLE screen_info (
        id INT AUTO_INCREMENT PRIMARY KEY,
        candidate_id VARCHAR(255) NOT NULL UNIQUE,
        screen_data JSON NOT NULL,
        created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
        INDEX idx_candidate_id (candidate_id)
      ) ${TABLE}`,
      `CREATE TABLE calibration_data (
        id INT AUTO_INCREMENT PRIMARY KEY,
        candidate_id VARCHAR(255) NOT NULL,
        calibration_csv LONGTEXT NOT NULL,
        transform_matrix_data LONGBLOB NOT NULL,
        created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
        INDEX idx_candidate_id (candidate_id),
        UNIQUE KEY unique_candidate (candidate_id)
      ) ${TABLE}`,
      `CREATE TABLE calibration_frames (
        id INT AUTO_INCREMENT PRIMARY KEY,
        session_id VARCHAR(36) NOT NULL,
        frame_index INT NOT NULL,
        frame_data JSON NOT NULL,
        created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
        INDEX idx_session_id (session_id),
        FOREIGN KEY (session_id) REFERENCES calibration_sessions(id)
      ) ${TABLE}`,
    ],
    down: ['DROP TABLE calibration_frames', 'DROP TABLE calibration_data', 'DROP TABLE screen_info', 'DROP TABLE calibration_sessions'],
  },
  sqlite: {
    up: `
      CREATE TABLE calibration_sessions (
        id           TEXT PRIMARY KEY,
        candidate_id TEXT NOT NULL,
        created_at   TEXT DEFAULT CURRENT_TIMESTAMP,
        updated_at   TEXT DEFAULT CURRENT_TIMESTAMP,
        status       TEXT DEFAULT 'in_progress' CHECK (status IN ('in_progress', 'completed', 'failed')),
        interview_id TEXT
      ) STRICT;
      CREATE INDEX calibration_sessions_candidate_id ON calibration_sessions (candidate_id);
      CREATE INDEX calibration_sessions_status ON calibration_sessions (status);
      CREATE TRIGGER calibration_sessions_updated AFTER UPDATE ON calibration_sessions WHEN NEW.updated_at IS OLD.updated_at
        BEGIN UPDATE calibration_sessions SET updated_at = CURRENT_TIMESTAMP WHERE id = NEW.id; END;
      CREATE TABLE screen_info (
        id           INTEGER PRIMARY KEY AUTOINCREMENT,
        candidate_id TEXT NOT NULL UNIQUE,
        screen_data  TEXT NOT NULL CHECK (json_valid(screen_data)),
        created_at   TEXT DEFAULT CURRENT_TIMESTAMP
      ) STRICT;
      CREATE TABLE calibration_data (
        id                    INTEGER PRIMARY KEY AUTOINCREMENT,
        candidate_id          TEXT NOT NULL UNIQUE,
        calibration_csv       TEXT NOT NULL,
        transform_matrix_data BLOB NOT NULL,
        created_at            TEXT DEFAULT CURRENT_TIMESTAMP
      ) STRICT;
      CREATE TABLE calibration_frames (
        id          INTEGER PRIMARY KEY AUTOINCREMENT,
        session_id  TEXT NOT NULL REFERENCES calibration_sessions (id),
        frame_index INTEGER NOT NULL,
        frame_data  TEXT NOT NULL CHECK (json_valid(frame_data)),
        created_at  TEXT DEFAULT CURRENT_TIMESTAMP
      ) STRICT;
      CREATE INDEX calibration_frames_session_id ON calibration_frames (session_id);
    `,
    down: `DROP TABLE calibration_frames; DROP TABLE calibration_data; DROP TABLE screen_info; DROP TABLE calibration_sessions;`,
  },
};

const beside: CalibrationMigration = {
  version: 2,
  name: 'details_consents_audit',
  mysql: {
    up: [
      `CREATE TABLE calibration_session_details (
        session_id VARCHAR(36) PRIMARY KEY,
        candidate_id VARCHAR(255) NOT NULL,
        created_ms BIGINT NOT NULL,
        updated_ms BIGINT NOT NULL,
        started_ms BIGINT,
        completed_ms BIGINT,
        metadata LONGTEXT,
        timezone VARCHAR(64),
        clock_offset_ms DOUBLE,
        error_message VARCHAR(1000),
        report LONGTEXT,
        INDEX idx_candidate_id (candidate_id),
        INDEX idx_updated_ms (updated_ms),
        FOREIGN KEY (session_id) REFERENCES calibration_sessions(id)
      ) ${TABLE}`,
      `CREATE TABLE calibration_consents (
        id INT AUTO_INCREMENT PRIMARY KEY,
        candidate_id VARCHAR(255) NOT NULL,
        session_id VARCHAR(36),
        given_ms BIGINT NOT NULL,
        withdrawn_ms BIGINT,
        basis ENUM('explicit', 'start') NOT NULL,
        policy_version VARCHAR(255),
        actor VARCHAR(255) NOT NULL,
        INDEX idx_candidate_id (candidate_id)
      ) ${TABLE}`,
      `CREATE TABLE calibration_audit_log (
        id BIGINT AUTO_INCREMENT PRIMARY KEY,
        at_ms BIGINT NOT NULL,
        actor VARCHAR(255) NOT NULL,
        role VARCHAR(32) NOT NULL,
        action VARCHAR(64) NOT NULL,
        outcome ENUM('allowed', 'denied', 'failed') NOT NULL,
        candidate_id VARCHAR(255),
        session_id VARCHAR(36),
        detail VARCHAR(1000),
        INDEX idx_candidate_id (candidate_id),
        INDEX idx_at_ms (at_ms)
      ) ${TABLE}`,
    ],
    down: ['DROP TABLE calibration_audit_log', 'DROP TABLE calibration_consents', 'DROP TABLE calibration_session_details'],
  },
  sqlite: {
    up: `
      CREATE TABLE calibration_session_details (
        session_id      TEXT PRIMARY KEY REFERENCES calibration_sessions (id),
        candidate_id    TEXT NOT NULL,
        created_ms      INTEGER NOT NULL,
        updated_ms      INTEGER NOT NULL,
        started_ms      INTEGER,
        completed_ms    INTEGER,
        metadata        TEXT,
        timezone        TEXT,
        clock_offset_ms REAL,
        error_message   TEXT,
        report          TEXT
      ) STRICT;
      CREATE INDEX calibration_session_details_candidate_id ON calibration_session_details (candidate_id);
      CREATE INDEX calibration_session_details_updated_ms ON calibration_session_details (updated_ms);
      CREATE TABLE calibration_consents (
        id             INTEGER PRIMARY KEY AUTOINCREMENT,
        candidate_id   TEXT NOT NULL,
        session_id     TEXT,
        given_ms       INTEGER NOT NULL,
        withdrawn_ms   INTEGER,
        basis          TEXT NOT NULL CHECK (basis IN ('explicit', 'start')),
        policy_version TEXT,
        actor          TEXT NOT NULL
      ) STRICT;
      CREATE INDEX calibration_consents_candidate_id ON calibration_consents (candidate_id);
      CREATE TABLE calibration_audit_log (
        id           INTEGER PRIMARY KEY AUTOINCREMENT,
        at_ms        INTEGER NOT NULL,
        actor        TEXT NOT NULL,
        role         TEXT NOT NULL,
        action       TEXT NOT NULL,
        outcome      TEXT NOT NULL CHECK (outcome IN ('allowed', 'denied', 'failed')),
        candidate_id TEXT,
        session_id   TEXT,
        detail       TEXT
      ) STRICT;
      CREATE INDEX calibration_audit_log_candidate_id ON calibration_audit_log (candidate_id);
      CREATE INDEX calibration_audit_log_at_ms ON calibration_audit_log (at_ms);
    `,
    down: `DROP TABLE calibration_audit_log; DROP TABLE calibration_consents; DROP TABLE calibration_session_details;`,
  },
};

/** Every migration, in order. Add at the end; never change one that has been released. */
export const CALIBRATION_MIGRATIONS: readonly CalibrationMigration[] = [platform, beside];
