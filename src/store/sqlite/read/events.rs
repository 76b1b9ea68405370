//! Pages of account events, newest first: before the position `?1`, `?2` of them at most.

use super::super::rows::event_columns;

pub(super) const EVENTS: &str =
    concat!("SELECT ", event_columns!(), " FROM events WHERE seq < ?1 ORDER BY seq DESC LIMIT ?2");

// Each half reads one index backwards and stops at the limit, however many events concern the user.
pub(super) const EVENTS_OF_USER: &str = concat!(
    "SELECT ",
    event_columns!(),
    " FROM events WHERE seq IN (
          SELECT seq FROM (SELECT seq FROM events WHERE actor = ?3 AND seq < ?1 ORDER BY seq DESC LIMIT ?2)
          UNION
          SELECT seq FROM (SELECT seq FROM events WHERE user_id = ?3 AND seq < ?1 ORDER BY seq DESC LIMIT ?2)
      ) ORDER BY seq DESC LIMIT ?2"
);

pub(super) const EVENTS_OF_APPLICATION: &str = concat!(
    "SELECT ",
    event_columns!(),
    " FROM events WHERE application_id = ?3 AND seq < ?1 ORDER BY seq DESC LIMIT ?2"
);

pub(super) const EVENTS_OF_ORGANIZATION: &str = concat!(
    "SELECT ",
    event_columns!(),
    " FROM events WHERE organization_id = ?3 AND seq < ?1 ORDER BY seq DESC LIMIT ?2"
);
