//! The bearer token.

use axum::http::header::{HeaderMap, AUTHORIZATION};
use axum::http::StatusCode;
use subtle::ConstantTimeEq;

use super::errors::Refusal;

/// Checks a request's token; takes as long for a wrong token as for the right one, so that none can be guessed by the
/// clock. Only the length shows.
pub fn check(headers: &HeaderMap, token: Option<&str>) -> Result<(), Refusal> {
    let Some(token) = token else { return Ok(()) };
    let given = headers.get(AUTHORIZATION).map(|value| value.as_bytes()).and_then(bearer);
    match given {
        Some(given) if bool::from(given.ct_eq(token.as_bytes())) => Ok(()),
        Some(_) => Err(refuse("the token is not this server's")),
        None => Err(refuse("this server wants a token: 'Authorization: Bearer TOKEN'")),
    }
}

fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then_some(token)
}

fn refuse(message: &str) -> Refusal {
    Refusal::new(StatusCode::UNAUTHORIZED, "unauthorized", "authorization", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(given: Option<&str>, token: Option<&str>) -> u16 {
        let mut headers = HeaderMap::new();
        given.into_iter().for_each(|value| drop(headers.insert(AUTHORIZATION, value.parse().unwrap())));
        check(&headers, token).err().map_or(200, |refusal| refusal.status.as_u16())
    }

    #[test]
    fn the_token_opens_and_nothing_else_does() {
        assert_eq!(status(None, None), 200);
        assert_eq!(status(Some("Bearer abc"), Some("abc")), 200);
        assert_eq!(status(Some("bearer abc"), Some("abc")), 200);
        for wrong in ["Bearer ab", "Bearer abcd", "Bearer abd", "Bearer ", "Basic abc", "abc", "Bearer  abc"]
        {
            assert_eq!(status(Some(wrong), Some("abc")), 401, "{wrong}");
        }
        assert_eq!(status(None, Some("abc")), 401);
    }
}
