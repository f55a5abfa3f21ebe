//! What the shop has seen of a session so far. Until it takes webhooks it sees only what is there
//! when it looks: a status that came and went in between is entered from what it left behind.

use oncharge_client::{Session, SessionStatus as Status};

use super::order::{Order, Sighting};

/// Enters what a look at the session shows. Returns whether there was anything new.
pub(super) fn enter(order: &mut Order, session: &Session) -> bool {
    let before = order.sightings.len();
    if before == 0 {
        order.sightings.push(sighting(session, Status::Created));
    }
    let authorized = order
        .sightings
        .iter()
        .any(|seen| seen.status == Status::Authorized);
    let beyond = !matches!(session.status, Status::Authorized);
    if session.amount_authorized > 0 && beyond && !authorized {
        let missed = Sighting {
            at_latest: true,
            ..sighting(session, Status::Authorized)
        };
        order.sightings.push(missed);
    }
    if is_news(order, session) {
        order.sightings.push(sighting(session, session.status));
    }
    order.sightings.len() > before
}

fn is_news(order: &Order, session: &Session) -> bool {
    let Some(last) = order.sightings.last() else {
        return true;
    };
    // A second refusal looks like the first, but for its time.
    let may_repeat = matches!(session.status, Status::Refused | Status::Error);
    last.status != session.status || (may_repeat && last.at < session.updated_at.into())
}

fn sighting(session: &Session, status: Status) -> Sighting {
    let at = match status {
        Status::Created => session.created_at,
        // Time alone makes a session expire: nothing was written when it did.
        Status::Expired if session.updated_at <= session.created_at => session.expires_at,
        _ => session.updated_at,
    };
    let failure = session
        .failure
        .as_ref()
        .filter(|_| status == session.status);
    let reason = failure.map(|failure| format!("{} ({})", failure.message, failure.code));
    Sighting {
        status,
        at: at.into(),
        at_latest: false,
        reason,
    }
}
