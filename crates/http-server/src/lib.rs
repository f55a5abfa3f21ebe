//! What the HTTP servers of this workspace share: the hosts that they accept, their time limits, and
//! `HEAD` where there is `GET`. Depends on HTTP only, not on payments.

mod allowed_hosts;
pub mod time_limits;

pub use allowed_hosts::{AllowedHosts, is_cross_origin};

use actix_web::{Route, guard, web};

/// `GET`, and `HEAD`, whose response is sent without its body.
pub fn get_or_head() -> Route {
    web::route().guard(guard::Any(guard::Get()).or(guard::Head()))
}
