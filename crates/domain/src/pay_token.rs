//! Pay tokens: give a shopper access to one session, verifiable without a database.
//!
//! `pt_` + base64url of a token of [`DerivedKeys`] whose body is the session's expiry (8 bytes,
//! Unix seconds, big-endian) and whose tag covers session id and expiry.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::{
    id::SessionId,
    keyring::{DerivedKeys, Keyring},
    time::Timestamp,
};

const PREFIX: &str = "pt_";
/// How long after the session's expiry a token is still valid for viewing, in seconds.
pub const VIEW_GRACE_SECONDS: i64 = 24 * 3600;

/// The text of a pay token: a secret, shown once to the merchant; never logged.
#[derive(Clone, Zeroize, ZeroizeOnDrop, PartialEq, Eq)]
pub struct PayToken(String);

impl PayToken {
    /// The text, for the one response that shows it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PayToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PayToken(…)")
    }
}

/// Issues and verifies pay tokens under keys derived from the master keys.
#[derive(Clone, Debug)]
pub struct PayTokens(DerivedKeys);

impl PayTokens {
    /// Derives the token keys; the first signs, all verify.
    pub fn new(keys: &Keyring) -> Self {
        Self(keys.derive("pay_token"))
    }

    /// The token of a session with this expiry.
    pub fn issue(&self, session: SessionId, expires_at: Timestamp) -> PayToken {
        let expiry = expires_at.unix_seconds().to_be_bytes();
        let raw = self.0.sign(&expiry, &signed_text(session, &expiry));
        PayToken(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(raw)))
    }

    /// Whether `token` was issued for this session and is still valid for viewing.
    pub fn verify(&self, session: SessionId, token: &str, now: Timestamp) -> bool {
        self.expiry(session, token)
            .is_some_and(|expiry| now.unix_seconds() <= expiry.saturating_add(VIEW_GRACE_SECONDS))
    }

    fn expiry(&self, session: SessionId, token: &str) -> Option<i64> {
        let raw = URL_SAFE_NO_PAD.decode(token.strip_prefix(PREFIX)?).ok()?;
        let expiry = self.0.verify(&raw, |body| signed_text(session, body))?;
        Some(i64::from_be_bytes(expiry.try_into().ok()?))
    }
}

fn signed_text(session: SessionId, expiry: &[u8]) -> Vec<u8> {
    [session.uuid().as_bytes(), expiry].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keyring::KeyId;

    fn keys(entries: &[(&str, u8)]) -> PayTokens {
        let entry = |(id, byte): &(&str, u8)| {
            Keyring::entry(&KeyId::parse(id).unwrap(), &[*byte; 32]).to_string()
        };
        let text = entries.iter().map(entry).collect::<Vec<_>>().join(",");
        PayTokens::new(&Keyring::parse(&text).unwrap())
    }

    #[test]
    fn a_token_is_valid_until_a_day_after_expiry() {
        let (tokens, expiry) = (
            keys(&[("a", 1)]),
            Timestamp::from_unix_seconds(5000).unwrap(),
        );
        let (mine, other) = (
            SessionId::from_parts(expiry, [1; 10]),
            SessionId::from_parts(expiry, [2; 10]),
        );
        let token = tokens.issue(mine, expiry);
        assert!(tokens.verify(
            mine,
            token.expose(),
            expiry.plus_seconds(VIEW_GRACE_SECONDS)
        ));
        assert!(!tokens.verify(
            mine,
            token.expose(),
            expiry.plus_seconds(VIEW_GRACE_SECONDS + 1)
        ));
        assert!(!tokens.verify(other, token.expose(), expiry));
        assert!(!format!("{token:?}").contains(token.expose()));
    }

    #[test]
    fn an_older_key_still_verifies_and_an_altered_token_does_not() {
        let expiry = Timestamp::from_unix_seconds(5000).unwrap();
        let session = SessionId::from_parts(expiry, [1; 10]);
        let token = keys(&[("a", 1)]).issue(session, expiry);
        let now = keys(&[("b", 2), ("a", 1)]);
        assert!(now.verify(session, token.expose(), expiry));
        assert!(!keys(&[("b", 2)]).verify(session, token.expose(), expiry));
        let mut altered = token.expose().to_owned();
        altered.replace_range(
            9..10,
            if altered.as_bytes()[9] == b'A' {
                "B"
            } else {
                "A"
            },
        );
        for bad in [altered.as_str(), "", "pt_", "pt_AAAA", "xx_AAAA", "pt_!!"] {
            assert!(!now.verify(session, bad, expiry), "{bad}");
        }
    }
}
