//! Merkle proofs, signed checkpoints and offline verification of audit logs, over any store.
//!
//! The events of a [`Log`](audit_core::Log) are the leaves of a Merkle tree of RFC 6962 and RFC 9162.
//! A leaf is the hash of the record, in the bytes that are stored. The record has the digest of the
//! personal data, so the tree covers the whole event, and an erasure changes no hash. All texts are
//! in the formats of C2SP: tlog-checkpoint, signed-note, tlog-proof, tlog-cosignature. Any tool that
//! reads these can verify them.
//!
//! | role | has | does |
//! |---|---|---|
//! | a service | any store, with [`VerifyExt`] | proves events and [verifies](VerifyExt::verify) logs |
//! | the owner of the logs | a [`Notary`]: a [`CheckpointSigner`] and a [`CheckpointStore`] | signs checkpoints, and none that contradicts an earlier one |
//! | the receiver of an event | a [`CheckpointVerifier`] | verifies [`Evidence`] offline |
//! | an auditor | kept checkpoints, and a [`ConsistencyProof`] from each to the next | reads the log with a [`LogVerifier`] |
//! | a [`Witness`] | the last checkpoint that it has cosigned | cosigns, so that all readers see one log |
//!
//! The crate has no runtime. Its only I/O is that of a [`CheckpointDirectory`], which has a thread for
//! it. Only a new key needs randomness. It does not panic on any input. A wrong input is
//! [`Invalid`](audit_core::ErrorKind::Invalid) and names the field; a wrong log is
//! [`Corrupt`](audit_core::ErrorKind::Corrupt), or a [`Finding`] of a [`Report`].
//!
//! # Example
//!
//! Record, sign, prove, verify offline, and verify the whole log:
//!
//! ```
//! use audit_core::{Actor, AuditStoreExt, Log, NewEvent};
//! use audit_memory::MemoryStore;
//! use audit_merkle::{
//!     CheckpointDirectory, CheckpointSigner, CheckpointVerifier, Evidence, Notary, VerifyExt,
//! };
//!
//! # let directory = tempfile::tempdir()?;
//! # futures_executor::block_on(async {
//! let (store, log) = (MemoryStore::new()?, Log::Platform);
//! let paid = NewEvent::new("invoice.paid", Actor::user("u_7").email("ana@acme.example"));
//! let receipt = store.record(log, paid).await?;
//!
//! // The owner signs a checkpoint. Keep the key secret; publish the directory.
//! let signer = CheckpointSigner::generate("audit.example.com")?;
//! let notary = Notary::new(signer, CheckpointDirectory::open(directory.path())?)?;
//! let signed = notary.checkpoint(&store, log).await?;
//!
//! // The evidence is one text, to be passed on.
//! let text = store.evidence(log, receipt.id, signed.clone()).await?.to_string();
//!
//! // The receiver needs the text, the public key and the name of the log.
//! let key = notary.verifier(log).to_string();
//! let verifier = key.parse::<CheckpointVerifier>()?.with_origin("audit.example.com/platform");
//! let verified = text.parse::<Evidence>()?.verify(&verifier)?;
//! assert_eq!(verified.event.actor.email.as_deref(), Some("ana@acme.example"));
//! println!("{verified}");
//!
//! // Without the personal data the record stays proved.
//! let redacted = text.parse::<Evidence>()?.without_personal();
//! assert!(redacted.verify(&verifier)?.event.erased);
//!
//! // A kept checkpoint shows every change of the events before it.
//! let kept = verifier.verify(&signed)?;
//! let report = store.verify(log).against([kept.head()]).await?;
//! assert!(report.is_intact() && report.proved == kept.size());
//! println!("{report}");
//! # Ok::<(), audit_core::Error>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # The part of a store
//!
//! A store keeps the [tree](audit_core::tree) that core computes: the [`Frontier`] in the row of the
//! log's head, and the nodes that each append completes. A proof reads about 20 nodes among 10^6
//! events and 40 among 10^12, in one call. [`NodeId::is_retained`] says which nodes stay after
//! pruning.

mod checkpoint;
mod checkpoint_directory;
mod checkpoint_memory;
mod checkpoint_store;
mod evidence;
mod finding;
mod log_verifier;
mod nodes;
mod notary;
mod note;
mod proof;
mod reconstruction;
mod removals;
mod report;
mod signer;
mod state;
mod store_nodes;
mod verification;
mod verifier;
mod verify_ext;
mod witness;

pub use audit_core::tree::{Frontier, Node, NodeHash, NodeId};
pub use audit_core::{LeafHash, RootHash, TreeHead};
pub use checkpoint::{Checkpoint, SignedCheckpoint};
pub use checkpoint_directory::CheckpointDirectory;
pub use checkpoint_memory::MemoryCheckpointStore;
pub use checkpoint_store::CheckpointStore;
pub use evidence::{Evidence, PersonalProof, VerifiedEvent};
pub use finding::{Finding, Reference};
pub use log_verifier::LogVerifier;
pub use nodes::{
    Nodes, consistency_nodes, consistency_proof, frontier_at, inclusion_nodes, inclusion_proof,
    root, root_nodes,
};
pub use notary::Notary;
pub use proof::{ConsistencyProof, InclusionProof};
pub use report::{Report, Verdict};
pub use signer::CheckpointSigner;
pub use state::{Difference, StateFinding};
pub use verification::{Progress, Verification};
pub use verifier::CheckpointVerifier;
pub use verify_ext::VerifyExt;
pub use witness::{Cosignature, Witness, WitnessRequest, WitnessVerifier};
