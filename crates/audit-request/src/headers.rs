//! The headers of a request, in the types of any framework.

use http::HeaderMap;

/// Headers by name. Implemented for those of the crate `http`; a framework that has others implements
/// one method.
pub trait Headers {
    /// Calls `visit` with each value of the header `name`, which is in lower case, in order.
    fn each<'a>(&'a self, name: &str, visit: &mut dyn FnMut(&'a [u8]));

    /// Returns the first value.
    fn first<'a>(&'a self, name: &str) -> Option<&'a [u8]> {
        let mut first = None;
        self.each(name, &mut |value| {
            first.get_or_insert(value);
        });
        first
    }
}

impl Headers for HeaderMap {
    fn each<'a>(&'a self, name: &str, visit: &mut dyn FnMut(&'a [u8])) {
        self.get_all(name).iter().for_each(|value| visit(value.as_bytes()));
    }
}
