//! The pace of a read: whether it has to pause, or to end early.

use audit_core::Result;

use crate::error::closed;

/// A turn that a read has been given.
pub(crate) trait Turn {
    /// Returns whether it has had its time.
    fn is_over(&self) -> bool;

    /// Waits for the next turn if another owner waits for one.
    ///
    /// # Errors
    /// [`Closed`](audit_core::ErrorKind::Closed) if the store was closed meanwhile.
    fn pass_on(&self) -> Result<()>;
}

/// The pace of a read.
pub(crate) struct Pace<'r> {
    /// `None` for a look-up, which never pauses.
    pub(crate) turn: Option<&'r dyn Turn>,
    /// Returns whether the caller has left.
    pub(crate) has_left: &'r dyn Fn() -> bool,
}

impl Pace<'_> {
    /// Waits for the next turn if this one is over and another owner waits.
    ///
    /// # Errors
    /// [`Closed`](audit_core::ErrorKind::Closed) if the caller has left; nobody sees it.
    pub(crate) fn pause(&self) -> Result<()> {
        let Some(turn) = self.turn.filter(|turn| turn.is_over()) else { return Ok(()) };
        if !(self.has_left)() {
            turn.pass_on()?;
        }
        if (self.has_left)() { Err(closed()) } else { Ok(()) }
    }
}
