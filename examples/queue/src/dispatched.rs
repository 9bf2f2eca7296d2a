//! A job on its way through a queue, with the context in which it was asked for. Copy it into your service.

use std::error::Error;
use std::marker::PhantomData;

use audit_core::{AuditContext, ContextKeys, SignedContext};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The payload of the queue: a job, and the context of the request that asked for it, signed for exactly this
/// job. Somebody who can write to the queue cannot invent a user, nor put another job under a user's context.
#[derive(Debug, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Dispatched<J> {
    job: String,
    context: SignedContext,
    #[serde(skip)]
    of: PhantomData<fn() -> J>,
}

impl<J: Serialize + DeserializeOwned> Dispatched<J> {
    /// Returns what to put into the queue, in the context of the running request.
    ///
    /// # Errors
    /// Fails outside every context: a job of nobody is not made up.
    pub fn new(keys: &ContextKeys, job: &J) -> Result<Self, Box<dyn Error>> {
        let job = serde_json::to_string(job)?;
        let context = AuditContext::current().ok_or("a job is dispatched outside a request")?;
        let context = context.sign(keys, job.as_bytes())?;
        Ok(Self { job, context, of: PhantomData })
    }

    /// Returns the context and the job.
    ///
    /// # Errors
    /// Fails if the signature is not that of `keys` for this job.
    pub fn open(self, keys: &ContextKeys) -> Result<(AuditContext, J), audit_core::Error> {
        let context = self.context.verify(keys, self.job.as_bytes())?;
        let job = serde_json::from_str(&self.job).map_err(|source| {
            audit_core::Error::new(audit_core::ErrorKind::Invalid)
                .with_field("job")
                .with_source(source)
        })?;
        Ok((context, job))
    }
}
