//! Pay tokens: what lets a shopper look at and pay one session, verifiable without a database.
//!
//! `pt_` + base64url of: length of the key's name, the name, the session's expiry (8 bytes, Unix
//! seconds, big-endian), HMAC-SHA256 over purpose, session id and expiry.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::hmac;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::{
    id::SessionId,
    keyring::{KeyId, Keyring},
    time::Timestamp,
};

const PREFIX: &str = "pt_";
/// How long after the session's expiry a token is still good for looking, in seconds.
pub const LOOKING_SECONDS: i64 = 24 * 3600;

/// The text of a pay token: a secret, shown once to the merchant; never logged.
#[derive(Clone, Zeroize, ZeroizeOnDrop, PartialEq, Eq)]
pub struct PayToken(String);

impl PayToken {
    /// The text, for the one answer that shows it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PayToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PayToken(…)")
    }
}

/// Makes and checks pay tokens under keys derived from the master keys.
#[derive(Clone, Debug)]
pub struct PayTokens(Vec<(KeyId, hmac::Key)>);

impl PayTokens {
    /// With keys derived for this purpose; the first signs, all verify.
    pub fn new(keys: &Keyring) -> Self {
        Self(keys.derive("pay_token"))
    }

    /// The token of a session that expires then.
    pub fn issue(&self, session: SessionId, expires_at: Timestamp) -> PayToken {
        let expiry = expires_at.unix_seconds().to_be_bytes();
        let mut raw = Vec::with_capacity(80);
        if let Some((id, key)) = self.0.first() {
            // A key's name is at most 32 bytes.
            raw.push(u8::try_from(id.as_str().len()).unwrap_or(0));
            raw.extend_from_slice(id.as_str().as_bytes());
            raw.extend_from_slice(&expiry);
            raw.extend_from_slice(hmac::sign(key, &signed_text(session, expiry)).as_ref());
        }
        PayToken(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(raw)))
    }

    /// Whether `token` was issued for this session and is still good for looking.
    pub fn verify(&self, session: SessionId, token: &str, now: Timestamp) -> bool {
        self.expiry(session, token)
            .is_some_and(|expiry| now.unix_seconds() <= expiry.saturating_add(LOOKING_SECONDS))
    }

    fn expiry(&self, session: SessionId, token: &str) -> Option<i64> {
        let raw = URL_SAFE_NO_PAD.decode(token.strip_prefix(PREFIX)?).ok()?;
        let (length, rest) = raw.split_first()?;
        let (name, rest) = rest.split_at_checked(usize::from(*length))?;
        let (expiry, tag) = rest.split_at_checked(8)?;
        let expiry: [u8; 8] = expiry.try_into().ok()?;
        let (_, key) = self
            .0
            .iter()
            .find(|(id, _)| id.as_str().as_bytes() == name)?;
        hmac::verify(key, &signed_text(session, expiry), tag).ok()?;
        Some(i64::from_be_bytes(expiry))
    }
}

fn signed_text(session: SessionId, expiry: [u8; 8]) -> [u8; 24] {
    let mut text = [0; 24];
    let (id, end) = text.split_at_mut(16);
    id.copy_from_slice(session.uuid().as_bytes());
    end.copy_from_slice(&expiry);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(entries: &[(&str, u8)]) -> PayTokens {
        let entry = |(id, byte): &(&str, u8)| {
            Keyring::entry(&KeyId::parse(id).unwrap(), &[*byte; 32]).to_string()
        };
        let text = entries.iter().map(entry).collect::<Vec<_>>().join(",");
        PayTokens::new(&Keyring::parse(&text).unwrap())
    }

    #[test]
    fn good_for_its_session_until_a_day_after_expiry() {
        let (tokens, expiry) = (
            keys(&[("a", 1)]),
            Timestamp::from_unix_seconds(5000).unwrap(),
        );
        let (mine, other) = (
            SessionId::from_parts(expiry, [1; 10]),
            SessionId::from_parts(expiry, [2; 10]),
        );
        let token = tokens.issue(mine, expiry);
        assert!(tokens.verify(mine, token.expose(), expiry.plus_seconds(LOOKING_SECONDS)));
        assert!(!tokens.verify(
            mine,
            token.expose(),
            expiry.plus_seconds(LOOKING_SECONDS + 1)
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
