//! The path that a proxy takes off.

use axum::http::HeaderMap;

/// The path that a trusted proxy takes off before it passes a request on: `X-Forwarded-Prefix`.
#[derive(Clone, Debug)]
pub(crate) struct Prefix(String);

impl Prefix {
    /// Returns the prefix in the headers of a trusted proxy, if it is a path.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        let text = headers.get("x-forwarded-prefix")?.to_str().ok()?.trim_end_matches('/');
        let is_path = text.starts_with('/')
            && !text.starts_with("//")
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/-._~%".contains(&byte));
        is_path.then(|| Self(text.to_owned()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn a_prefix_is_a_path() {
        let prefix = |value| {
            let name = axum::http::HeaderName::from_static("x-forwarded-prefix");
            Prefix::of(&HeaderMap::from_iter([(name, HeaderValue::from_static(value))]))
        };
        assert_eq!(prefix("/audit/").unwrap().as_str(), "/audit");
        for value in ["", "/", "//evil.example", "audit", "https://evil.example", "/a b", "/a\"b"] {
            assert!(prefix(value).is_none(), "{value}");
        }
    }
}
